use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use values::{Error, Result};

use crate::plan::Subnet;

/// Who has which address of a subnet.
///
/// Addresses are given out as from a ring: the next free one after the last given. So one that was just freed, whose
/// old interface may still be dying in the kernel, is taken again as late as possible.
#[derive(Debug)]
pub(crate) struct Leases {
    subnet: IpNet,
    /// First and last address that are given without being asked for.
    range: (u128, u128),
    used: BTreeSet<u128>,
    by_container: HashMap<String, u128>,
    last: u128,
}

impl Leases {
    /// All of the subnet (or its range) but its own address, its broadcast address, the gateway's and auxiliary ones.
    pub(crate) fn new(subnet: &Subnet) -> Self {
        let net = subnet.net;
        let mut used = BTreeSet::from([bits(net.network())]);
        if net.addr().is_ipv4() {
            used.insert(bits(net.broadcast()));
        }
        used.extend(subnet.gateway.iter().chain(&subnet.own).chain(subnet.auxiliary.values()).copied().map(bits));
        let range = subnet.range.unwrap_or(net);
        let range = (bits(range.network()), bits(range.broadcast()));
        Self { subnet: net, range, used, by_container: HashMap::new(), last: range.1 }
    }

    /// The next free address, for `container`.
    pub(crate) fn take(&mut self, container: &str) -> Result<IpAddr> {
        let (first, end) = self.range;
        let free = |from: u128, to: u128| (from..=to).find(|ip| !self.used.contains(ip));
        let after = if self.last >= end { None } else { free(self.last + 1, end) };
        let family = if self.subnet.addr().is_ipv4() { "IPv4" } else { "IPv6" };
        let found = after.or_else(|| free(first, self.last.min(end))).ok_or_else(|| {
            Error::internal(format!("no available {family} addresses on this network's address pools: {}", self.subnet))
        })?;
        self.last = found;
        self.enter(container, found);
        Ok(self.address(found))
    }

    pub(crate) fn covers(&self, ip: IpAddr) -> bool {
        self.subnet.contains(&ip)
    }

    pub(crate) fn is_ipv4(&self) -> bool {
        self.subnet.addr().is_ipv4()
    }

    pub(crate) fn prefix_len(&self) -> u8 {
        self.subnet.prefix_len()
    }

    /// That very address, for `container`. One it has already is fine.
    pub(crate) fn claim(&mut self, container: &str, ip: IpAddr) -> Result<()> {
        if !self.covers(ip) {
            return Err(Error::invalid(format!(
                "Invalid address {ip}: It does not belong to any of this network's subnets"
            )));
        }
        let bits = bits(ip);
        if self.used.contains(&bits) && self.by_container.get(container) != Some(&bits) {
            return Err(Error::forbidden("Address already in use"));
        }
        self.enter(container, bits);
        Ok(())
    }

    /// Frees what `container` has, if it has something.
    pub(crate) fn release(&mut self, container: &str) {
        if let Some(ip) = self.by_container.remove(container) {
            self.used.remove(&ip);
        }
    }

    /// Some container has one.
    pub(crate) fn are_held(&self) -> bool {
        !self.by_container.is_empty()
    }

    fn enter(&mut self, container: &str, ip: u128) {
        self.release(container);
        self.used.insert(ip);
        self.by_container.insert(container.to_owned(), ip);
    }

    fn address(&self, bits: u128) -> IpAddr {
        match self.subnet {
            IpNet::V4(_) => Ipv4Addr::from_bits(bits as u32).into(),
            IpNet::V6(_) => Ipv6Addr::from_bits(bits).into(),
        }
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(subnet: &str) -> Leases {
        let net: IpNet = subnet.parse().unwrap();
        let gateway = net.hosts().find(|ip| *ip != net.network());
        Leases::new(&Subnet { gateway, ..Subnet::of(net) })
    }

    fn take(leases: &mut Leases, container: &str) -> String {
        leases.take(container).map_or_else(|e| e.message, |ip| ip.to_string())
    }

    #[test]
    fn a_ring() {
        let mut l = leases("10.0.0.0/29");
        assert_eq!([take(&mut l, "a"), take(&mut l, "b"), take(&mut l, "c")], ["10.0.0.2", "10.0.0.3", "10.0.0.4"]);
        l.release("a");
        l.release("nobody");
        assert_eq!([take(&mut l, "d"), take(&mut l, "e")], ["10.0.0.5", "10.0.0.6"]);
        assert_eq!(take(&mut l, "f"), "10.0.0.2");
        assert_eq!(take(&mut l, "g"), "no available IPv4 addresses on this network's address pools: 10.0.0.0/29");
        l.release("e");
        assert_eq!(take(&mut l, "g"), "10.0.0.6");
    }

    #[test]
    fn a_range_auxiliary_addresses_and_ipv6() {
        let net = "10.0.0.0/16".parse().unwrap();
        let auxiliary = [("router".to_owned(), "10.0.5.1".parse().unwrap())].into();
        let range = Some("10.0.5.0/30".parse().unwrap());
        let mut l = Leases::new(&Subnet { range, auxiliary, ..Subnet::of(net) });
        assert_eq!([take(&mut l, "a"), take(&mut l, "b"), take(&mut l, "c")], ["10.0.5.0", "10.0.5.2", "10.0.5.3"]);
        assert!(take(&mut l, "d").starts_with("no available"));
        l.claim("d", "10.0.9.9".parse().unwrap()).unwrap();
        let mut l = leases("fd00:1::/64");
        assert_eq!([take(&mut l, "a"), take(&mut l, "b")], ["fd00:1::2", "fd00:1::3"]);
    }

    #[test]
    fn a_container_has_one_address() {
        let mut l = leases("10.0.0.0/30");
        assert_eq!(take(&mut l, "a"), "10.0.0.2");
        l.release("a");
        assert_eq!([take(&mut l, "a"), take(&mut l, "b")].map(|t| t.len() > 10), [false, true]);
    }

    #[test]
    fn wanted_addresses() {
        let mut l = leases("10.0.0.0/24");
        let mut check = |container: &str, ip: &str, expected: Result<(), &str>| {
            let result = l.claim(container, ip.parse().unwrap()).map_err(|e| e.message);
            assert_eq!(result, expected.map_err(str::to_owned), "{container} {ip}");
        };
        check("a", "10.0.0.9", Ok(()));
        check("a", "10.0.0.9", Ok(()));
        check("b", "10.0.0.9", Err("Address already in use"));
        check("b", "10.0.0.1", Err("Address already in use"));
        check("b", "10.0.0.255", Err("Address already in use"));
        check("b", "10.0.1.2", Err("Invalid address 10.0.1.2: It does not belong to any of this network's subnets"));
        check("a", "10.0.0.10", Ok(()));
        check("b", "10.0.0.9", Ok(()));
    }
}
