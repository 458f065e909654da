//! The wire between the parent and the process being set up: a socket pair, closed at exec.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// What the child says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// This step failed.
    Failed { step: usize, errno: Errno },
    /// It is at a `Meet` step and waits.
    Met,
    /// It goes on as this process, and waits.
    Entered { pid: i32 },
    /// Its filter asks somebody, by this descriptor of its; and it waits.
    Listening { fd: RawFd },
    /// Everything is done.
    Ready,
    /// It ended or executed its program.
    Gone,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End(OwnedFd);

/// The parent's end, the child's end.
pub(crate) fn pair() -> Result<(End, End), Errno> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((End(ours), End(theirs)))
}

impl End {
    /// Child: say something.
    pub(crate) fn say(&self, word: Word) -> Result<(), Errno> {
        let (kind, step, errno) = match word {
            Word::Failed { step, errno } => (1, step as u32, errno.raw_os_error()),
            Word::Met => (2, 0, 0),
            Word::Ready => (3, 0, 0),
            Word::Entered { pid } => (4, 0, pid),
            Word::Listening { fd } => (5, 0, fd),
            Word::Gone => return Ok(()),
        };
        let mut message = [0u8; 12];
        message[..4].copy_from_slice(&u32::to_ne_bytes(kind));
        message[4..8].copy_from_slice(&step.to_ne_bytes());
        message[8..].copy_from_slice(&errno.to_ne_bytes());
        retry(|| rustix::io::write(&self.0, &message)).map(drop)
    }

    /// Child: wait for the parent; an error when it is gone.
    pub(crate) fn wait(&self) -> Result<(), Errno> {
        let mut byte = [0u8; 1];
        match retry(|| rustix::io::read(&self.0, &mut byte))? {
            0 => Err(Errno::PIPE),
            _ => Ok(()),
        }
    }

    /// Parent: let the child go on.
    pub(crate) fn release(&self) -> Result<(), Errno> {
        retry(|| rustix::net::send(&self.0, &[1], rustix::net::SendFlags::NOSIGNAL)).map(drop)
    }

    /// Parent: the child's next word; TIMEDOUT when it says nothing for so long.
    pub(crate) fn listen(&self, patience: Duration) -> Result<Word, Errno> {
        self.wait_until(Instant::now() + patience)?;
        let mut message = [0u8; 12];
        let length = retry(|| rustix::io::read(&self.0, &mut message))?;
        if length < message.len() {
            return Ok(Word::Gone);
        }
        let number = |at: usize| u32::from_ne_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]]);
        Ok(match number(0) {
            1 => Word::Failed { step: number(4) as usize, errno: Errno::from_raw_os_error(number(8) as i32) },
            2 => Word::Met,
            3 => Word::Ready,
            4 => Word::Entered { pid: number(8) as i32 },
            5 => Word::Listening { fd: number(8) as i32 },
            _ => Word::Gone,
        })
    }
}

impl End {
    fn wait_until(&self, until: Instant) -> Result<(), Errno> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match rustix::event::poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Err(Errno::TIMEDOUT),
                Err(Errno::INTR) => {}
                other => return other.map(drop),
            }
        }
    }
}

impl AsRawFd for End {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            // A child that failed without having read our release resets the connection; what it said is still there.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            other => return other,
        }
    }
}
