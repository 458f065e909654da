use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use values::{Error, Result};

use crate::config::Ipv6Config;
use crate::pool;

/// A network as it is to be in the kernel: fixed when it is created, to be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub id: String,
    pub name: String,
    pub driver: Driver,
    pub subnets: Vec<Subnet>,
    /// The bridge, or the parent of the containers' links.
    pub link: String,
    /// `None` follows the route to the outside, or the parent.
    pub mtu: Option<u32>,
    /// Nothing beyond the network.
    pub internal: bool,
    /// Containers can talk to each other.
    pub icc: bool,
    /// Containers' packets leave the machine with its address.
    pub masquerade: bool,
    /// That address, where the machine has several; `None`: that of the link they leave by.
    #[serde(default)]
    pub source4: Option<Ipv4Addr>,
    #[serde(default)]
    pub source6: Option<Ipv6Addr>,
    /// The host has no address on the bridge.
    pub no_gateway_address: bool,
    /// Where ports are published that name no address.
    pub host_ip: Option<IpAddr>,
    /// The host's own firewall is asked who may reach a published port; `None`: as the daemon says.
    #[serde(default)]
    pub guarded: Option<bool>,
    /// Containers may claim addresses that are not theirs; `None`: as the daemon says.
    #[serde(default)]
    pub foreign_addresses: Option<bool>,
    #[serde(default)]
    pub gateway_mode4: GatewayMode,
    #[serde(default)]
    pub gateway_mode6: GatewayMode,
    /// Links of the host by which published ports are reached at the containers' own addresses.
    #[serde(default)]
    pub trusted: Vec<String>,
    /// `eth` by default.
    pub ifname_prefix: String,
    /// How often a container's addresses are told to its neighbours; `None`: three times where these may know others.
    #[serde(default)]
    pub advertisements: Option<u32>,
    /// In milliseconds; `None`: 1000.
    #[serde(default)]
    pub advertised_every: Option<u32>,
}

impl Plan {
    pub fn gateway_mode(&self, ipv4: bool) -> GatewayMode {
        if ipv4 { self.gateway_mode4 } else { self.gateway_mode6 }
    }

    /// The bridge's own address in a subnet, if it has one there.
    pub(crate) fn bridge_address(&self, subnet: &Subnet) -> Option<IpNet> {
        let ipv4 = subnet.net.addr().is_ipv4();
        let none = self.no_gateway_address || self.gateway_mode(ipv4) == GatewayMode::Isolated;
        if none { None } else { subnet.own_net() }
    }

    /// Nothing chosen: a network without subnets or a link.
    pub fn new(id: &str, name: &str, driver: Driver) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            driver,
            subnets: vec![],
            link: String::new(),
            mtu: None,
            internal: false,
            icc: true,
            masquerade: true,
            source4: None,
            source6: None,
            no_gateway_address: false,
            host_ip: None,
            guarded: None,
            foreign_addresses: None,
            gateway_mode4: GatewayMode::Nat,
            gateway_mode6: GatewayMode::Nat,
            trusted: vec![],
            ifname_prefix: "eth".into(),
            advertisements: None,
            advertised_every: None,
        }
    }
}

/// How a bridge leads out, of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatewayMode {
    /// The host's address outside, and ports of the host to the containers' ones. Nothing else reaches them.
    #[default]
    Nat,
    /// The same, but who has a route to a container's address reaches all its ports.
    NatUnprotected,
    /// No translation: who has a route to a container's address reaches its published ports there, and ICMP.
    Routed,
    /// The host has no address on the bridge. For internal networks.
    Isolated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Driver {
    Bridge,
    /// `MACVLAN_MODE_*`.
    Macvlan {
        mode: u32,
    },
    /// `IPVLAN_MODE_*` and its flags.
    Ipvlan {
        mode: u16,
        flags: u16,
    },
}

impl Driver {
    /// Whether packets to the outside need a router's address (level 3 modes just send them).
    pub(crate) fn has_gateway(self) -> bool {
        !matches!(self, Driver::Ipvlan { mode: 1 | 2, .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub net: IpNet,
    /// Where addresses are given from; `None`: all of it.
    #[serde(default)]
    pub range: Option<IpNet>,
    #[serde(default)]
    pub gateway: Option<IpAddr>,
    /// The bridge's own address, where that is not the gateway.
    #[serde(default)]
    pub own: Option<IpAddr>,
    /// By name: never given to a container.
    #[serde(default)]
    pub auxiliary: BTreeMap<String, IpAddr>,
}

impl Subnet {
    pub fn of(net: IpNet) -> Self {
        Self { net, range: None, gateway: None, own: None, auxiliary: BTreeMap::new() }
    }

    /// The bridge's address with the prefix.
    pub(crate) fn own_net(&self) -> Option<IpNet> {
        IpNet::new(self.own.or(self.gateway)?, self.net.prefix_len()).ok()
    }
}

/// What a user says of one subnet; all may be missing.
#[derive(Clone, Debug, Default)]
pub struct SubnetRequest {
    pub net: Option<IpNet>,
    pub range: Option<IpNet>,
    pub gateway: Option<IpAddr>,
    pub auxiliary: BTreeMap<String, IpAddr>,
}

/// What is taken, and what there is to choose from.
pub(crate) struct Space<'a> {
    pub(crate) pools: &'a [Ipv4Net],
    /// Networks of the host's routes, addresses and resolvers, and our own.
    pub(crate) taken: &'a [IpNet],
    /// Subnets of this daemon's networks.
    pub(crate) own: &'a [IpNet],
    /// A ULA is derived from it: the daemon's and the network's.
    pub(crate) seed: [u8; 8],
}

/// Chooses what was left open. `ipv4` and `ipv6`: the network shall have such a subnet, asked for or not.
///
/// # Errors
/// `Forbidden` where it overlaps another network of ours, `InvalidArgument` for what does not fit together and where no
/// pool is free.
pub(crate) fn subnets(asked: &[SubnetRequest], ipv4: bool, ipv6: bool, space: &Space<'_>) -> Result<Vec<Subnet>> {
    let mut chosen = Vec::new();
    for request in asked.iter().filter(|request| request.net.is_some()) {
        let subnet = given(request)?;
        if space.own.iter().chain(chosen.iter().map(|s: &Subnet| &s.net)).any(|other| overlaps(other, &subnet.net)) {
            return Err(Error::forbidden("invalid pool request: Pool overlaps with other one on this address space"));
        }
        chosen.push(subnet);
    }
    let has = |chosen: &[Subnet], v4: bool| chosen.iter().any(|s| s.net.addr().is_ipv4() == v4);
    let open: Vec<&SubnetRequest> = asked.iter().filter(|request| request.net.is_none()).collect();
    if ipv4 && !has(&chosen, true) {
        let taken: Vec<Ipv4Net> = space.taken.iter().chain(space.own).filter_map(as_ipv4).collect();
        let free = pool::free(space.pools, &taken).next();
        let net = free.ok_or_else(|| Error::invalid("all predefined address pools have been fully subnetted"))?;
        chosen.insert(0, completed(net.into(), open.iter().find(|r| r.gateway.is_none_or(|g| g.is_ipv4())))?);
    }
    if ipv6 && !has(&chosen, false) {
        chosen.push(completed(free_ula(space)?.into(), None)?);
    }
    Ok(chosen)
}

fn completed(net: IpNet, asked: Option<&&SubnetRequest>) -> Result<Subnet> {
    let mut request = asked.map_or_else(SubnetRequest::default, |r| (*r).clone());
    request.net = Some(net);
    given(&request)
}

/// A subnet whose network is known.
fn given(request: &SubnetRequest) -> Result<Subnet> {
    let net = request.net.map(|net| net.trunc()).ok_or_else(|| Error::internal("a subnet without a network"))?;
    if let Some(range) = request.range
        && !net.contains(&range.trunc())
    {
        return Err(Error::invalid(format!(
            "invalid network config:\ninvalid ip-range {range}: it is not within subnet {net}"
        )));
    }
    for (what, ip) in
        request.gateway.iter().map(|ip| ("gateway", ip)).chain(request.auxiliary.values().map(|ip| ("auxiliary", ip)))
    {
        if !net.contains(ip) {
            return Err(Error::invalid(format!(
                "invalid network config:\ninvalid {what} address {ip}: parent subnet is {net}"
            )));
        }
    }
    let first = net.hosts().find(|ip| !request.auxiliary.values().any(|aux| aux == ip) && *ip != net.network());
    let gateway = request.gateway.or(match request.range {
        Some(range) if range.network() != net.network() => range.hosts().next().or(first),
        _ => first,
    });
    let range = request.range.map(|range| range.trunc());
    Ok(Subnet { net, range, gateway, own: None, auxiliary: request.auxiliary.clone() })
}

/// The IPv6 subnet of the default bridge: what is asked for, or one that nobody has.
///
/// # Errors
/// `InvalidArgument` for what does not fit together.
pub(crate) fn default6(asked: &Ipv6Config, space: &Space<'_>) -> Result<Subnet> {
    let (net, own) = match (asked.bip, asked.fixed) {
        (Some(bip), _) => (bip.trunc(), Some(IpAddr::V6(bip.addr()))),
        (None, Some(fixed)) => (fixed.trunc(), None),
        (None, None) => (free_ula(space)?, None),
    };
    let range = asked.fixed.map(|fixed| fixed.trunc()).filter(|fixed| *fixed != net).map(IpNet::V6);
    let request = SubnetRequest { net: Some(net.into()), range, ..SubnetRequest::default() };
    let first = given(&SubnetRequest { range: None, ..request.clone() })?.gateway;
    with_own(given(&request)?, own.or(first), asked.gateway.map(IpAddr::V6))
}

/// A subnet of the default bridge, whose own address containers need not go by.
///
/// # Errors
/// `InvalidArgument` for a gateway that is not in it.
pub(crate) fn with_own(mut subnet: Subnet, own: Option<IpAddr>, gateway: Option<IpAddr>) -> Result<Subnet> {
    if let Some(outside) = gateway.filter(|ip| !subnet.net.contains(ip)) {
        return Err(Error::invalid(format!("default-gateway {outside} is not in the bridge's subnet {}", subnet.net)));
    }
    subnet.own = own.filter(|own| gateway.is_some_and(|gateway| gateway != *own));
    subnet.gateway = gateway.or(own);
    Ok(subnet)
}

fn free_ula(space: &Space<'_>) -> Result<Ipv6Net> {
    let mut all = (0..=u16::MAX).map(|number| ula(space.seed, number));
    let is_free = |net: &Ipv6Net| !space.taken.iter().chain(space.own).any(|other| overlaps(other, &IpNet::V6(*net)));
    all.find(is_free).ok_or_else(|| Error::invalid("all predefined address pools have been fully subnetted"))
}

/// `fdXX:XXXX:XXXX:N::/64` (RFC 4193).
fn ula(seed: [u8; 8], number: u16) -> Ipv6Net {
    let [a, b, c, d, e, f, g, _] = seed;
    let subnet = u16::from_be_bytes([f, g]).wrapping_add(number).to_be_bytes();
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&[0xfd, a, b, c, d, e, subnet[0], subnet[1]]);
    Ipv6Net::new_assert(Ipv6Addr::from(octets), 64)
}

pub(crate) fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

fn as_ipv4(net: &IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(*net),
        IpNet::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(net: &str, range: &str, gateway: &str) -> SubnetRequest {
        SubnetRequest {
            net: net.parse().ok(),
            range: range.parse().ok(),
            gateway: gateway.parse().ok(),
            auxiliary: BTreeMap::new(),
        }
    }

    fn check(asked: &[SubnetRequest], ipv6: bool, own: &[&str], expected: &str) {
        let own: Vec<IpNet> = own.iter().map(|t| t.parse().unwrap()).collect();
        let space = Space { pools: &pool::default_pools(), taken: &[], own: &own, seed: [1, 2, 3, 4, 5, 6, 7, 8] };
        let shown = |s: &Subnet| format!("{} {}", s.net, s.gateway.map(|g| g.to_string()).unwrap_or_default());
        let got = subnets(asked, true, ipv6, &space);
        let text = got.map_or_else(|e| e.message, |all| all.iter().map(shown).collect::<Vec<_>>().join(", "));
        assert_eq!(text, expected);
    }

    #[test]
    fn the_default_bridges_ipv6() {
        let space = Space { pools: &[], taken: &[], own: &[], seed: [1, 2, 3, 4, 5, 6, 7, 8] };
        let check = |bip: &str, fixed: &str, gateway: &str, expected: &str| {
            let asked = Ipv6Config { bip: bip.parse().ok(), fixed: fixed.parse().ok(), gateway: gateway.parse().ok() };
            let text = |s: Subnet| format!("{} {:?} {:?} {:?}", s.net, s.range, s.gateway, s.own_net());
            assert_eq!(default6(&asked, &space).map_or_else(|e| e.message, text), expected);
        };
        let ula = "fd01:203:405:607::/64 None Some(fd01:203:405:607::1) Some(fd01:203:405:607::1/64)";
        check("", "", "", ula);
        check("", "2001:db8:1::/64", "", "2001:db8:1::/64 None Some(2001:db8:1::1) Some(2001:db8:1::1/64)");
        let both = "2001:db8::/32 Some(2001:db8:1::/64) Some(2001:db8::9) Some(2001:db8::9/32)";
        check("2001:db8::9/32", "2001:db8:1::/64", "", both);
        let gateway = "2001:db8:1::/64 None Some(2001:db8:1::f) Some(2001:db8:1::1/64)";
        check("", "2001:db8:1::/64", "2001:db8:1::f", gateway);
        check("", "2001:db8:1::/64", "::1", "default-gateway ::1 is not in the bridge's subnet 2001:db8:1::/64");
    }

    #[test]
    fn what_is_chosen() {
        check(&[], false, &[], "172.17.0.0/16 172.17.0.1");
        check(&[], false, &["172.17.0.0/16"], "172.18.0.0/16 172.18.0.1");
        check(&[request("10.1.0.7/16", "", "")], false, &[], "10.1.0.0/16 10.1.0.1");
        check(&[request("10.1.0.0/16", "10.1.5.0/24", "")], false, &[], "10.1.0.0/16 10.1.5.1");
        check(&[request("10.1.0.0/16", "", "10.1.0.254")], false, &[], "10.1.0.0/16 10.1.0.254");
        check(&[request("", "", "172.17.0.9")], false, &[], "172.17.0.0/16 172.17.0.9");
        check(&[], true, &[], "172.17.0.0/16 172.17.0.1, fd01:203:405:607::/64 fd01:203:405:607::1");
        let overlap = "invalid pool request: Pool overlaps with other one on this address space";
        check(&[request("10.1.0.0/24", "", "")], false, &["10.0.0.0/8"], overlap);
        let outside = "invalid network config:\ninvalid gateway address 10.2.0.1: parent subnet is 10.1.0.0/16";
        check(&[request("10.1.0.0/16", "", "10.2.0.1")], false, &[], outside);
    }
}
