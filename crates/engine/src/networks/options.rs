//! A network's driver and its options, in Docker's spelling.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use network::{Driver, GatewayMode, Plan};
use values::{Error, Result};

/// Docker's beginning of a bridge's and of any driver's options.
const BRIDGE: &str = "com.docker.network.bridge.";

/// Heeded where the request itself does not say.
pub(super) const ENABLE_IPV4: &str = "com.docker.network.enable_ipv4";
pub(super) const ENABLE_IPV6: &str = "com.docker.network.enable_ipv6";
const ADVERTISEMENTS: &str = "com.docker.network.advertise_addr_nmsgs";
const ADVERTISED_EVERY: &str = "com.docker.network.advertise_addr_ms";

/// Ours: `respect` or `bypass`; the daemon's where it is not said.
const HOST_FIREWALL: &str = "com.lighter.network.host_firewall";
/// Ours: `allow` or `refuse`; the daemon's where it is not said.
const FOREIGN_ADDRESSES: &str = "com.lighter.network.foreign_addresses";

/// The driver by its name; the modes of `macvlan` and `ipvlan` are options.
///
/// # Errors
/// `NotFound` in Docker's words for one that is no driver of ours.
pub fn driver(name: &str) -> Result<Driver> {
    match name {
        "" | "default" | "bridge" => Ok(Driver::Bridge),
        "macvlan" => Ok(Driver::Macvlan { mode: 4 }),
        "ipvlan" => Ok(Driver::Ipvlan { mode: 0, flags: 0 }),
        "host" | "null" => Err(Error::forbidden(format!("only one instance of \"{name}\" network is allowed"))),
        "overlay" => Err(Error::unavailable(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.",
        )),
        other => Err(Error::not_found(format!("plugin \"{other}\" not found"))),
    }
}

/// Reads the options into `plan`.
///
/// # Errors
/// `InvalidArgument` naming an option that the driver does not have or a value it cannot have.
pub fn apply(plan: &mut Plan, options: &BTreeMap<String, String>) -> Result<()> {
    for (key, value) in options {
        match plan.driver {
            Driver::Bridge => bridge(plan, key, value)?,
            Driver::Macvlan { .. } => macvlan(plan, key, value)?,
            Driver::Ipvlan { .. } => ipvlan(plan, key, value)?,
        }
    }
    if !plan.internal && [plan.gateway_mode4, plan.gateway_mode6].contains(&GatewayMode::Isolated) {
        return Err(Error::invalid("gateway mode 'isolated' can only be used for an internal network"));
    }
    if plan.driver != Driver::Bridge && plan.link.is_empty() {
        return Err(Error::invalid(
            "a parent interface must be named: -o parent=LINK (a network of this driver without one is not supported)",
        ));
    }
    Ok(())
}

/// The options that daemon.json gives new networks, by driver.
///
/// # Errors
/// As [`apply`].
pub fn check_defaults(all: &BTreeMap<String, BTreeMap<String, String>>) -> Result<()> {
    for (name, options) in all {
        let mut plan = Plan::new("", "", driver(name)?);
        // neither is theirs to say
        (plan.internal, plan.link) = (true, "-".into());
        apply(&mut plan, options).map_err(|e| e.context(name))?;
    }
    Ok(())
}

fn bridge(plan: &mut Plan, key: &str, value: &str) -> Result<()> {
    match key.strip_prefix(BRIDGE).unwrap_or(key) {
        // that which it has anyway
        "name" if value.is_empty() => {}
        "name" => plan.link = value.into(),
        "enable_icc" => plan.icc = boolean(key, value)?,
        "enable_ip_masquerade" => plan.masquerade = boolean(key, value)?,
        "inhibit_ipv4" => plan.no_gateway_address = boolean(key, value)?,
        "host_binding_ipv4" => plan.host_ip = host_ip(key, value)?,
        HOST_FIREWALL => {
            plan.guarded = match value {
                "respect" => Some(true),
                "bypass" => Some(false),
                _ => return Err(bad(key, value, "it must be respect or bypass")),
            }
        }
        FOREIGN_ADDRESSES => {
            plan.foreign_addresses = match value {
                "allow" => Some(true),
                "refuse" => Some(false),
                _ => return Err(bad(key, value, "it must be allow or refuse")),
            }
        }
        "com.docker.network.host_ipv4" => {
            let ip: Ipv4Addr = value.parse().map_err(|_| bad(key, value, "nil ip"))?;
            plan.source4 = Some(ip).filter(|ip| !ip.is_unspecified());
        }
        "com.docker.network.host_ipv6" => {
            let ip: Ipv6Addr = value.parse().map_err(|_| bad(key, value, "nil ip"))?;
            plan.source6 = Some(ip).filter(|ip| !ip.is_unspecified());
        }
        "default_bridge" => drop(boolean(key, value)?),
        "gateway_mode_ipv4" => plan.gateway_mode4 = gateway_mode(key, value)?,
        "gateway_mode_ipv6" => plan.gateway_mode6 = gateway_mode(key, value)?,
        "trusted_host_interfaces" => plan.trusted = links(key, value)?,
        ADVERTISEMENTS | ADVERTISED_EVERY => advertisements(plan, key, value)?,
        _ => return any(plan, key, value),
    }
    Ok(())
}

/// Options of every driver.
fn any(plan: &mut Plan, key: &str, value: &str) -> Result<()> {
    match key {
        "com.docker.network.driver.mtu" | "mtu" => plan.mtu = mtu(key, value)?,
        "com.docker.network.container_iface_prefix" => {
            if value.is_empty() || value.len() > 12 || !value.chars().all(network::may_name_link) {
                return Err(bad(key, value, "it must be a beginning of a link's name, at most 12 bytes"));
            }
            plan.ifname_prefix = value.into();
        }
        ENABLE_IPV4 | ENABLE_IPV6 => drop(boolean(key, value)?),
        _ => return Err(Error::invalid(format!("unknown option {key:?} of a network"))),
    }
    Ok(())
}

/// How often a container's addresses are told to its neighbours, and after how many milliseconds again.
fn advertisements(plan: &mut Plan, key: &str, value: &str) -> Result<()> {
    let within = |range: std::ops::RangeInclusive<u32>, unit: &str| {
        let wrong = || Error::invalid(format!("value for option {key} {value:?} must be {unit}"));
        let number: i64 = value.parse().map_err(|_| wrong())?;
        let outside = || Error::invalid(format!("{key} must be in the range {} to {}", range.start(), range.end()));
        u32::try_from(number).ok().filter(|number| range.contains(number)).ok_or_else(outside)
    };
    match key {
        ADVERTISEMENTS => plan.advertisements = Some(within(0..=3, "an integer")?),
        _ => plan.advertised_every = Some(within(100..=2000, "integer milliseconds")?),
    }
    Ok(())
}

fn macvlan(plan: &mut Plan, key: &str, value: &str) -> Result<()> {
    match key {
        "parent" => plan.link = value.into(),
        "macvlan_mode" => {
            let mode = match value {
                "private" => 1,
                "vepa" => 2,
                "" | "bridge" => 4,
                "passthru" => 8,
                _ => return Err(unknown("macvlan mode", value, "'bridge' mode is the macvlan")),
            };
            plan.driver = Driver::Macvlan { mode };
        }
        ADVERTISEMENTS | ADVERTISED_EVERY => advertisements(plan, key, value)?,
        _ => return any(plan, key, value),
    }
    Ok(())
}

fn ipvlan(plan: &mut Plan, key: &str, value: &str) -> Result<()> {
    let Driver::Ipvlan { mode, flags } = &mut plan.driver else { return Ok(()) };
    match key {
        "parent" => plan.link = value.into(),
        "ipvlan_mode" => {
            *mode = match value {
                "" | "l2" => 0,
                "l3" => 1,
                "l3s" => 2,
                _ => return Err(unknown("ipvlan mode", value, "'l2' mode is the ipvlan")),
            };
        }
        "ipvlan_flag" => {
            *flags = match value {
                "" | "bridge" => 0,
                "private" => 1,
                "vepa" => 2,
                _ => return Err(unknown("ipvlan flag", value, "'bridge' flag is the ipvlan")),
            };
        }
        _ => return any(plan, key, value),
    }
    Ok(())
}

/// In Docker's words.
fn unknown(what: &str, value: &str, default: &str) -> Error {
    Error::invalid(format!("requested {what} '{value}' is not valid, {default} driver default"))
}

fn gateway_mode(key: &str, value: &str) -> Result<GatewayMode> {
    Ok(match value {
        "" | "nat" => GatewayMode::Nat,
        "nat-unprotected" => GatewayMode::NatUnprotected,
        "routed" => GatewayMode::Routed,
        "isolated" => GatewayMode::Isolated,
        _ => return Err(bad(key, value, &format!("unknown gateway mode {value}"))),
    })
}

/// Names of links, a colon between them.
fn links(key: &str, value: &str) -> Result<Vec<String>> {
    let good = |name: &str| !name.is_empty() && name.len() < 16 && !name.contains(['/', ' ']);
    let names: Vec<&str> = value.split(':').filter(|name| !name.is_empty()).collect();
    if names.iter().all(|name| good(name)) {
        Ok(names.into_iter().map(str::to_owned).collect())
    } else {
        Err(bad(key, value, "names of links with colons between them are wanted"))
    }
}

/// All addresses of the host are no address in particular.
fn host_ip(key: &str, value: &str) -> Result<Option<IpAddr>> {
    let ip: IpAddr = value.parse().map_err(|_| bad(key, value, "nil ip"))?;
    Ok(Some(ip).filter(|ip| !ip.is_unspecified()))
}

fn mtu(key: &str, value: &str) -> Result<Option<u32>> {
    let bad_number = || bad(key, value, &format!("strconv.Atoi: parsing {value:?}: invalid syntax"));
    let mtu: u32 = value.parse().map_err(|_| bad_number())?;
    match mtu {
        0 => Ok(None),
        68..=65535 => Ok(Some(mtu)),
        _ => Err(bad(key, value, "it must be from 68 to 65535, or 0")),
    }
}

pub(super) fn boolean(key: &str, value: &str) -> Result<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" | "" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(bad(key, value, &format!("strconv.ParseBool: parsing {value:?}: invalid syntax"))),
    }
}

fn bad(key: &str, value: &str, why: &str) -> Error {
    Error::invalid(format!("failed to parse {key} value: {value} ({why})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Plan {
        super::super::create::empty_plan("0123456789abcdef", "n", driver(name).unwrap())
    }

    #[test]
    fn options_are_read_or_refused() {
        let check = |name: &str, key: &str, value: &str, expected: Result<&str, &str>| {
            let mut plan = plan(name);
            if name != "bridge" {
                plan.link = "eth0".into();
            }
            let result = apply(&mut plan, &BTreeMap::from([(key.to_owned(), value.to_owned())]));
            match (result, expected) {
                (Ok(()), Ok(part)) => assert!(format!("{plan:?}").contains(part), "{key}: {plan:?}"),
                (Err(e), Err(part)) => assert!(e.message.contains(part), "{key}: {e}"),
                (other, _) => panic!("{key}={value}: {other:?}"),
            }
        };
        check("bridge", "com.docker.network.bridge.name", "br7", Ok("link: \"br7\""));
        check("bridge", "com.docker.network.bridge.name", "", Ok("link: \"br-0123456789ab\""));
        check("bridge", "com.docker.network.container_iface_prefix", "net", Ok("prefix: \"net\""));
        check("bridge", "com.docker.network.container_iface_prefix", "a%d", Err("beginning of a link's name"));
        check("bridge", "com.docker.network.host_ipv4", "0.0.0.0", Ok("source4: None"));
        check("bridge", "com.docker.network.bridge.enable_icc", "false", Ok("icc: false"));
        check("bridge", "com.docker.network.bridge.host_binding_ipv4", "127.0.0.1", Ok("host_ip: Some(127.0.0.1)"));
        check("bridge", "com.lighter.network.host_firewall", "respect", Ok("guarded: Some(true)"));
        check("bridge", "com.lighter.network.host_firewall", "maybe", Err("value: maybe ("));
        check("bridge", FOREIGN_ADDRESSES, "allow", Ok("foreign_addresses: Some(true)"));
        check("bridge", FOREIGN_ADDRESSES, "refuse", Ok("foreign_addresses: Some(false)"));
        check("bridge", FOREIGN_ADDRESSES, "yes", Err("it must be allow or refuse"));
        check("macvlan", "com.lighter.network.host_firewall", "respect", Err("unknown option"));
        check("bridge", "com.docker.network.driver.mtu", "1300", Ok("mtu: Some(1300)"));
        check("bridge", "com.docker.network.driver.mtu", "x", Err("strconv.Atoi: parsing \"x\": invalid syntax"));
        check("bridge", "com.docker.network.bridge.gateway_mode_ipv4", "routed", Ok("gateway_mode4: Routed"));
        check("bridge", "com.docker.network.bridge.gateway_mode_ipv6", "nat-unprotected", Ok("mode6: NatUnprotected"));
        let isolated = "gateway mode 'isolated' can only be used for an internal network";
        check("bridge", "com.docker.network.bridge.gateway_mode_ipv4", "isolated", Err(isolated));
        check("bridge", "com.docker.network.bridge.gateway_mode_ipv4", "x", Err("value: x (unknown gateway mode x)"));
        check("bridge", "com.docker.network.bridge.trusted_host_interfaces", "a:b", Ok("trusted: [\"a\", \"b\"]"));
        check("bridge", "com.docker.network.host_ipv4", "192.0.2.7", Ok("source4: Some(192.0.2.7)"));
        check("bridge", "com.docker.network.host_ipv6", "2001:db8::7", Ok("source6: Some(2001:db8::7)"));
        check("bridge", "com.docker.network.host_ipv4", "x", Err("value: x (nil ip)"));
        check("bridge", ADVERTISEMENTS, "0", Ok("advertisements: Some(0)"));
        check("macvlan", ADVERTISED_EVERY, "2000", Ok("advertised_every: Some(2000)"));
        check("bridge", ADVERTISEMENTS, "-1", Err("advertise_addr_nmsgs must be in the range 0 to 3"));
        check("bridge", ADVERTISED_EVERY, "99", Err("advertise_addr_ms must be in the range 100 to 2000"));
        check("bridge", ADVERTISEMENTS, "x", Err("advertise_addr_nmsgs \"x\" must be an integer"));
        check("bridge", ADVERTISED_EVERY, "x", Err("advertise_addr_ms \"x\" must be integer milliseconds"));
        check("ipvlan", ADVERTISEMENTS, "3", Err("unknown option"));
        check("bridge", "foo", "bar", Err("unknown option \"foo\""));
        check("macvlan", "macvlan_mode", "passthru", Ok("mode: 8"));
        check("ipvlan", "ipvlan_mode", "l3", Ok("mode: 1"));
        let defaults = |driver: &str, key: &str| {
            check_defaults(&[(driver.to_owned(), [(key.to_owned(), "1300".to_owned())].into())].into())
        };
        assert!(defaults("bridge", "com.docker.network.driver.mtu").is_ok());
        assert!(defaults("bridge", "foo").unwrap_err().message.contains("unknown option"));
        assert!(defaults("foo", "x").unwrap_err().message.contains("plugin \"foo\" not found"));
        assert!(apply(&mut plan("macvlan"), &BTreeMap::new()).unwrap_err().message.contains("-o parent=LINK"));
        assert_eq!(driver("foo").unwrap_err().message, "plugin \"foo\" not found");
    }
}
