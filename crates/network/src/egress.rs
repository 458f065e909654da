use std::net::{IpAddr, Ipv4Addr};

use netlink::route::{self, Target};
use netlink::{Result, Socket};

/// Ethernet's: also what is taken for a way to the outside while there is none.
const ETHERNET_MTU: u32 = 1500;
/// RFC 8200 §5: no way of IPv6 takes less.
const IPV6_MTU: u32 = 1280;
/// What IPv4 asks for at least (RFC 791), and the most a veth takes.
const LIMITS: std::ops::RangeInclusive<u32> = 68..=65535;
/// Some address of the public internet: it is only looked up in the routing table, never sent to.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// The largest packet, in bytes, that the way to the outside takes: the route's limit or its link's. Containers with
/// a larger one rely on ICMP messages that firewalls like to drop, and hang.
pub(crate) fn mtu(socket: &mut Socket) -> Result<u32> {
    let Some(found) = route::lookup(socket, OUTSIDE)? else { return Ok(ETHERNET_MTU) };
    let link = match found.link {
        Some(index) => route::link(socket, Target::Index(index))?,
        None => None,
    };
    let mtu = found.mtu.or(link.map(|l| l.mtu)).unwrap_or(ETHERNET_MTU);
    Ok(mtu.clamp(*LIMITS.start(), *LIMITS.end()))
}

/// The MTU of a network's links, in bytes, where nobody says another. Containers of one network talk to each other and to the host
/// in packets as large as Docker's, whatever the way outside takes: that is a matter of the routes which lead there.
pub(crate) fn link_mtu(way_out: u32) -> u32 {
    way_out.max(ETHERNET_MTU)
}

/// The limit of a default route over `gateway`.
pub(crate) fn route_mtu(gateway: IpAddr, way_out: u32) -> u32 {
    if gateway.is_ipv6() { way_out.max(IPV6_MTU) } else { way_out }
}
