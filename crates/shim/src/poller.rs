//! epoll, and what each descriptor in it means: <https://man7.org/linux/man-pages/man7/epoll.7.html>

use crate::stream::Stream;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

pub use epoll::EventFlags as Interest;

/// What a descriptor is to the shim. Session and client numbers are never used twice, so that an event which was fetched
/// before its owner went can't meet another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Listener,
    Children,
    Oom,
    Control(u32),
    Output(u32, Stream),
    Input(u32),
    Client { session: u32, client: u32 },
}

/// 4 bits kind, 28 bits session, 32 bits client or connection.
const SESSION_SHIFT: u32 = 32;
const KIND_SHIFT: u32 = 60;
const SESSION_MASK: u64 = (1 << (KIND_SHIFT - SESSION_SHIFT)) - 1;

impl Token {
    fn to_bits(self) -> u64 {
        let (kind, session, rest) = match self {
            Self::Listener => (0, 0, 0),
            Self::Children => (1, 0, 0),
            Self::Oom => (2, 0, 0),
            Self::Control(id) => (3, 0, id),
            Self::Output(session, stream) => (4, session, stream.index() as u32),
            Self::Input(session) => (5, session, 0),
            Self::Client { session, client } => (6, session, client),
        };
        kind << KIND_SHIFT | (u64::from(session) & SESSION_MASK) << SESSION_SHIFT | u64::from(rest)
    }

    fn from_bits(bits: u64) -> Option<Self> {
        let session = (bits >> SESSION_SHIFT & SESSION_MASK) as u32;
        let rest = bits as u32;
        Some(match bits >> KIND_SHIFT {
            0 => Self::Listener,
            1 => Self::Children,
            2 => Self::Oom,
            3 => Self::Control(rest),
            4 => Self::Output(session, *Stream::ALL.get(rest as usize)?),
            5 => Self::Input(session),
            6 => Self::Client { session, client: rest },
            _ => return None,
        })
    }
}

/// Level-triggered.
pub struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    pub fn add(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token.to_bits()), interest)?)
    }

    pub fn modify(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token.to_bits()), interest)?)
    }

    /// To be called before closing: the kernel forgets a descriptor by itself only when no other process has it too.
    pub fn remove(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits for events; none when the time is over.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<(Token, Interest)>> {
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); 16];
        let timeout = timeout.map(|t| Timespec { tv_sec: t.as_secs() as _, tv_nsec: t.subsec_nanos() as _ });
        let (events, _) = match epoll::wait(&self.epoll, &mut buffer, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(Vec::new()),
            other => other?,
        };
        Ok(events.iter().filter_map(|e| Some((Token::from_bits(e.data.u64())?, e.flags))).collect())
    }
}

/// One descriptor's place in the [`Poller`], so that only changes reach the kernel.
#[derive(Debug, Default)]
pub struct Registration {
    current: Option<Interest>,
}

impl Registration {
    /// Makes the interest `wanted`; None takes the descriptor out (else hang-ups would still be told).
    pub fn set(&mut self, poller: &Poller, fd: impl AsFd, token: Token, wanted: Option<Interest>) {
        if self.current == wanted {
            return;
        }
        let done = match (self.current, wanted) {
            (None, Some(interest)) => poller.add(fd, token, interest).is_ok(),
            (Some(_), Some(interest)) => poller.modify(fd, token, interest).is_ok(),
            (_, None) => {
                poller.remove(fd);
                true
            }
        };
        if done {
            self.current = wanted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [
            Token::Listener,
            Token::Children,
            Token::Oom,
            Token::Control(u32::MAX),
            Token::Output(0, Stream::Stdout),
            Token::Output(0xfff_ffff, Stream::Stderr),
            Token::Input(7),
            Token::Client { session: 3, client: u32::MAX },
        ] {
            assert_eq!(Token::from_bits(token.to_bits()), Some(token));
        }
        assert_eq!(Token::from_bits(u64::MAX), None);
    }
}
