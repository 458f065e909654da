//! Ports that the kernel cannot lead to a container: those of `[::1]`, and of IPv6 where the container has none.
//!
//! One task serves all of them by one epoll(7), which is a descriptor that can be waited for like any other: a thousand
//! ports cost little more than their sockets.

mod connection;
mod datagrams;

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use network::{Protocol, Relay};
use rustix::event::{Timespec, epoll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::Instant;
use values::{Result, ResultExt};

use datagrams::{Inbound, Senders};

/// Events of one round, and of one socket in it: then others have their turn.
const AT_ONCE: usize = 64;
/// For a descriptor to be free again.
const NONE_LEFT: Duration = Duration::from_millis(50);
const NO_WAITING: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const DATAGRAM: usize = 65_535;

/// All ports that are relayed.
#[derive(Default)]
pub struct Relays(OnceLock<Arc<Served>>);

/// Some ports, served until this is dropped: then their sockets are closed, and their connections end.
pub struct Group {
    served: Arc<Served>,
    number: u32,
}

struct Served {
    epoll: AsyncFd<OwnedFd>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    groups: HashMap<u32, Ports>,
    /// Of the group made last. 0 is none's: it stands for the senders.
    last: u32,
    senders: Senders,
}

struct Ports {
    ports: Box<[Port]>,
    /// When this is dropped connections end.
    alive: watch::Sender<()>,
}

struct Port {
    target: SocketAddr,
    socket: Socket,
}

enum Socket {
    Listener(TcpListener),
    Datagrams(Box<Inbound>),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Listener(listener) => listener.as_fd(),
            Socket::Datagrams(inbound) => inbound.socket.as_fd(),
        }
    }
}

/// What an event is about, as the number that epoll keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Port { group: u32, index: u32 },
    Sender(u32),
}

impl About {
    fn data(self) -> epoll::EventData {
        let number = match self {
            About::Port { group, index } => u64::from(group) << 32 | u64::from(index),
            About::Sender(number) => u64::from(number),
        };
        epoll::EventData::new_u64(number)
    }

    fn of(data: epoll::EventData) -> Self {
        let number = data.u64();
        let low = number as u32;
        match (number >> 32) as u32 {
            0 => About::Sender(low),
            group => About::Port { group, index: low },
        }
    }
}

/// What came of a round.
#[derive(PartialEq, Eq)]
enum Round {
    Idle,
    /// There may be more to do.
    More,
    /// There are no descriptors.
    Full,
}

impl Relays {
    /// Serves some ports. Needs a runtime.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begin(&self, relays: Vec<Relay>) -> Result<Group> {
        let served = self.served()?;
        let mut table = served.table();
        table.last = table.last.checked_add(1).unwrap_or(1);
        let number = table.last;
        let ports = relays.into_iter().map(Port::of).collect();
        table.groups.insert(number, Ports { ports, alive: watch::Sender::new(()) });
        drop(table);
        // if it cannot be watched it is dropped, and so forgotten
        let group = Group { served: served.clone(), number };
        served.watch(number)?;
        Ok(group)
    }

    fn served(&self) -> Result<&Arc<Served>> {
        if let Some(served) = self.0.get() {
            return Ok(served);
        }
        let made = Arc::new(Served { epoll: open().during(|| "epoll")?, table: Mutex::default() });
        Ok(self.0.get_or_init(|| {
            tokio::spawn(serve(made.clone()));
            made
        }))
    }
}

impl Port {
    fn of(Relay { protocol, socket, target }: Relay) -> Self {
        let socket = match protocol {
            Protocol::Udp => Socket::Datagrams(Box::new(Inbound::new(socket.into()))),
            Protocol::Tcp | Protocol::Sctp => Socket::Listener(socket.into()),
        };
        Self { target, socket }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut table = self.served.table();
        let Some(ports) = table.groups.remove(&self.number) else { return };
        table.senders.forget_group(self.number);
        drop(table);
        for port in &ports.ports {
            // others hold the socket as well: closing ours would not take it out
            let _ = epoll::delete(self.served.epoll.get_ref(), &port.socket);
        }
    }
}

fn open() -> io::Result<AsyncFd<OwnedFd>> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    #[expect(deprecated, reason = "unsound only for types whose descriptor changes; the successor is unsafe")]
    AsyncFd::with_interest(epoll, Interest::READABLE)
}

impl Table {
    fn forget_quiet(&mut self, now: Instant) {
        self.senders.forget_quiet(now);
        for port in self.groups.values_mut().flat_map(|ports| &mut ports.ports) {
            if let Socket::Datagrams(inbound) = &mut port.socket {
                inbound.agree(&self.senders);
            }
        }
    }
}

impl Served {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, group: u32) -> Result<()> {
        let table = self.table();
        for (index, port) in table.groups.get(&group).iter().flat_map(|ports| ports.ports.iter()).enumerate() {
            let about = About::Port { group, index: index as u32 };
            epoll::add(self.epoll.get_ref(), &port.socket, about.data(), epoll::EventFlags::IN)
                .map_err(io::Error::from)
                .during(|| "epoll")?;
        }
        Ok(())
    }

    /// Does what there is to do now.
    fn round(&self, buffer: &mut [u8]) -> Round {
        let mut events = [const { MaybeUninit::uninit() }; AT_ONCE];
        let events = match epoll::wait(self.epoll.get_ref(), &mut events, Some(&NO_WAITING)) {
            Ok(([], _)) => return Round::Idle,
            Ok((events, _)) => events,
            Err(_) => return Round::More,
        };
        let mut full = false;
        let mut table = self.table();
        let Table { groups, senders, .. } = &mut *table;
        for event in events {
            match About::of(event.data) {
                About::Sender(number) => senders.answer(number, buffer, |group, index| {
                    let Socket::Datagrams(inbound) = &groups.get(&group)?.ports.get(index as usize)?.socket else {
                        return None;
                    };
                    Some(&inbound.socket)
                }),
                About::Port { group, index } => {
                    // it may have ended just now
                    let Some(Ports { ports, alive }) = groups.get_mut(&group) else { continue };
                    let Some(Port { target, socket }) = ports.get_mut(index as usize) else { continue };
                    match socket {
                        Socket::Listener(listener) => full |= connection::accept(listener, *target, alive).is_err(),
                        Socket::Datagrams(inbound) => {
                            senders.pass(inbound, *target, (group, index), buffer, self.epoll.get_ref());
                        }
                    }
                }
            }
        }
        if full { Round::Full } else { Round::More }
    }
}

async fn serve(served: Arc<Served>) {
    // not touched where no port is one of datagrams
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let oldest = served.table().senders.next_end();
        tokio::select! {
            guard = served.epoll.readable() => {
                let Ok(mut guard) = guard else { return };
                match served.round(&mut buffer) {
                    Round::Idle => guard.clear_ready(),
                    Round::More => tokio::task::yield_now().await,
                    Round::Full => tokio::time::sleep(NONE_LEFT).await,
                }
            }
            () = tokio::time::sleep_until(oldest.unwrap_or_else(Instant::now)), if oldest.is_some() => {
                served.table().forget_quiet(Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests;
