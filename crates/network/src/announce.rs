//! Containers' addresses told to their neighbours without being asked (RFC 5227 §3, RFC 4861 §7.2.6): one that remembers another
//! hardware address, of a container which had that address before, would send there until it notices.
//!
//! Most need none of it: a hardware address follows from the IPv4 address where nothing else was asked for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use values::{Error, Result};

const STACK: usize = 128 * 1024;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const BROADCAST: [u8; 6] = [0xff; 6];
/// Of `ff02::1`.
const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES_IP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;

/// A container on a network, by their ids.
type Key = (String, String);

/// What is to be told, how often and after which time again.
pub(crate) struct Announcement {
    /// Of the container's namespace.
    pub(crate) socket: OwnedFd,
    pub(crate) link: u32,
    pub(crate) mac: [u8; 6],
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) times: u32,
    pub(crate) every: Duration,
}

/// A thread that tells. It is there from the first announcement on.
#[derive(Default)]
pub(crate) struct Announcer(Mutex<Option<Sender<Order>>>);

enum Order {
    Begin(Key, Announcement),
    End(Key),
}

impl Announcer {
    pub(crate) fn begin(&self, container: &str, network: &str, what: Announcement) -> Result<()> {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = match &mut *orders {
            Some(orders) => orders,
            none => none.insert(start()?),
        };
        let gone = |_| Error::internal("the announcements' thread has ended");
        orders.send(Order::Begin((container.into(), network.into()), what)).map_err(gone)
    }

    /// It is there no more.
    pub(crate) fn end(&self, container: &str, network: &str) {
        if let Some(orders) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = orders.send(Order::End((container.into(), network.into())));
        }
    }
}

fn start() -> Result<Sender<Order>> {
    let (orders, queue) = mpsc::channel();
    let builder = std::thread::Builder::new().name("announcements".into()).stack_size(STACK);
    builder.spawn(move || run(&queue)).map_err(|e| Error::internal(format!("start thread: {e}")))?;
    Ok(orders)
}

fn run(queue: &Receiver<Order>) {
    let mut all: HashMap<Key, (Instant, Announcement)> = HashMap::new();
    loop {
        let next = all.values().map(|(at, _)| *at).min();
        let order = match next {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => queue.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match order {
            Ok(Order::Begin(key, what)) => drop(all.insert(key, (Instant::now(), what))),
            Ok(Order::End(key)) => drop(all.remove(&key)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        all.retain(|_, (at, what)| {
            if *at <= now {
                what.tell();
                what.times -= 1;
                *at = now + what.every;
            }
            what.times > 0
        });
    }
}

impl Announcement {
    /// What cannot be sent, because the container has set its link down, is not missed.
    fn tell(&self) {
        for ip in &self.addresses {
            let (to, protocol, message) = match ip {
                IpAddr::V4(ip) => (BROADCAST, ARP, announcement(self.mac, *ip)),
                IpAddr::V6(ip) => (ALL_NODES, IPV6, advertisement(self.mac, *ip)),
            };
            let _ = sys::packet::send(&self.socket, self.link, to, protocol, &message);
        }
    }
}

/// An ARP request for its own address (RFC 5227 §2.3).
fn announcement(mac: [u8; 6], ip: Ipv4Addr) -> Vec<u8> {
    // Ethernet, IPv4, the lengths of their addresses, a request
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    [&head[..], &mac, &ip.octets(), &[0; 6], &ip.octets()].concat()
}

/// An unsolicited neighbour advertisement that overrides what is known (RFC 4861 §4.4), in its IPv6 packet.
fn advertisement(mac: [u8; 6], ip: Ipv6Addr) -> Vec<u8> {
    const OVERRIDE: u8 = 0x20;
    let (target, mut message) = (ip.octets(), vec![136, 0, 0, 0, OVERRIDE, 0, 0, 0]);
    message.extend_from_slice(&target);
    // the target's hardware address, in units of eight bytes
    message.extend_from_slice(&[2, 1]);
    message.extend_from_slice(&mac);
    let length = message.len() as u8;
    let pseudo = [&target[..], &ALL_NODES_IP.octets(), &[0, 0, 0, length, 0, 0, 0, ICMPV6], &message].concat();
    message[2..4].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    // version 6, the length, what follows, 255 hops: from no other network
    let head = [0x60, 0, 0, 0, 0, length, ICMPV6, 255];
    [&head[..], &target, &ALL_NODES_IP.octets(), &message].concat()
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let mac = [2, 0x42, 10, 0, 0, 7];
        let arp = announcement(mac, [10, 0, 0, 7].into());
        assert_eq!(arp.len(), 28);
        assert_eq!((&arp[8..14], &arp[14..18], &arp[24..28]), (&mac[..], &[10, 0, 0, 7][..], &[10, 0, 0, 7][..]));
        let ip: Ipv6Addr = "fd00::7".parse().unwrap();
        let packet = advertisement(mac, ip);
        assert_eq!((packet.len(), packet[5], packet[7], packet[40], packet[44]), (72, 32, 255, 136, 0x20));
        assert_eq!((&packet[48..64], &packet[66..72]), (&ip.octets()[..], &mac[..]));
        // with its checksum in it a message sums up to nothing
        let pseudo = [&packet[8..40], &[0, 0, 0, 32, 0, 0, 0, ICMPV6], &packet[40..]].concat();
        assert_eq!(checksum(&pseudo), 0);
    }
}
