use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netlink::nft::{self, Element, Family};
use netlink::route::{self, Link};
use netlink::{Result, Socket};

use super::{Bridge, Parent, There};
use crate::plan::Plan;

/// Below `/proc/sys/net`, of the whole host.
const OF_HOST: [&str; 7] = [
    "ipv4/ip_forward",
    "ipv6/conf/all/forwarding",
    "bridge/bridge-nf-call-iptables",
    "bridge/bridge-nf-call-ip6tables",
    "ipv4/conf/all/rp_filter",
    "netfilter/nf_conntrack_count",
    "netfilter/nf_conntrack_max",
];
/// And of a link.
const OF_LINK: [(&str, &str); 4] =
    [("ipv4", "forwarding"), ("ipv4", "rp_filter"), ("ipv6", "forwarding"), ("ipv6", "accept_ra")];
/// Shorter prefixes are ways to the whole world.
const SHORTEST_NETWORK: u8 = 8;

/// Links, addresses and routes of the host as of one moment.
pub(crate) struct Seen {
    links: Vec<Link>,
    addresses: Vec<(u32, IpNet)>,
    routes: Vec<route::Route>,
}

impl Seen {
    pub(crate) fn now(host: &mut Socket) -> Result<Self> {
        let mut addresses = route::addresses(host)?;
        addresses.extend(route::addresses6(host).unwrap_or_default());
        let mut routes = route::routes(host)?;
        routes.extend(route::routes6(host).unwrap_or_default());
        let net = |a: &route::Address| Some((a.link, IpNet::new(a.ip, a.prefix_len).ok()?));
        Ok(Self { links: route::links(host)?, addresses: addresses.iter().filter_map(net).collect(), routes })
    }

    pub(crate) fn has_link(&self, name: &str) -> bool {
        self.links.iter().any(|link| link.name == name)
    }

    fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    pub(crate) fn bridge(&self, plan: &Plan, route_mtu: Option<u32>) -> Bridge {
        let there = |link: &Link| There {
            mtu: link.mtu,
            up: link.up,
            addresses: self.addresses.iter().filter(|(of, _)| *of == link.index).map(|(_, net)| *net).collect(),
        };
        Bridge {
            network: plan.name.clone(),
            link: plan.link.clone(),
            internal: plan.internal,
            fixed_mtu: plan.mtu.is_some(),
            route_mtu,
            subnets: plan.subnets.iter().map(|subnet| subnet.net).collect(),
            wanted: plan.subnets.iter().filter_map(|subnet| plan.bridge_address(subnet)).collect(),
            there: self.links.iter().find(|link| link.name == plan.link).map(there),
        }
    }

    pub(crate) fn parent(&self, plan: &Plan) -> Parent {
        let found = self.links.iter().find(|link| link.name == plan.link);
        Parent { network: plan.name.clone(), link: plan.link.clone(), up: found.map(|link| link.up) }
    }

    /// Links with a default route, without repetition.
    pub(crate) fn uplinks(&self) -> Vec<String> {
        let defaults = self.routes.iter().filter(|route| route.prefix_len == 0 && route.kind == libc::RTN_UNICAST);
        let names = defaults.filter_map(|route| Some(self.link(route.link?)?.name.clone()));
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What is reached by links other than our own.
    pub(crate) fn taken(&self, is_own: impl Fn(&str) -> bool) -> Vec<(IpNet, String)> {
        let routes = self.routes.iter().filter_map(|route| {
            let net = IpNet::new(route.destination, route.prefix_len).ok()?;
            Some((route.link?, net))
        });
        let addresses = self.addresses.iter().map(|(link, net)| (*link, net.trunc()));
        let foreign = routes.chain(addresses).filter_map(|(link, net)| {
            let name = &self.link(link)?.name;
            let net_is_one = net.prefix_len() >= SHORTEST_NETWORK && !is_of_every_link(net.addr());
            (net_is_one && !is_own(name)).then(|| (net, name.clone()))
        });
        // the widest alone: a route, the address in it and the local routes of that are one thing to tell
        let all: BTreeSet<(IpNet, String)> = foreign.collect();
        let inside = |(net, link): &(IpNet, String)| {
            all.iter().any(|(other, of)| of == link && other != net && other.contains(net))
        };
        all.iter().filter(|one| !inside(one)).cloned().collect()
    }
}

fn is_of_every_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_multicast() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_multicast() || ip.is_unicast_link_local(),
    }
}

/// Those of the host and of some links, as far as they are there.
pub(crate) fn sysctls<'a>(links: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
    let of_links = links.flat_map(|link| OF_LINK.map(|(family, key)| format!("{family}/conf/{link}/{key}")));
    let keys = OF_HOST.into_iter().map(str::to_owned).chain(of_links);
    let read = |key: String| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/{key}")).ok()?;
        Some((key, text.trim().to_owned()))
    };
    keys.filter_map(read).collect()
}

/// The sets of the daemon's table whose elements are others in the kernel than in memory.
pub(crate) fn of_firewall<'a>(
    socket: &mut Socket,
    family: Family,
    table: &str,
    sets: impl Iterator<Item = (&'a str, bool, BTreeSet<&'a Element>)>,
) -> Result<Vec<String>> {
    let mut differing = vec![];
    for (name, interval, elements) in sets {
        let found = nft::read::set(socket, family.number(), table, name)?;
        let same = found.is_some_and(|found| {
            let begins: BTreeSet<&[u8]> =
                found.elements.iter().filter(|member| !member.is_end).map(|member| member.key.as_slice()).collect();
            // of networks only the beginnings are compared
            let ours: BTreeSet<&[u8]> = elements.iter().map(|element| element.key()).collect();
            let values = interval
                || elements.iter().all(|element| {
                    found.elements.iter().any(|m| m.key == element.key() && m.value.as_deref() == element.value())
                });
            begins == ours && values
        });
        if !same {
            differing.push(name.to_owned());
        }
    }
    Ok(differing)
}
