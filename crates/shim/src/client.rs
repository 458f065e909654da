//! Somebody attached to a process: a stream socket towards the daemon.

use crate::outbox::Outbox;
use crate::poller::{Interest, Poller, Registration, Token};
use crate::protocol::Attach;
use crate::stream::Stream;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// What is queued for a client that doesn't read.
pub const QUEUE: usize = 1 << 20;

pub struct Client {
    pub id: u32,
    pub wants: Attach,
    fd: OwnedFd,
    token: Token,
    outbox: Outbox,
    registration: Registration,
    /// Its input is still open and wanted.
    pub reading: bool,
    /// Both directions are closed from the other side; only bytes it sent before may be left.
    pub gone: bool,
    /// Nothing more will be queued: it is let go when it has all.
    pub ending: bool,
    /// When it last took something.
    pub progress: Instant,
}

/// What came from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The buffer has new bytes.
    Bytes,
    Nothing,
    /// The end of its input.
    End,
}

impl Client {
    /// `outbox`: what it has to be sent first.
    pub fn new(fd: OwnedFd, id: u32, session: u32, wants: Attach, outbox: Outbox) -> Self {
        Self {
            id,
            reading: wants.stdin,
            wants,
            fd,
            token: Token::Client { session, client: id },
            outbox,
            registration: Registration::default(),
            gone: false,
            ending: false,
            progress: Instant::now(),
        }
    }

    pub fn wants(&self, stream: Stream) -> bool {
        !self.ending
            && !self.gone
            && match stream {
                Stream::Stdout => self.wants.stdout,
                Stream::Stderr => self.wants.stderr,
            }
    }

    pub fn is_full(&self) -> bool {
        self.outbox.len() >= QUEUE
    }

    pub fn has_pending(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Sends or queues output; `header` may be empty. An error means that the client is dead.
    pub fn deliver(&mut self, header: &[u8], payload: &[u8]) -> io::Result<()> {
        if self.outbox.len() > 4 * QUEUE {
            // Reached only when a process that outlives the container floods: there is no holding back then.
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        if self.outbox.is_empty() {
            self.progress = Instant::now();
        }
        self.outbox.send(&self.fd, [header, payload])
    }

    pub fn flush(&mut self) -> io::Result<()> {
        if self.outbox.flush(&self.fd)? > 0 {
            self.progress = Instant::now();
        }
        Ok(())
    }

    /// Appends what the client sent to `buffer`, as far as its capacity goes.
    pub fn receive(&mut self, buffer: &mut Vec<u8>) -> Received {
        loop {
            return match rustix::net::recv(&self.fd, spare_capacity(buffer), RecvFlags::DONTWAIT) {
                Ok((0, _)) => Received::End,
                Ok(_) => Received::Bytes,
                Err(Errno::AGAIN) => Received::Nothing,
                Err(Errno::INTR) => continue,
                // It closed without having read everything; what it sent before can still be had.
                Err(Errno::CONNRESET) if !self.gone => {
                    self.gone = true;
                    continue;
                }
                Err(_) => Received::End,
            };
        }
    }

    /// Nobody is there to read: what is queued is void.
    pub fn mark_gone(&mut self) {
        self.gone = true;
        self.outbox.clear();
    }

    /// Waits for what matters now. `blocked`: the process doesn't read its input.
    pub fn register(&mut self, poller: &Poller, blocked: bool) {
        let mut wanted = Interest::empty();
        wanted.set(Interest::IN, self.reading && !blocked);
        wanted.set(Interest::OUT, self.has_pending());
        // A hang-up is told again and again: no waiting for one that can't be acted on.
        let wanted = (!self.gone || !wanted.is_empty()).then_some(wanted);
        self.registration.set(poller, &self.fd, self.token, wanted);
    }

    /// Takes it out of the poller and closes both directions.
    pub fn close(mut self, poller: &Poller) {
        self.registration.set(poller, &self.fd, self.token, None);
        let _ = rustix::net::shutdown(&self.fd, Shutdown::Both);
        // Unread input would turn the end of file, which the other side is to see, into a reset.
        let mut scrap = [0; 4096];
        while matches!(rustix::net::recv(&self.fd, &mut scrap[..], RecvFlags::DONTWAIT), Ok((1.., _))) {}
    }
}
