//! Datagrams: a socket for each sender, so that answers find back.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll;
use tokio::time::Instant;

use super::{AT_ONCE, About};

/// An answer is waited for as long as the kernel keeps a one-sided flow (nf_conntrack_udp_timeout_stream).
const QUIET: Duration = Duration::from_secs(120);
/// How exactly.
const PAUSE: Duration = Duration::from_secs(10);
/// Senders to one port that are served at once.
const MOST: usize = 4096;

/// A port's socket and who sends to it.
pub(super) struct Inbound {
    pub(super) socket: UdpSocket,
    senders: HashMap<SocketAddr, u32>,
}

impl Inbound {
    pub(super) fn new(socket: UdpSocket) -> Self {
        Self { socket, senders: HashMap::new() }
    }

    /// Forgets who is not there any more.
    pub(super) fn agree(&mut self, senders: &Senders) {
        self.senders.retain(|_, number| senders.by_number.contains_key(number));
    }
}

/// The senders to all ports.
#[derive(Default)]
pub(super) struct Senders {
    by_number: HashMap<u32, Sender>,
    last: u32,
    /// When to look for quiet ones.
    next: Option<Instant>,
}

struct Sender {
    /// Group and index.
    port: (u32, u32),
    address: SocketAddr,
    /// Connected to the container.
    socket: UdpSocket,
    answered: Instant,
}

impl Senders {
    /// Passes on what has come for a port. What cannot be passed on is lost, as datagrams are.
    pub(super) fn pass(
        &mut self,
        inbound: &mut Inbound,
        target: SocketAddr,
        port: (u32, u32),
        buffer: &mut [u8],
        epoll: &OwnedFd,
    ) {
        for _ in 0..AT_ONCE {
            let (length, from) = match inbound.socket.recv_from(buffer) {
                Ok(received) => received,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // what an earlier one came to
                Err(_) => continue,
            };
            let known = inbound.senders.get(&from).copied().filter(|number| self.by_number.contains_key(number));
            let number = match known {
                Some(number) => number,
                None if inbound.senders.len() >= MOST => continue,
                None => {
                    let Ok(number) = self.enter(from, target, port, epoll) else { continue };
                    inbound.senders.insert(from, number);
                    number
                }
            };
            if let Some(sender) = self.by_number.get(&number) {
                let _ = sender.socket.send(&buffer[..length]);
            }
        }
    }

    fn enter(&mut self, address: SocketAddr, target: SocketAddr, port: (u32, u32), epoll: &OwnedFd) -> io::Result<u32> {
        let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(target)?;
        socket.set_nonblocking(true)?;
        self.last = self.last.wrapping_add(1);
        epoll::add(epoll, &socket, About::Sender(self.last).data(), epoll::EventFlags::IN)?;
        let now = Instant::now();
        self.by_number.insert(self.last, Sender { port, address, socket, answered: now });
        self.next.get_or_insert(now + PAUSE);
        Ok(self.last)
    }

    /// Passes back what the container has answered to a sender, by the socket of the port, which `of_port` knows.
    pub(super) fn answer<'a>(
        &mut self,
        number: u32,
        buffer: &mut [u8],
        of_port: impl FnOnce(u32, u32) -> Option<&'a UdpSocket>,
    ) {
        let Some(sender) = self.by_number.get_mut(&number) else { return };
        let Some(back) = of_port(sender.port.0, sender.port.1) else { return };
        for _ in 0..AT_ONCE {
            match sender.socket.recv(buffer) {
                Ok(length) => {
                    sender.answered = Instant::now();
                    let _ = back.send_to(&buffer[..length], sender.address);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // nobody listens there
                Err(_) => {}
            }
        }
    }

    /// When to [forget](Self::forget_quiet) some.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn forget_quiet(&mut self, now: Instant) {
        self.by_number.retain(|_, sender| now.duration_since(sender.answered) < QUIET);
        self.next = (!self.by_number.is_empty()).then_some(now + PAUSE);
    }

    pub(super) fn forget_group(&mut self, group: u32) {
        self.by_number.retain(|_, sender| sender.port.0 != group);
    }
}
