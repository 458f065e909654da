//! `--subnet`, `--ip-range`, `--gateway`, `--aux-address` as one configuration for each subnet.

use std::net::IpAddr;

use api::types::IpamConfig;

use super::create::failure;
use crate::Invocation;
use crate::failure::Failure;

/// A network: address bits and the length of its prefix, IPv4 in the lowest bits.
#[derive(Clone, Copy)]
pub struct Net {
    ipv4: bool,
    bits: u128,
    length: u32,
}

/// `ADDRESS/LENGTH`
pub fn parse(text: &str) -> Option<Net> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let (bits, most) = bits(address);
    let length = length.parse().ok().filter(|length| *length <= most)?;
    Some(Net { ipv4: address.is_ipv4(), bits, length })
}

fn bits(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(ip) => (ip.to_bits().into(), 32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    }
}

impl Net {
    fn holds(self, ip: IpAddr) -> bool {
        let (bits, most) = bits(ip);
        if self.ipv4 != ip.is_ipv4() {
            return false;
        }
        let host = most - self.length;
        bits.checked_shr(host).unwrap_or(0) == self.bits.checked_shr(host).unwrap_or(0)
    }

    fn first(self) -> IpAddr {
        if self.ipv4 {
            std::net::Ipv4Addr::from_bits(self.bits as u32).into()
        } else {
            std::net::Ipv6Addr::from_bits(self.bits).into()
        }
    }
}

/// One configuration for each subnet, with what lies in it.
///
/// # Errors
/// Docker's sentences for what overlaps or lies nowhere.
pub fn subnets(call: &Invocation) -> Result<Vec<IpamConfig>, Failure> {
    let all = |flag: &'static str| call.all(flag).map(|text| text.trim().to_owned()).collect::<Vec<_>>();
    let (names, ranges, gateways) = (all("subnet"), all("ip-range"), all("gateway"));
    if names.len() < ranges.len() || names.len() < gateways.len() {
        return Err(failure("every ip-range or gateway must have a corresponding subnet"));
    }
    let mut configs: Vec<IpamConfig> = vec![];
    for name in &names {
        let overlaps = |other: &IpamConfig| match (parse(name), parse(&other.subnet)) {
            (Some(a), Some(b)) => a.holds(b.first()) || b.holds(a.first()),
            _ => false,
        };
        if configs.iter().any(overlaps) {
            return Err(failure("multiple overlapping subnet configuration is not supported"));
        }
        configs.push(IpamConfig { subnet: name.clone(), ..IpamConfig::default() });
    }
    let holder = |configs: &mut [IpamConfig], ip: IpAddr| {
        configs.iter_mut().position(|config| parse(&config.subnet).is_some_and(|net| net.holds(ip)))
    };
    for range in &ranges {
        let at = parse(range).and_then(|net| holder(&mut configs, net.first()));
        let config =
            at.map(|at| &mut configs[at]).ok_or_else(|| failure(format!("no matching subnet for range {range}")))?;
        if !config.ip_range.is_empty() {
            return Err(failure(format!(
                "cannot configure multiple ranges ({range}, {}) on the same subnet ({})",
                config.ip_range, config.subnet
            )));
        }
        config.ip_range.clone_from(range);
    }
    for gateway in &gateways {
        let at = gateway.parse().ok().and_then(|ip| holder(&mut configs, ip));
        let config = at
            .map(|at| &mut configs[at])
            .ok_or_else(|| failure(format!("no matching subnet for gateway {gateway}")))?;
        if !config.gateway.is_empty() {
            return Err(failure(format!(
                "cannot configure multiple gateways ({gateway}, {}) for the same subnet ({})",
                config.gateway, config.subnet
            )));
        }
        config.gateway.clone_from(gateway);
    }
    for (name, address) in call.all("aux-address").filter_map(|text| text.split_once('=')) {
        let at = address.parse().ok().and_then(|ip| holder(&mut configs, ip));
        let config = at
            .map(|at| &mut configs[at])
            .ok_or_else(|| failure(format!("no matching subnet for aux-address {address}")))?;
        config.auxiliary_addresses.insert(name.into(), address.into());
    }
    Ok(configs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_where() {
        let check = |net: &str, ip: &str, expected: bool| {
            assert_eq!(parse(net).unwrap().holds(ip.parse().unwrap()), expected, "{net} {ip}");
        };
        check("10.1.0.0/16", "10.1.9.9", true);
        check("10.1.0.0/16", "10.2.0.1", false);
        check("0.0.0.0/0", "10.2.0.1", true);
        check("fd00::/64", "fd00::9", true);
        check("fd00::/64", "10.0.0.1", false);
        assert!(parse("10.0.0.0").is_none() && parse("10.0.0.0/33").is_none() && parse("x/8").is_none());
    }
}
