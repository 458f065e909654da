//! What makes DNS possible inside a container: sockets in its namespace for the daemon to serve.
//!
//! Port 53 stays free for the container's own programs (a name server is a popular image): the sockets have ports of
//! their own, and rules in the container's namespace lead what is sent to 127.0.0.11:53 there, as Docker does it. They write
//! the port into each packet and back, and remember nothing: a translation by the kernel's table of flows would have every
//! packet of the container looked up there, and each question leave a flow behind. Whoever follows flows in there by rules of
//! the container's own sees those to and from port 53 (`FAMILY ip`):
//! ```text
//! chain questions { type filter hook output priority mangle     (after flows are looked up)
//!     ip daddr != 127.0.0.11 accept
//!     udp dport 53 udp checksum 0 udp dport set UDP accept;  udp dport 53 udp dport set UDP;  tcp dport 53 tcp dport set TCP }
//! chain answers   { type filter hook output priority raw        (before)
//!     ip saddr != 127.0.0.11 accept
//!     udp sport UDP udp sport set 53;  tcp sport TCP tcp sport set 53 }
//! ```

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use netlink::Socket;
use netlink::nft::{self, Base, Chain, Family, Hook, Kind, Policy, Rule, Table, Transport, Verdict};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::thread::{CpuSet, sched_getaffinity};
use values::{Error, Result};

use crate::bridge::failed;
use crate::namespace;

/// Where containers on networks of their own ask for names.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
/// Above what ip_local_port_range has by default.
const FIRST_PORT: u16 = 61_000;
/// Its name says where it leads, so that one that is right is known by it: `lighter_dns_ports_UDP_TCP`. Earlier releases' were
/// called otherwise.
const TABLE: &str = "lighter_dns";
/// `raw` and `mangle` of nft(8).
const RAW: i32 = -300;
const MANGLE: i32 = -150;

/// Bytes of questions that wait to be read, with what the kernel needs for them: some 2,700 asked at once.
const RECEIVED: usize = 1 << 20;

/// Machines with no more processors have a socket for each of them.
const FEW_PROCESSORS: usize = 4;

/// Non-blocking sockets.
#[derive(Debug)]
pub struct Sockets {
    /// For each of the [`processors`] what is sent on it; where these are none, one for all.
    pub udp: Vec<OwnedFd>,
    pub tcp: OwnedFd,
    /// The container's namespace: from there it asks servers outside.
    pub netns: OwnedFd,
}

/// Those that have a socket each, for a thread of their own: a question is answered where it is asked, and nobody has to be woken
/// on another processor, which takes longer than the answer. None where they are many: there is an idle one to be found then.
pub fn processors() -> &'static [usize] {
    static ALL: OnceLock<Vec<usize>> = OnceLock::new();
    ALL.get_or_init(|| {
        let ours = sched_getaffinity(None).unwrap_or_default();
        let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| ours.is_set(*number)).collect();
        if all.len() <= FEW_PROCESSORS { all } else { vec![] }
    })
}

/// For the namespace of the calling thread. What an earlier daemon had there is replaced, on the same port: then there is no
/// rule to be written.
pub(crate) fn open() -> Result<Sockets> {
    let io = |e: io::Error| Error::internal(format!("open sockets for DNS: {e}"));
    let at = |port: u16| datagrams(port).and_then(|udp| Ok((udp, TcpListener::bind((ADDRESS, port))?)));
    let (udp, tcp) = match at(own_port()?) {
        Ok(both) => both,
        // a program of the container's has it
        Err(_) => at(0).map_err(io)?,
    };
    tcp.set_nonblocking(true).map_err(io)?;
    let (udp, udp_port) = udp;
    let tcp_port = tcp.local_addr().map_err(io)?.port();
    lead(&rewriting(udp_port, tcp_port)).map_err(failed)?;
    Ok(Sockets { udp, tcp: tcp.into(), netns: namespace::current()? })
}

/// All on one port, which is said; 0 is any.
fn datagrams(port: u16) -> io::Result<(Vec<OwnedFd>, u16)> {
    let (mut all, mut port, processors) = (vec![], port, processors());
    for number in 0..processors.len().max(1) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
        if let Some(processor) = processors.get(number) {
            sockopt::set_socket_reuseport(&socket, true)?;
            sockopt::set_socket_incoming_cpu(&socket, *processor as u32)?;
        }
        // refused only to a daemon with less than root's rights
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVED);
        net::bind(&socket, &SocketAddrV4::new(ADDRESS, port))?;
        let socket = UdpSocket::from(socket);
        port = socket.local_addr()?.port();
        all.push(socket.into());
    }
    Ok((all, port))
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

fn rewriting(udp: u16, tcp: u16) -> Table {
    let base = |priority| Base { kind: Kind::Filter, hook: Hook::Output, priority, policy: Policy::Accept };
    let chain = |name: &str, priority, rules| Chain { name: name.into(), base: Some(base(priority)), rules };
    let accepted = |rule: Rule| rule.verdict(Verdict::Accept);
    let questions = vec![
        accepted(Rule::new().destination_is_not(ADDRESS)),
        accepted(Rule::new().rewrite_destination_port(Transport::UdpUnchecked, PORT, udp)),
        Rule::new().rewrite_destination_port(Transport::Udp, PORT, udp),
        Rule::new().rewrite_destination_port(Transport::Tcp, PORT, tcp),
    ];
    let answers = vec![
        accepted(Rule::new().source_is_not(ADDRESS)),
        Rule::new().rewrite_source_port(Transport::Udp, udp, PORT),
        Rule::new().rewrite_source_port(Transport::Tcp, tcp, PORT),
    ];
    let name = format!("{TABLE}_ports_{udp}_{tcp}");
    let chains = vec![chain("questions", MANGLE, questions), chain("answers", RAW, answers)];
    Table { family: Family::Ipv4, name, owned: false, sets: vec![], chains }
}
