use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Docker's pools for networks of one machine, in the order in which they are taken: 172.17–31/16, then sixteen /20
/// of 192.168/16 (spec/wire-formats.md §12).
pub fn default_pools() -> Vec<Ipv4Net> {
    let large = (17..=31).map(|second| net(Ipv4Addr::new(172, second, 0, 0), 16));
    let small = (0..16).map(|block| net(Ipv4Addr::new(192, 168, block * 16, 0), 20));
    large.chain(small).collect()
}

fn net(address: Ipv4Addr, prefix_len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(address, prefix_len)
}

/// The pools that overlap with nothing in `taken`, in order.
pub(crate) fn free<'a>(pools: &'a [Ipv4Net], taken: &'a [Ipv4Net]) -> impl Iterator<Item = Ipv4Net> + 'a {
    pools.iter().copied().filter(|pool| !taken.iter().any(|other| overlaps(pool, other)))
}

pub(crate) fn overlaps(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// A network with the address of its gateway, the first one: 172.17.0.0/16 → 172.17.0.1/16.
pub(crate) fn with_gateway(network: &Ipv4Net) -> Ipv4Net {
    net(Ipv4Addr::from_bits(network.network().to_bits().saturating_add(1)), network.prefix_len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_pools() {
        let pools = default_pools();
        assert_eq!(pools.len(), 31);
        let texts: Vec<String> = pools.iter().map(ToString::to_string).collect();
        assert_eq!((texts[0].as_str(), texts[14].as_str()), ("172.17.0.0/16", "172.31.0.0/16"));
        assert_eq!((texts[15].as_str(), texts[30].as_str()), ("192.168.0.0/20", "192.168.240.0/20"));
        assert_eq!(with_gateway(&pools[0]).to_string(), "172.17.0.1/16");
    }

    #[test]
    fn what_overlaps_is_skipped() {
        let check = |taken: &[&str], expected: &str| {
            let taken: Vec<Ipv4Net> = taken.iter().map(|t| t.parse().unwrap()).collect();
            let found = free(&default_pools(), &taken).next().map(|n| n.to_string()).unwrap_or_default();
            assert_eq!(found, expected, "{taken:?}");
        };
        check(&[], "172.17.0.0/16");
        check(&["172.17.3.0/24"], "172.18.0.0/16");
        check(&["172.16.0.0/14"], "172.20.0.0/16");
        check(&["172.16.0.0/12"], "192.168.0.0/20");
        check(&["172.16.0.0/12", "192.168.1.7/32"], "192.168.16.0/20");
        check(&["172.16.0.0/12", "192.168.0.0/16"], "");
        check(&["10.0.0.0/8", "0.0.0.0/0"], "");
    }
}
