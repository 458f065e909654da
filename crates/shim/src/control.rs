//! A daemon's control connection.

use crate::frame;
use crate::outbox::Outbox;
use crate::poller::{Interest, Poller, Registration, Token};
use crate::protocol::{Message, Request};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A daemon which lets so much of answers lie is none.
const MAX_UNREAD: usize = 8 << 20;
const READ: usize = 16 * 1024;

pub struct Control {
    pub id: u32,
    fd: OwnedFd,
    token: Token,
    received: Vec<u8>,
    /// Came along with what was received.
    fds: Vec<OwnedFd>,
    outbox: Outbox,
    registration: Registration,
    /// To be closed when all is sent.
    pub ending: bool,
}

impl Control {
    pub fn new(fd: OwnedFd, id: u32) -> Self {
        Self {
            id,
            fd,
            token: Token::Control(id),
            received: Vec::new(),
            fds: Vec::new(),
            outbox: Outbox::default(),
            registration: Registration::default(),
            ending: false,
        }
    }

    /// Receives what is there (waiting for it if the socket is blocking); false at the end.
    pub fn receive(&mut self) -> io::Result<bool> {
        let start = self.received.len();
        self.received.resize(start + READ, 0);
        let got = sys::scm::receive(&self.fd, &mut self.received[start..], &mut self.fds);
        self.received.truncate(start + *got.as_ref().unwrap_or(&0));
        Ok(got? > 0)
    }

    /// The next whole request.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        let request = frame::take(&mut self.received)?;
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        Ok(request)
    }

    /// The descriptors received so far.
    pub fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }

    /// Sends or queues a message.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        if self.outbox.len() > MAX_UNREAD {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outbox.send(&self.fd, [&frame::encode(message)?, &[]])
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.outbox.flush(&self.fd).map(drop)
    }

    pub fn has_pending(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Waits for what matters now.
    pub fn register(&mut self, poller: &Poller) {
        let mut wanted = Interest::IN;
        wanted.set(Interest::OUT, self.has_pending());
        self.registration.set(poller, &self.fd, self.token, Some(wanted));
    }

    /// Becomes a byte stream: the socket, what came on it behind the last request, and what it still has to be sent.
    pub fn into_stream(mut self, poller: &Poller) -> (OwnedFd, Vec<u8>, Outbox) {
        self.registration.set(poller, &self.fd, self.token, None);
        (self.fd, self.received, self.outbox)
    }

    pub fn close(mut self, poller: &Poller) {
        self.registration.set(poller, &self.fd, self.token, None);
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
