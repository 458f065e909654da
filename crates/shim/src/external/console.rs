//! `--console-socket`: where the program sends the master of the terminal it made.

use runtime::StartError;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// A listening socket in the bundle.
pub struct ConsoleSocket {
    directory: OwnedFd,
    listener: OwnedFd,
    name: String,
}

impl ConsoleSocket {
    pub fn new(bundle: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(bundle, flags, Mode::empty())?;
        let listener = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        // The descriptor's number is nobody else's while we live.
        let name = format!("console.{}", listener.as_raw_fd());
        let socket = Self { directory, listener, name };
        socket.remove();
        rustix::net::bind(&socket.listener, &SocketAddrUnix::new(socket.address())?)?;
        rustix::net::listen(&socket.listener, 1)?;
        Ok(socket)
    }

    /// A path that is short however deep the bundle is: a socket's has 107 bytes at most.
    pub fn address(&self) -> String {
        format!("/proc/{}/fd/{}/{}", std::process::id(), self.directory.as_raw_fd(), self.name)
    }

    /// Takes the master that was sent, and gives the terminal its size (0 × 0: left alone).
    pub fn accept(self, (rows, cols): (u16, u16)) -> Result<OwnedFd, StartError> {
        let failed = |e: rustix::io::Errno| StartError::other(format!("the OCI runtime sent no terminal: {e}"));
        let connection = rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        let connection = connection.map_err(failed)?;
        let (mut scrap, mut fds) = ([0; 4096], Vec::new());
        sys::scm::receive(&connection, &mut scrap, &mut fds).map_err(failed)?;
        let master = fds.pop().ok_or_else(|| failed(rustix::io::Errno::NOTTY))?;
        if rows != 0 || cols != 0 {
            sys::tty::resize(&master, rows, cols).map_err(failed)?;
        }
        Ok(master)
    }

    fn remove(&self) {
        let _ = rustix::fs::unlinkat(&self.directory, self.name.as_str(), rustix::fs::AtFlags::empty());
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        self.remove();
    }
}
