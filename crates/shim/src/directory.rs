//! The shim's directory: its socket, and the files which tell what a killed shim can't.

use crate::protocol::{EXIT_FILE, Exited, PID_FILE, SOCKET, Started};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Held by a descriptor, so that no length of path matters and nobody can exchange it.
pub struct Directory {
    fd: OwnedFd,
}

impl Directory {
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { fd: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// Makes the socket on which later daemons connect, mode 0600; a stale one is replaced.
    pub fn listen(&self) -> io::Result<OwnedFd> {
        self.remove(SOCKET);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // A unix address holds 107 bytes: the detour by the descriptor is always short enough.
        let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", self.fd.as_raw_fd()))?;
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = rustix::net::bind(&socket, &address);
        rustix::process::umask(before);
        bound?;
        rustix::net::listen(&socket, 1024)?;
        Ok(socket)
    }

    /// Writes a file in one go.
    fn write(&self, name: &str, more: OFlags, text: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | more;
        let file = rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?;
        if rustix::io::write(&file, text)? != text.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Writes a file whole or not at all.
    pub fn write_started(&self, started: &Started) -> io::Result<()> {
        let temporary = format!(".{PID_FILE}");
        self.write(&temporary, OFlags::CREATE | OFlags::TRUNC, &serde_json::to_vec(started)?)?;
        Ok(rustix::fs::renameat(&self.fd, &temporary, &self.fd, PID_FILE)?)
    }

    /// Takes the room that the end will need to be written down.
    pub fn reserve_exit(&self) -> io::Result<()> {
        self.write(EXIT_FILE, OFlags::CREATE | OFlags::TRUNC, &Exited::no_note())
    }

    /// In the room that was reserved.
    pub fn write_exit(&self, exited: &Exited) -> io::Result<()> {
        self.write(EXIT_FILE, OFlags::CREATE, &exited.note())
    }

    /// Removes all that the shim made.
    pub fn clear(&self) {
        for name in [SOCKET, EXIT_FILE, PID_FILE] {
            self.remove(name);
            self.remove(&format!(".{name}"));
        }
    }

    fn remove(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.fd, name, AtFlags::empty());
    }
}
