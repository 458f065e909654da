use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use values::{Error, Result};

/// Who has which address of a subnet.
///
/// Addresses are given out as from a ring: the next free one after the last given. So one that was just freed, whose
/// old interface may still be dying in the kernel, is taken again as late as possible.
#[derive(Debug)]
pub(crate) struct Leases {
    subnet: Ipv4Net,
    used: BTreeSet<u32>,
    by_container: HashMap<String, u32>,
    last: u32,
}

impl Leases {
    /// All of `subnet` but its own address, its broadcast address and the gateway's.
    pub(crate) fn new(subnet: Ipv4Net, gateway: Ipv4Addr) -> Self {
        let ends = [subnet.network(), subnet.broadcast(), gateway].map(Ipv4Addr::to_bits);
        Self { subnet, used: ends.into(), by_container: HashMap::new(), last: subnet.network().to_bits() }
    }

    /// The next free address, for `container`.
    pub(crate) fn take(&mut self, container: &str) -> Result<Ipv4Addr> {
        let (first, end) = (self.subnet.network().to_bits(), self.subnet.broadcast().to_bits());
        let free = |range: std::ops::RangeInclusive<u32>| range.into_iter().find(|ip| !self.used.contains(ip));
        let after = self.last.saturating_add(1)..=end;
        let found = free(after).or_else(|| free(first..=self.last)).ok_or_else(|| {
            Error::internal(format!("no available IPv4 addresses on this network's address pools: {}", self.subnet))
        })?;
        self.last = found;
        self.enter(container, found);
        Ok(Ipv4Addr::from_bits(found))
    }

    /// That very address, for `container`. One it has already is fine.
    pub(crate) fn claim(&mut self, container: &str, ip: Ipv4Addr) -> Result<()> {
        let bits = ip.to_bits();
        if !self.subnet.contains(&ip) {
            return Err(Error::invalid(format!(
                "Invalid address {ip}: It does not belong to any of this network's subnets"
            )));
        }
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

    fn enter(&mut self, container: &str, ip: u32) {
        self.release(container);
        self.used.insert(ip);
        self.by_container.insert(container.to_owned(), ip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(subnet: &str) -> Leases {
        let subnet: Ipv4Net = subnet.parse().unwrap();
        Leases::new(subnet, Ipv4Addr::from_bits(subnet.network().to_bits() + 1))
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
