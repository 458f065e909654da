use std::net::{IpAddr, Ipv4Addr};

use netlink::route::{self, Target};
use netlink::{Result, Socket};

/// What a link without any route to the outside is given: Ethernet's.
const DEFAULT_MTU: u32 = 1500;
/// What IPv4 asks for at least (RFC 791), and the most a veth takes.
const LIMITS: std::ops::RangeInclusive<u32> = 68..=65535;
/// Some address of the public internet: it is only looked up in the routing table, never sent to.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// The largest packet, in bytes, that the way to the outside takes: the route's limit or its link's. Containers with
/// a larger one rely on ICMP messages that firewalls like to drop, and hang.
pub(crate) fn mtu(socket: &mut Socket) -> Result<u32> {
    let Some(found) = route::lookup(socket, OUTSIDE)? else { return Ok(DEFAULT_MTU) };
    let link = match found.link {
        Some(index) => route::link(socket, Target::Index(index))?,
        None => None,
    };
    let mtu = found.mtu.or(link.map(|l| l.mtu)).unwrap_or(DEFAULT_MTU);
    Ok(mtu.clamp(*LIMITS.start(), *LIMITS.end()))
}
