//! Bytes which a peer has not taken yet.

use rustix::io::Errno;
use rustix::net::SendFlags;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

/// A queue in front of a socket or pipe that would block. It has memory only while there is something in it.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// How much of `bytes` is gone already.
    sent: usize,
}

impl Outbox {
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn push(&mut self, data: &[u8]) {
        if self.sent > 0 && self.bytes.len() + data.len() > self.bytes.capacity() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sends `parts` over the socket behind what is queued, and queues what it doesn't take.
    pub fn send(&mut self, socket: impl AsFd, parts: [&[u8]; 2]) -> io::Result<()> {
        let mut skip = 0;
        if self.is_empty() {
            skip = send_parts(socket, parts)?;
        }
        for part in parts {
            let gone = skip.min(part.len());
            self.push(&part[gone..]);
            skip -= gone;
        }
        Ok(())
    }

    /// Sends what the socket takes now; answers how much that was.
    pub fn flush(&mut self, socket: impl AsFd) -> io::Result<usize> {
        self.drain(|rest| rustix::net::send(&socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL))
    }

    /// The same for a non-blocking pipe or terminal.
    pub fn flush_to_file(&mut self, file: impl AsFd) -> io::Result<usize> {
        self.drain(|rest| rustix::io::write(&file, rest))
    }

    fn drain(&mut self, mut write: impl FnMut(&[u8]) -> rustix::io::Result<usize>) -> io::Result<usize> {
        let before = self.len();
        while !self.is_empty() {
            match write(&self.bytes[self.sent..]) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(n) => self.sent += n,
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let taken = before - self.len();
        if self.is_empty() {
            self.clear();
        }
        Ok(taken)
    }
}

fn send_parts(socket: impl AsFd, [first, second]: [&[u8]; 2]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    loop {
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        match rustix::net::sendmsg(&socket, &slices, &mut Default::default(), flags) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(0),
            other => return Ok(other?),
        }
    }
}
