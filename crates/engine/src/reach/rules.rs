//! Who can reach a port: pure, from what is known of the host, its firewall and the container's networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use api::types::{PortReach, Reach};
use network::{GatewayMode, HostAddress, HostFirewall, Knock, Opinion, Protocol, Published};

/// A container's place on a network.
#[derive(Clone, Debug)]
pub struct Place {
    pub network: String,
    pub ip: Option<Ipv4Addr>,
    pub ip6: Option<Ipv6Addr>,
    /// Containers of the network reach each other.
    pub icc: bool,
    /// Nobody outside is let in, or out.
    pub internal: bool,
    pub mode4: GatewayMode,
    pub mode6: GatewayMode,
    /// Links of the host whose neighbours reach published ports directly.
    pub trusted: Vec<String>,
    /// On a bridge of ours, not beside the host on a link of its own.
    pub bridged: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub places: Vec<Place>,
    /// Which of them published ports lead to.
    pub main: Option<usize>,
    /// The host's firewall is asked first.
    pub guarded: bool,
    /// Whoever has a route reaches published ports at the container's address.
    pub direct: bool,
    /// Outside of our own bridges.
    pub host: Vec<HostAddress>,
    pub firewall: HostFirewall,
}

const YES: &str = "yes";
const NO: &str = "no";
const DEPENDS: &str = "depends";
/// So many addresses or networks are named.
const NAMED: usize = 4;

fn reach(who: &str, reaches: &str, why: impl Into<String>) -> Reach {
    Reach { who: who.into(), reaches: reaches.into(), why: why.into() }
}

fn at(ip: impl Into<IpAddr>, port: u16) -> String {
    std::net::SocketAddr::new(ip.into(), port).to_string()
}

/// A list with an end.
fn some<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    let more = all.len().saturating_sub(NAMED);
    let named = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

impl Facts {
    /// A port that is published on one address.
    pub fn published(&self, port: &Published) -> PortReach {
        let (ip, number) = (port.host_ip, port.host_port);
        let who = if number == 0 {
            self.routed(port)
        } else if ip.is_loopback() {
            let here = format!("{}{}", at(ip, number), relayed(ip));
            let outside = "it is published on loopback, which nobody outside reaches";
            vec![
                reach("loopback", YES, here.clone()),
                reach("host", YES, here),
                reach("host-networks", NO, outside),
                self.containers(port.port, None),
                reach("anybody", NO, outside),
            ]
        } else {
            let loopback = match ip {
                IpAddr::V4(any) if any.is_unspecified() => reach("loopback", YES, at(Ipv4Addr::LOCALHOST, number)),
                IpAddr::V6(any) if any.is_unspecified() => {
                    let local = IpAddr::from(Ipv6Addr::LOCALHOST);
                    reach("loopback", YES, format!("{}{}", at(local, number), relayed(local)))
                }
                _ => reach("loopback", NO, format!("it is published on {ip} alone")),
            };
            let host = if ip.is_unspecified() {
                format!("at its addresses: {}", some(self.addresses(port).map(|a| a.net.addr())))
            } else {
                at(ip, number)
            };
            vec![
                loopback,
                reach("host", YES, host),
                self.neighbours(port),
                self.containers(port.port, Some(port)),
                self.anybody(port),
            ]
        };
        let host_port = if number == 0 { String::new() } else { number.to_string() };
        PortReach { port: name(port.protocol, port.port), host_ip: ip.to_string(), host_port, who }
    }

    /// A port that is exposed and not published.
    pub fn exposed(&self, protocol: Protocol, port: u16) -> PortReach {
        let bridged = || self.places.iter().filter(|place| place.bridged);
        let unseen = |place: &&Place| [place.mode4, place.mode6].iter().all(|mode| *mode == GatewayMode::Isolated);
        let host: Vec<String> =
            bridged().filter(|place| !unseen(place)).flat_map(Place::addresses).map(|ip| at(ip, port)).collect();
        let open = |place: &&Place| !place.internal && place.open().next().is_some();
        let open: Vec<String> = bridged().filter(open).flat_map(Place::open).map(|ip| at(ip, port)).collect();
        let outside = |who: &str| match &open[..] {
            [] => reach(who, NO, "it is not published"),
            open => reach(who, YES, format!("{}: the network is nat-unprotected; a route is needed", some(open))),
        };
        let host = match &host[..] {
            [] => reach("host", NO, "it is not published"),
            host => reach("host", YES, some(host)),
        };
        let who = vec![
            reach("loopback", NO, "it is not published"),
            host,
            outside("host-networks"),
            self.containers(port, None),
            outside("anybody"),
        ];
        PortReach { port: name(protocol, port), who, ..PortReach::default() }
    }

    /// A port of a container that shares the host's network.
    pub fn of_host(&self, protocol: Protocol, port: u16) -> PortReach {
        let knock = Published { protocol, port, host_ip: Ipv4Addr::UNSPECIFIED.into(), host_port: port };
        let program = "if a program listens there, as one of the host's own";
        let facts = Facts { guarded: true, ..self.clone() };
        let who = vec![
            reach("loopback", YES, program),
            reach("host", YES, program),
            facts.neighbours(&knock),
            reach("containers", YES, "at the host's addresses"),
            facts.anybody(&knock),
        ];
        PortReach { port: name(protocol, port), who, ..PortReach::default() }
    }

    /// Addresses of the host at which the port is.
    fn addresses<'a>(&'a self, port: &'a Published) -> impl Iterator<Item = &'a HostAddress> {
        self.host.iter().filter(move |address| {
            let ip = address.net.addr();
            ip.is_ipv4() == port.host_ip.is_ipv4() && (port.host_ip.is_unspecified() || ip == port.host_ip)
        })
    }

    fn neighbours(&self, port: &Published) -> Reach {
        let networks: Vec<String> = self.addresses(port).map(|a| format!("{} ({})", a.net.trunc(), a.link)).collect();
        if networks.is_empty() {
            return reach("host-networks", NO, format!("the host has no {} address outside", family(port.host_ip)));
        }
        let (reaches, why) = self.asked(port);
        reach("host-networks", reaches, format!("{}: {why}{}", some(networks), self.directly(port)))
    }

    fn anybody(&self, port: &Published) -> Reach {
        let addresses: Vec<IpAddr> = self.addresses(port).map(|a| a.net.addr()).collect();
        if addresses.is_empty() {
            return reach("anybody", NO, format!("the host has no {} address outside", family(port.host_ip)));
        }
        let (reaches, why) = self.asked(port);
        reach("anybody", reaches, format!("who finds a way to {}: {why}{}", some(addresses), self.directly(port)))
    }

    /// Besides, at the container's own address.
    fn directly(&self, port: &Published) -> String {
        let Some(place) = self.place() else { return String::new() };
        let own = place.addresses().find(|ip| ip.is_ipv4() == port.host_ip.is_ipv4()).map(|ip| at(ip, port.port));
        match own {
            Some(own) if self.direct => format!("; also {own} by a route (allow-direct-routing)"),
            Some(own) if !place.trusted.is_empty() => {
                format!("; also {own} by a route over {}", place.trusted.join(", "))
            }
            _ => String::new(),
        }
    }

    /// What the host's firewall says, or would say.
    fn asked(&self, port: &Published) -> (&'static str, String) {
        let knock = Knock { ipv6: port.host_ip.is_ipv6(), protocol: port.protocol, port: port.host_port };
        let all = self.firewall.opinions(knock);
        let chains = |wanted: &dyn Fn(&Opinion) -> bool| {
            some(all.iter().filter(|opinion| wanted(opinion)).map(|opinion| opinion.chain.as_str()))
        };
        let refusing = chains(&|opinion| opinion.may_drop && !opinion.may_pass);
        let choosing = chains(&|opinion| opinion.may_drop);
        // what the daemon passes on comes to a socket of the host
        let relayed = port.host_ip.is_ipv6() && self.place().is_some_and(|place| place.ip6.is_none());
        match (self.guarded || relayed, refusing.as_str(), choosing.as_str()) {
            (_, _, "") => (YES, "no firewall of the host refuses it".into()),
            (true, "", chains) => (DEPENDS, format!("the host's firewall decides by who asks ({chains})")),
            (true, chains, _) => (NO, format!("the host's firewall refuses it ({chains})")),
            (false, _, chains) => (YES, format!("the host's firewall ({chains}) would refuse some, but is not asked")),
        }
    }

    fn place(&self) -> Option<&Place> {
        self.places.get(self.main?)
    }

    /// `published`: they reach it by the host's addresses, too.
    fn containers(&self, port: u16, published: Option<&Published>) -> Reach {
        let mut ways: Vec<String> = self.places.iter().filter_map(|place| place.neighbours_reach(port)).collect();
        let mut reaches = if ways.is_empty() { NO } else { YES };
        if let Some(published) = published {
            let (decides, why) = if self.guarded { self.asked(published) } else { (YES, String::new()) };
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            match decides {
                NO => ways.push(format!("none by the host's addresses{why}")),
                _ => {
                    ways.push(format!("those of all networks but internal ones by the host's addresses{why}"));
                    reaches = if decides == YES || reaches == YES { YES } else { DEPENDS };
                }
            }
        }
        if ways.is_empty() {
            ways.push("it is on no network with others".into());
        }
        reach("containers", reaches, ways.join("; "))
    }

    /// A port without a number on the host.
    fn routed(&self, port: &Published) -> Vec<Reach> {
        let own = self.place().into_iter().flat_map(Place::addresses);
        let here: Vec<String> =
            own.filter(|ip| ip.is_ipv4() == port.host_ip.is_ipv4()).map(|ip| at(ip, port.port)).collect();
        let here = some(here);
        let by_route = format!("{here}, for who has a route to it (the network is routed)");
        vec![
            reach("loopback", NO, "the network is routed: it has no port on the host"),
            reach("host", YES, here),
            reach("host-networks", YES, by_route.clone()),
            self.containers(port.port, None),
            reach("anybody", YES, by_route),
        ]
    }
}

impl Place {
    fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.ip.map(IpAddr::V4).into_iter().chain(self.ip6.map(IpAddr::V6))
    }

    /// Addresses at which everybody is let in.
    fn open(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.ip.filter(|_| self.mode4 == GatewayMode::NatUnprotected).map(IpAddr::V4);
        let v6 = self.ip6.filter(|_| self.mode6 == GatewayMode::NatUnprotected).map(IpAddr::V6);
        v4.into_iter().chain(v6)
    }

    fn neighbours_reach(&self, port: u16) -> Option<String> {
        let at = some(self.addresses().map(|ip| at(ip, port)));
        if at.is_empty() {
            return None;
        }
        let who = if self.icc { "those on" } else { "those linked to it on" };
        Some(format!("{who} {} at {at}", self.network))
    }
}

fn relayed(ip: IpAddr) -> &'static str {
    if ip.is_ipv6() { " (passed on by the daemon)" } else { "" }
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn name(protocol: Protocol, port: u16) -> String {
    format!("{port}/{}", protocol.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            network: "bridge".into(),
            ip: Some([172, 17, 0, 2].into()),
            ip6: None,
            icc: true,
            internal: false,
            mode4: GatewayMode::Nat,
            mode6: GatewayMode::Nat,
            trusted: vec![],
            bridged: true,
        }
    }

    fn facts() -> Facts {
        let address = |link: &str, net: &str| HostAddress { link: link.into(), net: net.parse().unwrap() };
        Facts {
            places: vec![place()],
            main: Some(0),
            host: vec![address("eth0", "203.0.113.2/24"), address("eth0", "2001:db8::2/64")],
            ..Facts::default()
        }
    }

    fn port(host_ip: &str) -> Published {
        Published { protocol: Protocol::Tcp, port: 80, host_ip: host_ip.parse().unwrap(), host_port: 8080 }
    }

    fn shown(reach: &PortReach) -> Vec<String> {
        reach.who.iter().map(|r| format!("{} {} {}", r.who, r.reaches, r.why)).collect()
    }

    #[test]
    fn on_all_addresses() {
        assert_eq!(
            shown(&facts().published(&port("0.0.0.0"))),
            [
                "loopback yes 127.0.0.1:8080",
                "host yes at its addresses: 203.0.113.2",
                "host-networks yes 203.0.113.0/24 (eth0): no firewall of the host refuses it",
                "containers yes those on bridge at 172.17.0.2:80; those of all networks but internal ones by the host's addresses",
                "anybody yes who finds a way to 203.0.113.2: no firewall of the host refuses it",
            ]
        );
        let six = shown(&facts().published(&port("::")));
        assert_eq!(six[0], "loopback yes [::1]:8080 (passed on by the daemon)");
        assert!(six[4].starts_with("anybody yes who finds a way to 2001:db8::2"));
        let direct = Facts { direct: true, ..facts() }.published(&port("0.0.0.0"));
        assert!(direct.who[4].why.ends_with("; also 172.17.0.2:80 by a route (allow-direct-routing)"));
        let lonely = Facts { host: vec![], ..facts() };
        assert_eq!(lonely.published(&port("0.0.0.0")).who[4].reaches, NO);
    }

    #[test]
    fn on_one_address() {
        let got = shown(&facts().published(&port("127.0.0.1")));
        assert!(got[0].starts_with("loopback yes") && got[2].starts_with("host-networks no"), "{got:?}");
        assert!(got[4].starts_with("anybody no"), "{got:?}");
        let got = shown(&facts().published(&port("203.0.113.2")));
        assert!(got[0].starts_with("loopback no it is published on 203.0.113.2"), "{got:?}");
        assert!(got[1].starts_with("host yes 203.0.113.2:8080"), "{got:?}");
    }

    #[test]
    fn exposed_only() {
        let got = facts().exposed(Protocol::Udp, 53);
        assert_eq!((got.port.as_str(), got.host_port.as_str()), ("53/udp", ""));
        assert_eq!(got.who.iter().map(|r| r.reaches.as_str()).collect::<Vec<_>>(), [NO, YES, NO, YES, NO]);
        let open = Place { mode4: GatewayMode::NatUnprotected, ..place() };
        let open = Facts { places: vec![open], ..facts() }.exposed(Protocol::Udp, 53);
        assert_eq!(open.who[4].reaches, YES);
        let alone = Place { icc: false, ..place() };
        let alone = Facts { places: vec![alone], ..facts() }.exposed(Protocol::Udp, 53);
        assert!(alone.who[3].why.starts_with("those linked to it on bridge"));
    }

    #[test]
    fn routed() {
        let routed = Place { mode4: GatewayMode::Routed, ..place() };
        let published = Published { host_port: 0, ..port("0.0.0.0") };
        let got = Facts { places: vec![routed], ..facts() }.published(&published);
        assert_eq!(got.who.iter().map(|r| r.reaches.as_str()).collect::<Vec<_>>(), [NO, YES, YES, YES, YES]);
        assert!(got.who[4].why.starts_with("172.17.0.2:80"));
    }
}
