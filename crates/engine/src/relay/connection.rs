use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::io::Errno;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::AT_ONCE;

/// No descriptor is left, or no memory: one will be again.
pub(super) struct Full;

/// Accepts who waits, and serves each as long as `alive` is there.
pub(super) fn accept(listener: &TcpListener, target: SocketAddr, alive: &watch::Sender<()>) -> Result<(), Full> {
    for _ in 0..AT_ONCE {
        match listener.accept() {
            Ok((client, _)) => drop(tokio::spawn(serve(client, target, alive.subscribe()))),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if is_full(&e) => return Err(Full),
            // this one has given up
            Err(_) => {}
        }
    }
    Ok(())
}

fn is_full(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS))
}

async fn serve(client: std::net::TcpStream, target: SocketAddr, mut alive: watch::Receiver<()>) {
    tokio::select! {
        _ = alive.changed() => {}
        _ = pass_on(client, target) => {}
    }
}

/// Whom the container does not answer is closed, as a port that nobody listens on.
async fn pass_on(client: std::net::TcpStream, target: SocketAddr) -> io::Result<()> {
    client.set_nonblocking(true)?;
    let mut client = TcpStream::from_std(client)?;
    let mut server = TcpStream::connect(target).await?;
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
