//! One socket to the daemon, with what was read from it and not yet used.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{Error, Host};

/// A stream socket of either family.
#[derive(Debug)]
pub enum Socket {
    /// A unix socket.
    Unix(UnixStream),
    /// A TCP socket, without Nagle's delay.
    Tcp(TcpStream),
}

impl Socket {
    /// Connects, blocking.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Forbidden`].
    pub fn connect(host: &Host) -> Result<Socket, Error> {
        let connected = match host {
            Host::Unix(path) => UnixStream::connect(path).map(Socket::Unix),
            Host::Tcp { host, port } => tcp(host, *port).map(Socket::Tcp),
        };
        connected.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Error::Forbidden { host: host.to_string() },
            _ => Error::Unreachable { host: host.to_string() },
        })
    }

    /// A second handle on the same socket.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn try_clone(&self) -> io::Result<Socket> {
        match self {
            Socket::Unix(stream) => stream.try_clone().map(Socket::Unix),
            Socket::Tcp(stream) => stream.try_clone().map(Socket::Tcp),
        }
    }

    /// Ends one or both directions for all handles.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Socket::Unix(stream) => stream.shutdown(how),
            Socket::Tcp(stream) => stream.shutdown(how),
        }
    }
}

fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => stream.read(buffer),
            Socket::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => stream.write(bytes),
            Socket::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Unix(stream) => stream.as_fd(),
            Socket::Tcp(stream) => stream.as_fd(),
        }
    }
}

/// How much one read asks for.
const READ: usize = 16 << 10;

/// A socket and the bytes read ahead from it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    buffer: Vec<u8>,
    /// Where the unused bytes of `buffer` begin.
    start: usize,
}

impl Connection {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, buffer: Vec::new(), start: 0 }
    }

    /// Whether an idle connection is still good: the daemon has neither closed it nor said anything unasked.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
        matches!(poll(&mut sockets, Some(&Timespec::default())), Ok(0))
    }

    /// Whether there is something to read (the connection's end, too), within this time.
    pub(crate) fn is_readable(&self, within: Duration) -> bool {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
        let time = Timespec { tv_sec: within.as_secs() as _, tv_nsec: within.subsec_nanos() as _ };
        !matches!(poll(&mut sockets, Some(&time)), Ok(0))
    }

    /// The bytes read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Marks `count` of them as used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
    }

    /// Reads more; 0 at the end of the stream.
    pub(crate) fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let used = self.buffer.len();
        self.buffer.resize(used + READ, 0);
        let count = loop {
            match self.socket.read(&mut self.buffer[used..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(used + *count.as_ref().unwrap_or(&0));
        count
    }

    /// Reads up to and including `end`, at most `limit` bytes, and hands the bytes over.
    pub(crate) fn read_until(&mut self, end: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let ahead = self.ahead();
            let from = usize::saturating_sub(searched, end.len());
            if let Some(at) = ahead[from..].windows(end.len()).position(|window| window == end) {
                let taken = ahead[..from + at + end.len()].to_vec();
                self.consume(taken.len());
                return Ok(taken);
            }
            searched = ahead.len();
            if searched > limit {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "malformed HTTP response"));
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Takes it apart: the socket, and what was read from it already.
    pub(crate) fn into_parts(self) -> (Socket, Vec<u8>) {
        let early = self.ahead().to_vec();
        (self.socket, early)
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead().is_empty() {
            if into.len() >= READ {
                return self.socket.read(into);
            }
            if self.fill()? == 0 {
                return Ok(0);
            }
        }
        let count = into.len().min(self.ahead().len());
        into[..count].copy_from_slice(&self.ahead()[..count]);
        self.consume(count);
        Ok(count)
    }
}
