//! What makes DNS possible inside a container: sockets in its namespace for the daemon to serve.
//!
//! Port 53 stays free for the container's own programs (a name server is a popular image): the sockets have ports of
//! their own, and a rule in the container's namespace leads what is sent to 127.0.0.11:53 there, as Docker does it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use netlink::Socket;
use netlink::nft::{self, Base, Chain, Element, Family, Field, Hook, Key, Kind, NatKey, Policy, Rule, Set, Table};
use values::{Error, Result};

use crate::bridge::failed;

/// Where containers on networks of their own ask for names.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
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

/// For the namespace of the calling thread. What an earlier daemon had there is replaced.
pub(crate) fn open() -> Result<Sockets> {
    let io = |e: std::io::Error| Error::internal(format!("open sockets for DNS: {e}"));
    let any = SocketAddrV4::new(ADDRESS, 0);
    let (udp, tcp) = (UdpSocket::bind(any).map_err(io)?, TcpListener::bind(any).map_err(io)?);
    udp.set_nonblocking(true).map_err(io)?;
    tcp.set_nonblocking(true).map_err(io)?;
    let ports = [
        (libc::IPPROTO_UDP, port(udp.local_addr().map_err(io)?)),
        (libc::IPPROTO_TCP, port(tcp.local_addr().map_err(io)?)),
    ];
    nft::replace(&mut Socket::netfilter().map_err(failed)?, &redirection(ports)).map_err(failed)?;
    Ok(Sockets { udp: udp.into(), tcp: tcp.into() })
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
    Table { family: Family::Ipv4, name: TABLE.into(), owned: false, sets: vec![map], chains: vec![chain] }
}
