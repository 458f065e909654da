use std::net::{IpAddr, Ipv4Addr};

use crate::batch::Batch;
use crate::error::Result;
use crate::parse::{self, Message};
use crate::route::{DUMP, REPLACE};
use crate::socket::Socket;

/// `RTAX_MTU` (linux/rtnetlink.h).
const METRIC_MTU: u16 = 2;

/// An IPv4 or IPv6 route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network it leads to; `0.0.0.0`/0 for the default route.
    pub destination: IpAddr,
    pub prefix_len: u8,
    /// Index of the link packets leave by (the first one of a multipath route).
    pub link: Option<u32>,
    pub gateway: Option<IpAddr>,
    pub table: u32,
    /// `RTN_UNICAST`, `RTN_LOCAL`, `RTN_BLACKHOLE`, …
    pub kind: u8,
    /// The route's own limit, if it has one below its link's.
    pub mtu: Option<u32>,
}

/// Adds a default route over `gateway`, which a link's address must make reachable. It takes the place of one that is
/// there: at no moment there is none. `mtu`: what passes it at most, in bytes, where that is less than its link's.
pub fn add_default_route(batch: &mut Batch, link: u32, gateway: IpAddr, mtu: Option<u32>) {
    let mut fixed = main_table(gateway);
    fixed[6] = libc::RT_SCOPE_UNIVERSE;
    let mut route = batch.message(format!("add default route via {gateway}"), libc::RTM_NEWROUTE, REPLACE, &fixed);
    route.ip(libc::RTA_GATEWAY, gateway).u32(libc::RTA_OIF, link);
    if let Some(mtu) = mtu {
        route.nested(libc::RTA_METRICS, &[], |metrics| {
            metrics.u32(METRIC_MTU, mtu);
        });
    }
}

/// Adds a default route that leads straight to a link, for one without a gateway, in the place of one that is there.
pub fn add_link_route(batch: &mut Batch, link: u32, family: IpAddr) {
    let mut fixed = main_table(family);
    fixed[6] = if family.is_ipv4() { libc::RT_SCOPE_LINK } else { libc::RT_SCOPE_UNIVERSE };
    batch
        .message(format!("add default route on link {link}"), libc::RTM_NEWROUTE, REPLACE, &fixed)
        .u32(libc::RTA_OIF, link);
}

/// Adds taking away the default route of the family of `any`.
pub fn delete_default_route(batch: &mut Batch, any: IpAddr) {
    let mut fixed = main_table(any);
    fixed[5] = libc::RTPROT_UNSPEC;
    fixed[6] = libc::RT_SCOPE_NOWHERE;
    batch.message("delete default route", libc::RTM_DELROUTE, 0, &fixed);
}

fn main_table(family: IpAddr) -> [u8; 12] {
    let mut fixed = rtmsg(family, 0);
    fixed[4] = libc::RT_TABLE_MAIN;
    fixed[5] = libc::RTPROT_BOOT;
    fixed[7] = libc::RTN_UNICAST;
    fixed
}

/// All IPv4 routes of the namespace, of all tables.
pub fn routes(socket: &mut Socket) -> Result<Vec<Route>> {
    list(socket, Ipv4Addr::UNSPECIFIED.into())
}

/// All IPv6 routes of the namespace, of all tables.
pub fn routes6(socket: &mut Socket) -> Result<Vec<Route>> {
    list(socket, std::net::Ipv6Addr::UNSPECIFIED.into())
}

fn list(socket: &mut Socket, family: IpAddr) -> Result<Vec<Route>> {
    let request = |batch: &mut Batch| {
        let fixed = rtmsg(family, 0);
        batch.message("list routes", libc::RTM_GETROUTE, DUMP, &fixed);
    };
    socket.dump_amid_changes(request, decode)
}

/// The route a packet to `ip` would take, policy rules included; `None` if there is none.
pub fn lookup(socket: &mut Socket, ip: IpAddr) -> Result<Option<Route>> {
    let mut batch = Batch::new();
    let bits = if ip.is_ipv4() { 32 } else { 128 };
    batch.message(format!("look up route to {ip}"), libc::RTM_GETROUTE, 0, &rtmsg(ip, bits)).ip(libc::RTA_DST, ip);
    let mut found = None;
    match socket.query(batch, |answer| found = decode(answer)) {
        Err(error) if error.missing() || unreachable(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(found),
    }
}

fn unreachable(error: &crate::Error) -> bool {
    use rustix::io::Errno;
    matches!(error.errno, Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ACCESS | Errno::INVAL)
}

/// `struct rtmsg` of the family of `ip`, all else zero.
fn rtmsg(ip: IpAddr, destination_len: u8) -> [u8; 12] {
    let mut bytes = [0u8; 12];
    bytes[0] = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    bytes[1] = destination_len;
    bytes
}

pub(super) fn decode(message: Message<'_>) -> Option<Route> {
    let fixed = message.payload.get(..12)?;
    let any: IpAddr = match i32::from(fixed[0]) {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    if message.kind != libc::RTM_NEWROUTE {
        return None;
    }
    let mut route = Route {
        destination: any,
        prefix_len: fixed[1],
        link: None,
        gateway: None,
        table: u32::from(fixed[4]),
        kind: fixed[7],
        mtu: None,
    };
    for (kind, value) in parse::attributes(&message.payload[12..]) {
        match kind {
            libc::RTA_DST => route.destination = parse::ip(value)?,
            libc::RTA_OIF => route.link = parse::word(value, 0),
            libc::RTA_GATEWAY => route.gateway = parse::ip(value),
            libc::RTA_TABLE => route.table = parse::word(value, 0)?,
            libc::RTA_METRICS => {
                route.mtu = parse::attribute(value, METRIC_MTU).and_then(|v| parse::word(v, 0));
            }
            // struct rtnexthop: length, flags, hops, then the link's index.
            libc::RTA_MULTIPATH => route.link = route.link.or(parse::word(value, 4)),
            _ => {}
        }
    }
    Some(route)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_back() {
        let mut batch = Batch::new();
        add_default_route(&mut batch, 2, "172.17.0.1".parse().unwrap(), None);
        let expected: Vec<u8> = [
            vec![44, 0, 0, 0, 24, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0],
            vec![8, 0, 5, 0, 172, 17, 0, 1],
            vec![8, 0, 4, 0, 2, 0, 0, 0],
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
        let route = decode(parse::messages(batch.bytes()).next().unwrap()).unwrap();
        assert_eq!((route.link, route.gateway, route.prefix_len), (Some(2), Some("172.17.0.1".parse().unwrap()), 0));
        assert_eq!(route.mtu, None);
        let mut batch = Batch::new();
        add_default_route(&mut batch, 2, "fd00::1".parse().unwrap(), Some(1400));
        let route = decode(parse::messages(batch.bytes()).next().unwrap()).unwrap();
        assert_eq!((route.gateway, route.mtu), (Some("fd00::1".parse().unwrap()), Some(1400)));
    }

    #[test]
    fn metrics_and_multipath() {
        let mut batch = Batch::new();
        batch
            .message("", libc::RTM_NEWROUTE, 0, &rtmsg("10.0.0.0".parse().unwrap(), 8))
            .attribute(libc::RTA_DST, &[10, 0, 0, 0])
            .attribute(libc::RTA_MULTIPATH, &[16, 0, 0, 0, 9, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1])
            .nested(libc::RTA_METRICS, &[], |m| {
                m.u32(METRIC_MTU, 1280);
            });
        let route = decode(parse::messages(batch.bytes()).next().unwrap()).unwrap();
        assert_eq!((route.link, route.mtu, route.destination), (Some(9), Some(1280), "10.0.0.0".parse().unwrap()));
    }
}
