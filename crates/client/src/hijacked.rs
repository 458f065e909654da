//! A connection after its upgrade: raw bytes both ways.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::connection::Socket;
use crate::reply::Head;

/// Both directions of an upgraded connection.
#[derive(Debug)]
pub struct Hijacked {
    socket: Socket,
    early: Vec<u8>,
    head: Head,
}

impl Hijacked {
    pub(crate) fn new(socket: Socket, early: Vec<u8>, head: Head) -> Self {
        Self { socket, early, head }
    }

    /// The `Content-Type` the daemon announced: multiplexed or raw.
    pub fn content_type(&self) -> &str {
        self.head.field("content-type").unwrap_or_default()
    }

    /// Whether the daemon says that stdout and stderr come in frames (API 1.42 and later say so).
    pub fn is_multiplexed(&self) -> bool {
        self.content_type() == "application/vnd.docker.multiplexed-stream"
    }

    /// The two directions, for two threads.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn split(self) -> io::Result<(ReadHalf, WriteHalf)> {
        let writer = WriteHalf { socket: self.socket.try_clone()? };
        Ok((ReadHalf { early: io::Cursor::new(self.early), socket: self.socket }, writer))
    }
}

/// What the daemon sends.
#[derive(Debug)]
pub struct ReadHalf {
    early: io::Cursor<Vec<u8>>,
    socket: Socket,
}

impl Read for ReadHalf {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.early.read(into)? {
            0 => self.socket.read(into),
            count => Ok(count),
        }
    }
}

/// What the daemon is sent.
#[derive(Debug)]
pub struct WriteHalf {
    socket: Socket,
}

impl WriteHalf {
    /// Tells the daemon that no more comes; its bytes still arrive.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn close(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Ends both directions: the reader sees the end as well.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn abort(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Both)
    }
}

impl Write for WriteHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
