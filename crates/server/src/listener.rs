//! Where clients connect to.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::Path;

use tokio::net::{TcpListener, UnixListener};
use values::{Error, Result, ResultExt};

use crate::socket::Socket;

/// A listening socket. Whether one over TCP is wanted at all is the daemon's decision.
#[derive(Debug)]
pub enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// Listens at `path` with mode 0660 for root and the group `gid`; a socket left over by a dead daemon is replaced.
    ///
    /// # Errors
    /// `Conflict` when another daemon answers there, `Internal` when the socket cannot be made.
    pub fn bind_unix(path: &Path, gid: Option<u32>) -> Result<Listener> {
        clear_stale(path)?;
        let listener = StdUnixListener::bind(path).during(|| format!("listen at {}", path.display()))?;
        std::fs::set_permissions(path, Permissions::from_mode(0o660))
            .during(|| format!("set the mode of {}", path.display()))?;
        if gid.is_some() {
            chown(path, None, gid).during(|| format!("set the group of {}", path.display()))?;
        }
        Listener::from_unix(listener)
    }

    /// Listens at an address, without TLS.
    ///
    /// # Errors
    /// `Internal` when the address cannot be had.
    pub async fn bind_tcp(address: SocketAddr) -> Result<Listener> {
        let listener = TcpListener::bind(address).await.during(|| format!("listen at {address}"))?;
        Ok(Listener::Tcp(listener))
    }

    /// Takes over a listening Unix socket, e.g. one inherited by socket activation.
    ///
    /// # Errors
    /// `Internal` when the runtime cannot watch it.
    pub fn from_unix(listener: StdUnixListener) -> Result<Listener> {
        listener.set_nonblocking(true)?;
        Ok(Listener::Unix(UnixListener::from_std(listener)?))
    }

    /// Takes over a listening TCP socket.
    ///
    /// # Errors
    /// `Internal` when the runtime cannot watch it.
    pub fn from_tcp(listener: std::net::TcpListener) -> Result<Listener> {
        listener.set_nonblocking(true)?;
        Ok(Listener::Tcp(TcpListener::from_std(listener)?))
    }

    /// Waits for the next client.
    ///
    /// # Errors
    /// `accept(2)`'s.
    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        match self {
            Listener::Unix(l) => l.accept().await.map(|(socket, _)| Socket::Unix(socket)),
            Listener::Tcp(l) => {
                let (socket, _) = l.accept().await?;
                // Keystrokes of an attached terminal must not wait for each other.
                socket.set_nodelay(true)?;
                Ok(Socket::Tcp(socket))
            }
        }
    }
}

/// Removes a socket nobody listens at any more.
fn clear_stale(path: &Path) -> Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(Error::conflict(format!("cannot listen at {}: a file is in the way", path.display())));
    }
    match StdUnixStream::connect(path) {
        Ok(_) => Err(Error::conflict(format!("cannot listen at {}: another daemon answers there", path.display()))),
        Err(_) => std::fs::remove_file(path).during(|| format!("remove the stale socket {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stale_sockets_are_replaced_and_live_ones_kept() {
        let path = std::env::temp_dir().join(format!("lighter-listener-{}.sock", std::process::id()));
        drop(StdUnixListener::bind(&path).expect("bind"));
        let first = Listener::bind_unix(&path, None).expect("the first socket is stale");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o660);
        let second = Listener::bind_unix(&path, None).map(drop);
        drop(first);
        std::fs::remove_file(&path).expect("ours");
        std::fs::write(&path, "").expect("write");
        let third = Listener::bind_unix(&path, None).map(drop);
        std::fs::remove_file(&path).expect("ours");
        assert!(second.expect_err("in use").message.contains("another daemon answers"));
        assert!(third.expect_err("not a socket").message.contains("a file is in the way"));
    }
}
