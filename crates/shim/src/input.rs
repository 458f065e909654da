//! The shim's end of a process' standard input.

use crate::outbox::Outbox;
use crate::poller::{Interest, Poller, Registration, Token};
use std::os::fd::OwnedFd;

/// A non-blocking pipe (or terminal) and what it has not taken.
pub struct Input {
    fd: OwnedFd,
    token: Token,
    outbox: Outbox,
    registration: Registration,
    /// To be closed once all is written.
    closing: bool,
}

/// What became of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Open,
    /// Written to its end, or nobody reads it any more.
    Over,
}

impl Input {
    pub fn new(fd: OwnedFd, session: u32) -> Self {
        Self {
            fd,
            token: Token::Input(session),
            outbox: Outbox::default(),
            registration: Registration::default(),
            closing: false,
        }
    }

    /// Nothing more should be handed in before the process reads.
    pub fn is_blocked(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub fn write(&mut self, data: &[u8]) -> Fate {
        self.outbox.push(data);
        self.flush()
    }

    /// Ends the input behind what was written.
    pub fn close(&mut self) -> Fate {
        self.closing = true;
        self.flush()
    }

    pub fn flush(&mut self) -> Fate {
        match self.outbox.flush_to_file(&self.fd) {
            Ok(_) if self.closing && self.outbox.is_empty() => Fate::Over,
            Ok(_) => Fate::Open,
            Err(_) => Fate::Over,
        }
    }

    pub fn register(&mut self, poller: &Poller) {
        let wanted = self.is_blocked().then_some(Interest::OUT);
        self.registration.set(poller, &self.fd, self.token, wanted);
    }

    pub fn unregister(&mut self, poller: &Poller) {
        self.registration.set(poller, &self.fd, self.token, None);
    }
}
