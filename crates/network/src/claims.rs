//! What a container may say it is: on each port of a bridge only its own hardware address and addresses.
//!
//! A second table of the daemon, of bridges, is in the same transactions as that of [`firewall`](crate::firewall). A port that
//! is in `ports` passes only what `macs` and the claims let it; others' ports, and bridges of others, are none of its business.
//! In nft's words:
//! ```text
//! chain prerouting { type filter hook prerouting priority filter
//!     meta l4proto tcp iifname . ether saddr @macs accept                   (most frames: no other rule would stop them)
//!     meta protocol arp jump arp
//!     meta l4proto icmpv6 jump discovery
//!     iifname . ether saddr @macs jump services                             (which accepts)
//!     iifname @ports drop }
//! chain arp       { iifname . arp saddr ether . arp saddr ip @claims4 return;  iifname @ports drop }
//! chain discovery {
//!     icmpv6 type nd-router-advert iifname @ports drop
//!     icmpv6 type nd-redirect iifname @ports drop
//!     icmpv6 type nd-neighbor-solicit jump solicit
//!     icmpv6 type nd-neighbor-advert jump advert
//!     icmpv6 type nd-router-solicit jump search }
//! chain solicit   {
//!     ip6 nexthdr != icmpv6 iifname @ports drop
//!     ip6 saddr :: iifname . ether saddr . TARGET @claims6 return           (who asks whether it may have it)
//!     ip6 length 24 iifname . ether saddr . ip6 saddr @claims6 return
//!     ip6 length 32 OPTION 1 iifname . OPTION'S MAC . ip6 saddr @claims6 return
//!     iifname @ports drop }
//! chain advert, search: likewise
//! chain services  {                                                        (of a port that is known)
//!     meta l4proto udp jump answers
//!     meta l4proto icmp icmp type redirect drop
//!     meta protocol 8021q drop;  meta protocol 8021ad drop                 (a tag behind a tag: the kernel looks behind both)
//!     accept }
//! chain answers   { udp sport 67 udp dport 68 drop;  udp sport 547 udp dport 546 drop }
//! ```
//! A message with one option at most is all that Linux sends; in a longer one, or behind other headers, a second one could hide.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netlink::nft::{
    self, Base, Chain, Element, Family, Field, Hook, IpOf, Key, Kind, MacOf, Policy, Rule, Set, Table, Verdict,
};
use netlink::{Errno, Result, Socket};

use crate::endpoint::{Endpoint, mac_bytes};
use crate::firewall::Firewall;
use crate::{mac, owner};

/// Ports that are watched over.
const PORTS: &str = "ports";
const MACS: &str = "macs";
const CLAIMS4: &str = "claims4";
const CLAIMS6: &str = "claims6";

/// nft's `filter` of bridges: before the chains of IP that br_netfilter calls.
const FILTER: i32 = -200;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const VLAN_OF_PROVIDERS: u16 = 0x88a8;
const ICMP: u8 = libc::IPPROTO_ICMP as u8;
const ICMPV6: u8 = libc::IPPROTO_ICMPV6 as u8;
const UDP: u8 = libc::IPPROTO_UDP as u8;
const TCP: u8 = libc::IPPROTO_TCP as u8;
/// RFC 4861, RFC 792.
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT6: u8 = 137;
const REDIRECT: u8 = 5;
const OF_SENDER: u8 = 1;
const OF_TARGET: u8 = 2;
/// Bytes without an option, and of one.
const OF_NEIGHBOURS: u16 = 24;
const OF_ROUTERS: u16 = 8;
const OPTION: u16 = 8;

/// A container's port of a bridge and who is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    port: String,
    mac: [u8; 6],
    addresses: Vec<IpAddr>,
}

impl Claim {
    pub(crate) fn new(port: &str, mac: [u8; 6], addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { port: port.into(), mac, addresses: addresses.into_iter().collect() }
    }

    /// `None` for a place that is no port of a bridge.
    pub(crate) fn of(endpoint: &Endpoint) -> Option<Self> {
        let addresses = endpoint.addresses().chain(endpoint.link_local.iter().copied());
        let port = Some(&endpoint.host_ifname).filter(|name| !name.is_empty())?;
        Some(Self::new(port, mac_bytes(&endpoint.mac)?, addresses))
    }

    fn port(&self) -> Element {
        Element::new(Key::default().link(&self.port))
    }

    /// What it may say. Without these it may say nothing.
    fn words(&self) -> Vec<(&'static str, Element)> {
        let own = || Key::default().link(&self.port).mac(self.mac);
        // who has no address yet asks for its own with none (RFC 5227)
        let none = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let own_making = IpAddr::V6(mac::link_local(self.mac));
        let mut all: Vec<IpAddr> = self.addresses.iter().copied().chain([none, own_making]).collect();
        all.sort_unstable();
        all.dedup();
        let claim = |ip: IpAddr| (if ip.is_ipv4() { CLAIMS4 } else { CLAIMS6 }, Element::new(own().ip(ip)));
        [(MACS, Element::new(own()))].into_iter().chain(all.into_iter().map(claim)).collect()
    }
}

/// Who may say what, by container and network.
#[derive(Default)]
pub(crate) struct Claims(Mutex<BTreeMap<(String, String), Claim>>);

impl Claims {
    /// From now on these ports are watched over: by container and network who is behind each.
    pub(crate) fn admit(&self, firewall: &Mutex<Firewall>, all: Vec<(&str, &str, Claim)>) -> Result<()> {
        let mut held = self.held();
        let elements = all.iter().flat_map(|(_, _, claim)| [(PORTS, claim.port())].into_iter().chain(claim.words()));
        lock(firewall).apply(&elements.collect::<Vec<_>>(), &[])?;
        let named = all.into_iter().map(|(container, network, claim)| ((container.into(), network.into()), claim));
        held.extend(named);
        Ok(())
    }

    /// What it had is free, and may soon be another's: its port, as long as it is there, passes nothing more. Until then it is
    /// to be [forgotten](Self::forget).
    pub(crate) fn silence(&self, firewall: &Mutex<Firewall>, container: &str, network: &str) -> Result<()> {
        let claim = self.held().remove(&(container.to_owned(), network.to_owned()));
        claim.map_or(Ok(()), |claim| lock(firewall).apply(&[], &claim.words()))
    }

    /// These ports, which belong to nobody, pass nothing.
    pub(crate) fn mute(firewall: &Mutex<Firewall>, ports: &[String]) -> Result<()> {
        lock(firewall).apply(&named(ports), &[])
    }

    /// These ports are gone, or on no bridge any more.
    pub(crate) fn forget(firewall: &Mutex<Firewall>, ports: &[String]) -> Result<()> {
        lock(firewall).apply(&[], &named(ports))
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<(String, String), Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(ports: &[String]) -> Vec<(&'static str, Element)> {
    ports.iter().map(|port| (PORTS, Element::new(Key::default().link(port)))).collect()
}

fn lock(firewall: &Mutex<Firewall>) -> MutexGuard<'_, Firewall> {
    firewall.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the kernel has tables of bridges.
pub(crate) fn are_known(socket: &mut Socket, owner: &str) -> Result<bool> {
    // the one that is there may belong to a daemon that was just killed
    let name = format!("{}_probe", owner::table(owner));
    match nft::check(socket, &Table { name, ..table(owner, false) }) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.errno, Errno::OPNOTSUPP | Errno::NOENT | Errno::AFNOSUPPORT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Without elements.
pub(crate) fn table(owner: &str, owned: bool) -> Table {
    Table { family: Family::Bridge, name: owner::table(owner), owned, sets: sets(), chains: chains() }
}

pub(crate) fn sets() -> Vec<Set> {
    let set = |name: &str, key: &[Field]| Set {
        name: name.into(),
        key: key.to_vec(),
        data: None,
        interval: false,
        elements: vec![],
    };
    vec![
        set(PORTS, &[Field::Link]),
        set(MACS, &[Field::Link, Field::Mac]),
        set(CLAIMS4, &[Field::Link, Field::Mac, Field::Ipv4]),
        set(CLAIMS6, &[Field::Link, Field::Mac, Field::Ipv6]),
    ]
}

pub(crate) fn is_set(name: &str) -> bool {
    [PORTS, MACS, CLAIMS4, CLAIMS6].contains(&name)
}

fn chains() -> Vec<Chain> {
    let part = |name: &str, rules| Chain { name: name.into(), base: None, rules };
    let jump = |chain: &str| Verdict::Jump(chain.into());
    let refused = |rule: Rule| rule.input_link_in(PORTS).verdict(Verdict::Drop);
    let dropped = |rule: Rule| rule.verdict(Verdict::Drop);
    let returned = |rule: Rule| rule.verdict(Verdict::Return);
    let discovery = |number: u8| Rule::new().icmp_type(number);
    let bare = |length: u16| Rule::new().ipv6_length(length);
    let with_option = |length: u16, kind: u8| bare(length + OPTION).option_at(length.into(), kind);
    let arp = vec![returned(Rule::new().arp_sender_in(CLAIMS4)), refused(Rule::new())];
    let in_option = |length: u16| MacOf::Option(length.into());
    let solicit = vec![
        refused(Rule::new().other_headers_between()),
        returned(Rule::new().no_ipv6_source().neighbour_in(MacOf::Frame, IpOf::Target, CLAIMS6)),
        returned(bare(OF_NEIGHBOURS).neighbour_in(MacOf::Frame, IpOf::Source, CLAIMS6)),
        returned(with_option(OF_NEIGHBOURS, OF_SENDER).neighbour_in(in_option(OF_NEIGHBOURS), IpOf::Source, CLAIMS6)),
        refused(Rule::new()),
    ];
    let advert = vec![
        refused(Rule::new().other_headers_between()),
        returned(bare(OF_NEIGHBOURS).neighbour_in(MacOf::Frame, IpOf::Target, CLAIMS6)),
        returned(with_option(OF_NEIGHBOURS, OF_TARGET).neighbour_in(in_option(OF_NEIGHBOURS), IpOf::Target, CLAIMS6)),
        refused(Rule::new()),
    ];
    let search = vec![
        refused(Rule::new().other_headers_between()),
        // says nobody's hardware address
        returned(bare(OF_ROUTERS)),
        returned(with_option(OF_ROUTERS, OF_SENDER).neighbour_in(in_option(OF_ROUTERS), IpOf::Source, CLAIMS6)),
        refused(Rule::new()),
    ];
    let discovery = vec![
        refused(discovery(ROUTER_ADVERTISEMENT)),
        refused(discovery(REDIRECT6)),
        discovery(NEIGHBOUR_SOLICITATION).verdict(jump("solicit")),
        discovery(NEIGHBOUR_ADVERTISEMENT).verdict(jump("advert")),
        discovery(ROUTER_SOLICITATION).verdict(jump("search")),
    ];
    // DHCP's servers answer from these ports (RFC 2131, RFC 8415)
    let answers = vec![dropped(Rule::new().udp_ports(67, 68)), dropped(Rule::new().udp_ports(547, 546))];
    let services = vec![
        Rule::new().protocol(UDP).verdict(jump("answers")),
        dropped(Rule::new().protocol(ICMP).icmp_type(REDIRECT)),
        dropped(Rule::new().ether_type(VLAN)),
        dropped(Rule::new().ether_type(VLAN_OF_PROVIDERS)),
        Rule::new().verdict(Verdict::Accept),
    ];
    let prerouting = vec![
        Rule::new().protocol(TCP).source_mac_in(MACS).verdict(Verdict::Accept),
        Rule::new().ether_type(ARP).verdict(jump("arp")),
        Rule::new().protocol(ICMPV6).verdict(jump("discovery")),
        Rule::new().source_mac_in(MACS).verdict(jump("services")),
        refused(Rule::new()),
    ];
    let hook = Base { kind: Kind::Filter, hook: Hook::Prerouting, priority: FILTER, policy: Policy::Accept };
    let base = Chain { name: "prerouting".into(), base: Some(hook), rules: prerouting };
    vec![
        part("arp", arp),
        part("solicit", solicit),
        part("advert", advert),
        part("search", search),
        part("discovery", discovery),
        part("answers", answers),
        part("services", services),
        base,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::example;

    #[test]
    fn what_a_place_may_say() {
        let link_local = vec!["169.254.1.2".parse().unwrap()];
        let endpoint = Endpoint { ip6: "fd00::2".parse().ok(), link_local, ..example("a", 2) };
        let claim = Claim::of(&endpoint).unwrap();
        let mac = [2, 0x42, 172, 17, 0, 2];
        let own = || Key::default().link("veth1234567").mac(mac);
        let ip = |text: &str| Element::new(own().ip(text.parse().unwrap()));
        let expected = [
            (MACS, Element::new(own())),
            (CLAIMS4, ip("0.0.0.0")),
            (CLAIMS4, ip("169.254.1.2")),
            (CLAIMS4, ip("172.17.0.2")),
            (CLAIMS6, ip("fd00::2")),
            (CLAIMS6, ip("fe80::42:acff:fe11:2")),
        ];
        assert_eq!(claim.words(), expected);
        assert_eq!(Claim::of(&Endpoint { host_ifname: String::new(), ..endpoint }), None, "no port of a bridge");
    }

    #[test]
    fn every_set_has_a_rule_that_asks_it() {
        let rules = format!("{:?}", chains());
        for set in sets() {
            assert!(rules.contains(&format!("{:?}", set.name)) && is_set(&set.name), "{}", set.name);
        }
    }
}
