//! What makes DNS possible inside a container: sockets in its namespace for the daemon to serve.
//!
//! Port 53 stays free for the container's own programs (a name server is a popular image): the sockets have ports of
//! their own, and a rule in the container's namespace leads what is sent to 127.0.0.11:53 there, as Docker does it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use netlink::Socket;
use netlink::nft::{self, Base, Chain, Element, Family, Field, Hook, Key, Kind, NatKey, Policy, Rule, Set, Table};
use values::{Error, Result};

use crate::bridge::failed;
use crate::flows;

/// Where containers on networks of their own ask for names.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
/// Above what ip_local_port_range has by default.
const FIRST_PORT: u16 = 61_000;
/// Its name says where it leads, so that one that is right is known by it: `lighter_dns_UDP_TCP`.
const TABLE: &str = "lighter_dns";
const MAP: &str = "servers";
/// `dstnat` of nft(8).
const DESTINATION_NAT: i32 = -100;

/// Non-blocking sockets.
#[derive(Debug)]
pub struct Sockets {
    pub udp: OwnedFd,
    pub tcp: OwnedFd,
}

/// For the namespace of the calling thread. What an earlier daemon had there is replaced, on the same port: a program that
/// asks by one socket for ever (nginx, a resolver of the container's own) has a flow there that the kernel goes on following.
pub(crate) fn open() -> Result<Sockets> {
    let io = |e: std::io::Error| Error::internal(format!("open sockets for DNS: {e}"));
    let at = |port: u16| {
        let at = SocketAddrV4::new(ADDRESS, port);
        UdpSocket::bind(at).and_then(|udp| Ok((udp, TcpListener::bind(at)?)))
    };
    let own = own_port()?;
    let (udp, tcp) = match at(own) {
        Ok(both) => both,
        // a program of the container's has it
        Err(_) => at(0).map_err(io)?,
    };
    udp.set_nonblocking(true).map_err(io)?;
    tcp.set_nonblocking(true).map_err(io)?;
    let ports = [
        (libc::IPPROTO_UDP, port(udp.local_addr().map_err(io)?)),
        (libc::IPPROTO_TCP, port(tcp.local_addr().map_err(io)?)),
    ];
    lead(&redirection(ports)).map_err(failed)?;
    if ports[0].1 != own {
        flows::left_behind(SocketAddr::new(ADDRESS.into(), PORT), SocketAddr::new(ADDRESS.into(), ports[0].1))
            .map_err(failed)?;
    }
    Ok(Sockets { udp: udp.into(), tcp: tcp.into() })
}

/// Makes `wanted` the only one of its kind. Where an earlier daemon has left it there is nothing to do: a thousand
/// containers are served again in no time.
fn lead(wanted: &Table) -> netlink::Result<()> {
    let mut socket = Socket::netfilter()?;
    let present = nft::tables(&mut socket, wanted.family)?;
    let (right, wrong): (Vec<_>, Vec<_>) =
        present.into_iter().filter(|name| name.starts_with(TABLE)).partition(|name| *name == wanted.name);
    if right.is_empty() {
        nft::create(&mut socket, wanted)?;
    }
    wrong.iter().try_for_each(|name| nft::delete(&mut socket, wanted.family, name))
}

/// The same for the namespace as long as it lives, and none that the kernel gives out by itself.
fn own_port() -> Result<u16> {
    let namespace = std::fs::metadata("/proc/thread-self/ns/net");
    let number = namespace.map_err(|e| Error::internal(format!("look at network namespace: {e}")))?.ino();
    Ok(FIRST_PORT + (number % u64::from(u16::MAX - FIRST_PORT)) as u16)
}

fn port(address: SocketAddr) -> u16 {
    address.port()
}

/// `dnat ip to meta l4proto . ip daddr . th dport map { udp . 127.0.0.11 . 53 : 127.0.0.11 . PORT, … }`
fn redirection(ports: [(libc::c_int, u16); 2]) -> Table {
    let element = |(protocol, port): (libc::c_int, u16)| {
        let key = Key::default().protocol(protocol as u8).ip(ADDRESS.into()).port(PORT);
        Element::mapped(key, Key::default().ip(ADDRESS.into()).port(port))
    };
    let map = Set {
        name: MAP.into(),
        key: vec![Field::Protocol, Field::Ipv4, Field::Port],
        data: Some(vec![Field::Ipv4, Field::Port]),
        interval: false,
        elements: ports.into_iter().map(element).collect(),
    };
    let base = Base { kind: Kind::Nat, hook: Hook::Output, priority: DESTINATION_NAT, policy: Policy::Accept };
    let rules = vec![Rule::new().destination_nat(Family::Ipv4, NatKey::Address, MAP)];
    let chain = Chain { name: "output".into(), base: Some(base), rules };
    let name = format!("{TABLE}_{}_{}", ports[0].1, ports[1].1);
    Table { family: Family::Ipv4, name, owned: false, sets: vec![map], chains: vec![chain] }
}
