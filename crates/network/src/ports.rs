use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use netlink::nft::{Element, Key};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use serde::{Deserialize, Serialize};
use values::{Error, Result};

use crate::firewall::set;
use crate::flows::Way;

const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Docker's, where the kernel does not say.
const EPHEMERAL_FALLBACK: (u16, u16) = (49153, 65535);
/// Of the queue of connections nobody has accepted yet.
const BACKLOG: i32 = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }

    /// By its name in any case; nothing is TCP.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "" | "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "sctp" => Some(Protocol::Sctp),
            _ => None,
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Protocol::Tcp => libc::IPPROTO_TCP as u8,
            Protocol::Udp => libc::IPPROTO_UDP as u8,
            Protocol::Sctp => libc::IPPROTO_SCTP as u8,
        }
    }
}

/// A port a container wants to have on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRequest {
    pub protocol: Protocol,
    /// Inside.
    pub port: u16,
    /// `None`: on all addresses of the host.
    pub host_ip: Option<IpAddr>,
    /// The first free one of these; `None`: any.
    pub host_ports: Option<(u16, u16)>,
}

/// A port a container has on one address of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub protocol: Protocol,
    pub port: u16,
    pub host_ip: IpAddr,
    pub host_port: u16,
}

/// What the kernel cannot pass on and the daemon has to: connections (or datagrams) of this socket to `target`.
#[derive(Debug)]
pub struct Relay {
    pub protocol: Protocol,
    pub socket: OwnedFd,
    pub target: SocketAddr,
}

/// Where a container can be reached, and how: what a port leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets {
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) ip6: Option<Ipv6Addr>,
    /// The host's own firewall is asked first.
    pub(crate) guarded: bool,
    /// No ports of the host lead there: others have a route.
    pub(crate) routed4: bool,
    pub(crate) routed6: bool,
    pub(crate) direct: Direct,
    /// The daemon passes on what the kernel cannot.
    pub(crate) relays: bool,
}

/// Who reaches published ports at the container's own address, besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direct {
    #[default]
    Nobody,
    /// Who comes by certain links.
    Trusted,
    All,
}

impl Targets {
    fn routed(self, ipv4: bool) -> bool {
        if ipv4 { self.routed4 && self.ip.is_some() } else { self.routed6 && self.ip6.is_some() }
    }

    /// IPv6 leads somewhere.
    fn serves6(self, protocol: Protocol) -> bool {
        self.ip6.is_some() || self.relays && protocol != Protocol::Sctp
    }

    /// Over the kernel: of the same family.
    fn direct(self, host_ip: IpAddr) -> Option<IpAddr> {
        if host_ip.is_ipv4() { self.ip.map(IpAddr::V4) } else { self.ip6.map(IpAddr::V6) }
    }

    /// Where the kernel leads it: it has no way from `::1`.
    fn led(self, host_ip: IpAddr) -> Option<IpAddr> {
        self.direct(host_ip).filter(|_| !host_ip.is_loopback() || host_ip.is_ipv4())
    }

    fn any(self, host_ip: IpAddr) -> Option<IpAddr> {
        self.direct(host_ip).or(self.ip.map(IpAddr::V4)).or(self.ip6.map(IpAddr::V6))
    }
}

/// Who has which port of the host. There may be very many: what the ports of a container have in common is kept once.
#[derive(Default)]
pub(crate) struct Ports {
    /// By container.
    holders: HashMap<String, Holder>,
    /// Where the search for a free one goes on.
    next: u16,
}

struct Holder {
    name: String,
    targets: Targets,
    /// By protocol and port of the host.
    held: Vec<Held>,
}

struct Held {
    published: Published,
    /// Keeps other programs from the port. None for SCTP, which not every kernel has.
    _socket: Option<OwnedFd>,
}

/// What came of a request: what is published, what the daemon has to serve itself.
#[derive(Debug, Default)]
pub struct Taken {
    pub published: Vec<Published>,
    pub relays: Vec<Relay>,
}

impl Ports {
    /// Takes the ports, all or none. The error is Docker's sentence.
    pub(crate) fn take(
        &mut self,
        container: &str,
        name: &str,
        requests: &[PortRequest],
        targets: Targets,
    ) -> Result<Taken> {
        let mut all = Taken::default();
        for request in requests {
            match self.take_one(container, name, request, targets) {
                Ok(taken) => {
                    all.published.extend(taken.published);
                    all.relays.extend(taken.relays);
                }
                Err(error) => {
                    self.release(container);
                    return Err(error);
                }
            }
        }
        Ok(all)
    }

    fn take_one(&mut self, container: &str, name: &str, request: &PortRequest, targets: Targets) -> Result<Taken> {
        let mut addresses: Vec<IpAddr> = match request.host_ip {
            Some(ip) => vec![ip],
            None if has_ipv6() && targets.serves6(request.protocol) => {
                vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
            }
            None => vec![Ipv4Addr::UNSPECIFIED.into()],
        };
        let mut taken = Taken::default();
        for ipv4 in [true, false] {
            if targets.routed(ipv4) && addresses.iter().any(|ip| ip.is_ipv4() == ipv4) {
                taken.published.push(self.take_routed(container, name, request, ipv4, targets));
                addresses.retain(|ip| ip.is_ipv4() != ipv4);
            }
        }
        if addresses.is_empty() {
            return Ok(taken);
        }
        let (first, last) = request.host_ports.unwrap_or_else(ephemeral);
        let count = u32::from(last.saturating_sub(first)) + 1;
        let offset = if request.host_ports.is_none() { u32::from(self.next.saturating_sub(first)) % count } else { 0 };
        let mut why = None;
        for step in 0..count {
            let host_port = first + ((offset + step) % count) as u16;
            match self.take_port(container, name, request, &addresses, host_port, targets) {
                Ok(some) => {
                    if request.host_ports.is_none() {
                        self.next = host_port.wrapping_add(1).max(first);
                    }
                    taken.published.extend(some.published);
                    taken.relays.extend(some.relays);
                    return Ok(taken);
                }
                Err(error) => why = Some(error),
            }
        }
        Err(match why {
            Some(error) if count == 1 || error.message.contains("assign") => error,
            Some(error) if request.host_ports.is_some() => error,
            _ => Error::internal("all ports are allocated"),
        })
    }

    /// A port that is open at the container's own address only: it has no number on the host.
    fn take_routed(
        &mut self,
        container: &str,
        name: &str,
        request: &PortRequest,
        ipv4: bool,
        targets: Targets,
    ) -> Published {
        let host_ip = if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let published = Published { protocol: request.protocol, port: request.port, host_ip, host_port: 0 };
        self.hold(container, name, targets, Held { published: published.clone(), _socket: None });
        published
    }

    /// One port on all addresses, or on none.
    fn take_port(
        &mut self,
        container: &str,
        name: &str,
        request: &PortRequest,
        addresses: &[IpAddr],
        host_port: u16,
        targets: Targets,
    ) -> Result<Taken> {
        let mut taken = Taken::default();
        let mut held = Vec::new();
        for host_ip in addresses {
            if let Some(other) = self.holder(request.protocol, *host_ip, host_port) {
                return Err(Error::internal(format!(
                    "Bind for {} failed: port is already allocated (by container {other})",
                    SocketAddr::new(*host_ip, host_port)
                )));
            }
            let target = targets.direct(*host_ip);
            let published = Published { protocol: request.protocol, port: request.port, host_ip: *host_ip, host_port };
            // from ::1 no route leads to a container, and over IPv6 none to one without it
            let serves = target.is_none() || host_ip.is_ipv6() && (host_ip.is_unspecified() || host_ip.is_loopback());
            let target_ip = targets.any(*host_ip);
            let relay = target_ip.filter(|_| targets.relays && serves && request.protocol != Protocol::Sctp);
            let socket = reserve(request.protocol, *host_ip, host_port, relay.is_some()).map_err(|errno| {
                let words = if errno == Errno::ADDRINUSE { "address already in use" } else { &words(errno) };
                let inside = target_ip.map_or(String::new(), |ip| SocketAddr::new(ip, request.port).to_string());
                Error::internal(format!(
                    "failed to bind host port for {}:{inside}/{}: {words}",
                    SocketAddr::new(*host_ip, host_port),
                    request.protocol.name()
                ))
            })?;
            if let (Some(ip), Some(socket)) = (relay, &socket) {
                let socket = socket.try_clone().map_err(|e| Error::internal(format!("port {host_port}: {e}")))?;
                let target = SocketAddr::new(ip, request.port);
                taken.relays.push(Relay { protocol: request.protocol, socket, target });
            }
            held.push(Held { published: published.clone(), _socket: socket });
            taken.published.push(published);
        }
        held.into_iter().for_each(|one| self.hold(container, name, targets, one));
        Ok(taken)
    }

    /// Ports of a container that ran when the daemon began: whatever took them meanwhile.
    pub(crate) fn adopt(
        &mut self,
        container: &str,
        name: &str,
        published: &[Published],
        targets: Targets,
    ) -> (Vec<Relay>, Vec<String>) {
        let (mut relays, mut problems) = (Vec::new(), Vec::new());
        for one in published {
            if one.host_port == 0 && !targets.routed(one.host_ip.is_ipv4()) {
                continue;
            }
            let request = PortRequest {
                protocol: one.protocol,
                port: one.port,
                host_ip: Some(one.host_ip),
                host_ports: Some((one.host_port, one.host_port)),
            };
            match self.take_one(container, name, &request, targets) {
                Ok(taken) => relays.extend(taken.relays),
                Err(error) => {
                    problems.push(error.message);
                    self.hold(container, name, targets, Held { published: one.clone(), _socket: None });
                }
            }
        }
        (relays, problems)
    }

    pub(crate) fn release(&mut self, container: &str) {
        self.holders.remove(container);
    }

    /// A container's ports on the host and where they lead.
    pub(crate) fn ways(&self, container: &str) -> Vec<Way> {
        let Some(holder) = self.holders.get(container) else { return vec![] };
        let on_host = holder.held.iter().map(|held| &held.published).filter(|published| published.host_port != 0);
        on_host.map(|published| (published.clone(), holder.targets.led(published.host_ip))).collect()
    }

    /// The elements of the firewall's maps for a container's ports.
    pub(crate) fn elements(&self, container: &str) -> Vec<(&'static str, Element)> {
        let Some(Holder { held, targets, .. }) = self.holders.get(container) else { return vec![] };
        held.iter().flat_map(|held| elements(&held.published, *targets)).collect()
    }

    fn hold(&mut self, container: &str, name: &str, targets: Targets, held: Held) {
        let new = || Holder { name: name.into(), targets, held: vec![] };
        let all = &mut self.holders.entry(container.into()).or_insert_with(new).held;
        let at = all.partition_point(|other| other.place() <= held.place());
        all.insert(at, held);
    }

    fn holder(&self, protocol: Protocol, ip: IpAddr, port: u16) -> Option<&str> {
        let clash = |other: IpAddr| {
            other.is_ipv4() == ip.is_ipv4() && (other == ip || other.is_unspecified() || ip.is_unspecified())
        };
        let holds = |holder: &&Holder| {
            let from = holder.held.partition_point(|held| held.place() < (protocol, port));
            let of_port = holder.held[from..].iter().take_while(|held| held.place() == (protocol, port));
            of_port.into_iter().any(|held| clash(held.published.host_ip))
        };
        self.holders.values().find(holds).map(|holder| holder.name.as_str())
    }
}

impl Held {
    fn place(&self) -> (Protocol, u16) {
        (self.published.protocol, self.published.host_port)
    }
}

/// The elements of the firewall's maps for one port.
fn elements(published: &Published, targets: Targets) -> Vec<(&'static str, Element)> {
    let (ip, port) = (published.host_ip, published.host_port);
    let Some(target) = targets.led(ip) else { return vec![] };
    let direct = if port == 0 { Direct::All } else { targets.direct };
    let mut elements: Vec<_> = direct_element(published, target, direct).into_iter().collect();
    if port == 0 {
        return elements;
    }
    let data = Key::default().ip(target).port(published.port);
    let key = Key::default().protocol(published.protocol.number());
    let (key, ports, gated) = match (ip.is_unspecified(), ip.is_ipv4()) {
        (true, true) => (key.port(port), set::ALL_PORTS4, set::ALL_GATED4),
        (true, false) => (key.port(port), set::ALL_PORTS6, set::ALL_GATED6),
        (false, true) => (key.ip(ip).port(port), set::PORTS4, set::GATED4),
        (false, false) => (key.ip(ip).port(port), set::PORTS6, set::GATED6),
    };
    elements.push((ports, Element::mapped(key.clone(), data)));
    // nobody comes to a loopback address from outside
    if targets.guarded && !ip.is_loopback() {
        elements.push((gated, Element::new(key)));
    }
    elements
}

/// What lets others in at the container's own address. What is on loopback is for loopback.
fn direct_element(published: &Published, target: IpAddr, direct: Direct) -> Option<(&'static str, Element)> {
    let set = match (direct, target.is_ipv4()) {
        (Direct::Nobody, _) => return None,
        (Direct::All, true) => set::ROUTED_PORTS4,
        (Direct::All, false) => set::ROUTED_PORTS6,
        (Direct::Trusted, true) => set::DIRECT4,
        (Direct::Trusted, false) => set::DIRECT6,
    };
    let key = Key::default().protocol(published.protocol.number()).ip(target).port(published.port);
    (!published.host_ip.is_loopback()).then(|| (set, Element::new(key)))
}

fn words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_ascii_lowercase()
}

fn ephemeral() -> (u16, u16) {
    let text = std::fs::read_to_string(EPHEMERAL).unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(first), Some(last)) if first <= last => (first, last),
        _ => EPHEMERAL_FALLBACK,
    }
}

pub(crate) fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

/// Takes the port from all other programs; `None` for SCTP. `serve`: the daemon will accept connections itself.
fn reserve(protocol: Protocol, ip: IpAddr, port: u16, serve: bool) -> Result<Option<OwnedFd>, Errno> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, rustix::net::ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, rustix::net::ipproto::UDP),
        Protocol::Sctp => return Ok(None),
    };
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(number))?;
    if ip.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if protocol == Protocol::Tcp {
        // connections of a moment ago shall not stand in the way; a listener does all the same
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &SocketAddr::new(ip, port))?;
    if protocol == Protocol::Tcp {
        // two sockets that are bound only may share a port: a queue makes it ours alone
        listen(&socket, if serve { BACKLOG } else { 0 })?;
    }
    Ok(Some(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host_ip: &str, ports: Option<(u16, u16)>) -> PortRequest {
        PortRequest { protocol: Protocol::Tcp, port: 80, host_ip: host_ip.parse().ok(), host_ports: ports }
    }

    const TARGETS: Targets = Targets {
        ip: Some(Ipv4Addr::new(172, 17, 0, 2)),
        ip6: None,
        guarded: false,
        routed4: false,
        routed6: false,
        direct: Direct::Nobody,
        relays: true,
    };

    #[test]
    fn who_holds_a_port_is_named() {
        let mut ports = Ports::default();
        let taken = ports.take("id1", "web", &[request("127.0.0.1", None)], TARGETS).unwrap();
        let port = taken.published[0].host_port;
        let again = ports.take("id2", "other", &[request("127.0.0.1", Some((port, port)))], TARGETS).unwrap_err();
        let expected = format!("Bind for 127.0.0.1:{port} failed: port is already allocated (by container web)");
        assert_eq!(again.message, expected);
        ports.take("id2", "other", &[request("127.0.0.2", Some((port, port)))], TARGETS).unwrap();
        assert_eq!((ports.elements("id1").len(), ports.elements("id3").len()), (1, 0));
        ports.release("id1");
        ports.take("id3", "third", &[request("127.0.0.1", Some((port, port)))], TARGETS).unwrap();
    }

    #[test]
    fn a_program_of_the_host_is_in_the_way() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut ports = Ports::default();
        let error = ports.take("id", "web", &[request("127.0.0.1", Some((port, port)))], TARGETS).unwrap_err();
        let expected =
            format!("failed to bind host port for 127.0.0.1:{port}:172.17.0.2:80/tcp: address already in use");
        assert_eq!(error.message, expected);
        let range = ports.take("id", "web", &[request("127.0.0.1", Some((port, port + 3)))], TARGETS).unwrap();
        assert!(range.published[0].host_port > port);
        assert!(ports.take("id", "web", &[request("192.0.2.1", Some((port, port)))], TARGETS).is_err());
    }

    #[test]
    fn guarded_ports_have_a_gate_but_for_loopback() {
        let mut ports = Ports::default();
        let guarded = Targets { guarded: true, ..TARGETS };
        ports.take("id", "web", &[request("127.0.0.1", None)], guarded).unwrap();
        assert_eq!(ports.elements("id").len(), 1);
        ports.take("id2", "web", &[request("0.0.0.0", None)], guarded).unwrap();
        let sets: Vec<_> = ports.elements("id2").into_iter().map(|(set, _)| set).collect();
        assert_eq!(sets, [set::ALL_PORTS4, set::ALL_GATED4]);
    }

    #[test]
    fn routed_ports_have_no_number_on_the_host() {
        let mut ports = Ports::default();
        let routed = Targets { routed4: true, ..TARGETS };
        let mut noted = vec![];
        for name in ["a", "b"] {
            let taken = ports.take(name, name, &[request("0.0.0.0", Some((80, 80)))], routed).unwrap();
            let [one] = &taken.published[..] else { panic!("{taken:?}") };
            assert_eq!((one.host_port, one.host_ip.is_unspecified(), ports.ways(name).len()), (0, true, 0));
            let sets: Vec<_> = ports.elements(name).into_iter().map(|(set, _)| set).collect();
            assert_eq!(sets, [set::ROUTED_PORTS4]);
            noted = taken.published;
        }
        let (relays, problems) = ports.adopt("c", "c", &noted, routed);
        assert_eq!((relays.len(), problems.len(), ports.elements("c").len()), (0, 0, 1));
    }

    #[test]
    fn who_reaches_ports_directly() {
        let sets = |direct, host_ip: &str| {
            let mut ports = Ports::default();
            ports.take("id", "web", &[request(host_ip, None)], Targets { direct, ..TARGETS }).unwrap();
            ports.elements("id").into_iter().map(|(set, _)| set).collect::<Vec<_>>()
        };
        assert_eq!(sets(Direct::All, "0.0.0.0"), [set::ROUTED_PORTS4, set::ALL_PORTS4]);
        assert_eq!(sets(Direct::Trusted, "0.0.0.0"), [set::DIRECT4, set::ALL_PORTS4]);
        assert_eq!(sets(Direct::All, "127.0.0.1"), [set::PORTS4]);
    }

    #[test]
    fn nothing_is_relayed_where_it_is_not_wanted() {
        let mut ports = Ports::default();
        let taken = ports.take("id", "web", &[request("", None)], Targets { relays: false, ..TARGETS }).unwrap();
        assert_eq!((taken.published.len(), taken.relays.len()), (1, 0));
    }

    #[test]
    fn ipv6_to_a_container_without_it_is_relayed() {
        let mut ports = Ports::default();
        let taken = ports.take("id", "web", &[request("", None)], TARGETS).unwrap();
        if has_ipv6() {
            assert_eq!(taken.published.len(), 2);
            assert_eq!((taken.relays.len(), ports.elements("id").len()), (1, 1));
            assert_eq!(taken.relays[0].target, "172.17.0.2:80".parse().unwrap());
        }
    }
}
