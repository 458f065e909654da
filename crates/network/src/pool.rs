use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Docker's pools for networks of one machine, in the order in which they are taken: 172.17–30/16, then sixteen /20
/// of 192.168/16 (spec/wire-formats.md §12). Its last one of 172/12 comes at the end and in small pieces, so that there
/// are not 31 networks but 286.
pub fn default_pools() -> Vec<Ipv4Net> {
    let large = (17..=30).map(|second| net(Ipv4Addr::new(172, second, 0, 0), 16));
    let middle = (0..16).map(|block| net(Ipv4Addr::new(192, 168, block * 16, 0), 20));
    let small = (0..=255).map(|third| net(Ipv4Addr::new(172, 31, third, 0), 24));
    large.chain(middle).chain(small).collect()
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
        assert_eq!(pools.len(), 286);
        let texts: Vec<String> = pools.iter().map(ToString::to_string).collect();
        assert_eq!((texts[0].as_str(), texts[13].as_str()), ("172.17.0.0/16", "172.30.0.0/16"));
        assert_eq!((texts[14].as_str(), texts[29].as_str()), ("192.168.0.0/20", "192.168.240.0/20"));
        assert_eq!((texts[30].as_str(), texts[285].as_str()), ("172.31.0.0/24", "172.31.255.0/24"));
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
