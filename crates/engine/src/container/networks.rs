//! A container's networks: which ones, what it asks of each, and which ports of the host lead there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::types::{ContainerConfig, EndpointSettings, HostConfig, NetworkingConfig, PortBinding, PortMap, PortSummary};
use network::{Endpoint, EndpointRequest, PortRequest, Protocol, Published, ways_out};
use values::{Error, Result};

use super::modes::NetworkMode;
use super::record::Record;
use crate::dns::names::{Member, Place};
use crate::networks;
use crate::shared::Shared;

/// Docker's names of what an endpoint's options are.
const IFNAME: &str = "com.docker.network.endpoint.ifname";
const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";

/// The networks a new container is to be on, by name. One that is not there keeps the name it was called by: the start
/// fails by it.
pub fn attachments(
    shared: &Shared,
    config: &ContainerConfig,
    host: &HostConfig,
    networking: &NetworkingConfig,
) -> Result<BTreeMap<String, EndpointSettings>> {
    let mode = NetworkMode::of(config, host)?;
    let main = match mode {
        NetworkMode::Bridge => networks::BRIDGE.to_owned(),
        NetworkMode::None => networks::NONE.to_owned(),
        NetworkMode::Host => networks::HOST.to_owned(),
        NetworkMode::Named(name) => known_name(shared, name),
        NetworkMode::Container(_) => return Ok(BTreeMap::new()),
    };
    let mut all = BTreeMap::from([(main, EndpointSettings::default())]);
    for (key, settings) in networking.endpoints_config.iter().flatten() {
        let name = if key == "default" { networks::BRIDGE.to_owned() } else { known_name(shared, key) };
        // the default network's settings are sent even where another one is the container's
        if name == networks::BRIDGE && mode != NetworkMode::Bridge && *settings == EndpointSettings::default() {
            continue;
        }
        // one that is not there is missed by the start
        let checked = match networks::find(shared, &name) {
            Ok(found) => networks::check_endpoint(shared, &found, settings),
            Err(_) => super::validate::endpoint(settings, true, None),
        };
        checked.map_err(|e| {
            let of_settings = super::validate::is_of_settings(&e);
            if of_settings { e.context(format!("invalid config for network {name}")) } else { e }
        })?;
        all.insert(name, settings.clone());
    }
    Ok(all)
}

fn known_name(shared: &Shared, key: &str) -> String {
    networks::find(shared, key).map_or_else(|_| key.to_owned(), |found| found.name)
}

/// What a start asks of the networks, the container's main one first.
///
/// # Errors
/// `NotFound` for a network that is not there.
pub fn requests(shared: &Shared, record: &Record) -> Result<Vec<EndpointRequest>> {
    let main = match record.network() {
        NetworkMode::Bridge => networks::BRIDGE.to_owned(),
        NetworkMode::Named(name) => known_name(shared, name),
        _ => return Ok(vec![]),
    };
    let mut all: Vec<_> = record.attachments().into_iter().collect();
    all.sort_by_key(|(name, _)| *name != main);
    all.into_iter().map(|(name, settings)| request(shared, record, &name, &settings, name == main)).collect()
}

/// What is asked of one network.
///
/// # Errors
/// `NotFound` for a network that is not there, `InvalidArgument` for bad settings.
pub fn request(
    shared: &Shared,
    record: &Record,
    name: &str,
    settings: &EndpointSettings,
    is_main: bool,
) -> Result<EndpointRequest> {
    let found = networks::find(shared, name)?;
    if found.config_only {
        return Err(Error::forbidden("cannot create endpoint on configuration-only network"));
    }
    let mac = [settings.mac_address.as_str(), if is_main { &record.config.mac_address } else { "" }];
    let mac = mac.into_iter().find(|mac| !mac.is_empty()).map(super::join::parse_mac).transpose()?;
    let ipam = settings.ipam_config.clone().unwrap_or_default();
    let options = settings.driver_opts.iter().flatten();
    let option = |key: &str| options.clone().find(|(k, _)| *k == key).map(|(_, value)| value.as_str());
    Ok(EndpointRequest {
        network: found.id,
        mac,
        ip: address(&ipam.ipv4_address)?,
        ip6: address(&ipam.ipv6_address)?,
        link_local: ipam
            .link_local_ips
            .iter()
            .map(|ip| address(ip))
            .filter_map(Result::transpose)
            .collect::<Result<_>>()?,
        ifname: option(IFNAME).map(str::to_owned),
        gateway_priority: settings.gw_priority,
        sysctls: option(SYSCTLS).map_or(Ok(vec![]), sysctls)?,
    })
}

fn address<T: std::str::FromStr>(text: &str) -> Result<Option<T>> {
    let bad = |_| Error::invalid(format!("invalid IP address: {text}"));
    if text.is_empty() { Ok(None) } else { text.parse().map_err(bad).map(Some) }
}

/// `net.ipv4.conf.IFNAME.log_martians=1,…`: only what is the link's own. Docker's client sends `ifname`.
fn sysctls(text: &str) -> Result<Vec<(String, String)>> {
    let one = |entry: &str| {
        let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
        match key.split('.').collect::<Vec<_>>()[..] {
            ["net", family @ ("ipv4" | "ipv6" | "mpls"), kind, link, name]
                if link.eq_ignore_ascii_case("IFNAME")
                    && [kind, name].iter().all(|p| !p.is_empty() && !p.contains('/')) =>
            {
                if !entry.contains('=') {
                    return Err(Error::invalid(format!("expected sysctl '{entry}' to have format name=value")));
                }
                Ok((format!("net.{family}.{kind}.IFNAME.{name}"), value.to_owned()))
            }
            _ => Err(Error::invalid(format!(
                "unrecognised network interface sysctl '{entry}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' \
                 must be 'ipv4', 'ipv6' or 'mpls'"
            ))),
        }
    };
    text.split(',').map(one).collect()
}

/// Checks the options of one endpoint.
///
/// # Errors
/// `InvalidArgument` naming an unknown one.
pub fn check_options(settings: &EndpointSettings) -> Result<()> {
    for (key, value) in settings.driver_opts.iter().flatten() {
        match key.as_str() {
            IFNAME if !value.is_empty() && value.len() < 16 && !value.contains(['/', ':', ' ']) => {}
            SYSCTLS => drop(sysctls(value)?),
            IFNAME => return Err(Error::invalid(format!("invalid interface name {value:?}"))),
            _ => return Err(Error::invalid(format!("unknown option {key:?} of an endpoint"))),
        }
    }
    Ok(())
}

/// The names by which others on a network find it: its own, its aliases, its short id, its host name.
pub fn dns_names(record: &Record, settings: &EndpointSettings) -> Vec<String> {
    let mut names = vec![record.name.clone()];
    let aliases = settings.aliases.iter().flatten().cloned();
    for name in aliases.chain([record.id.short().to_owned(), record.hostname().to_owned()]) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The container as DNS knows it.
pub fn member(shared: &Shared, record: &Record, endpoints: &[Endpoint]) -> Member {
    let attachments = record.attachments();
    let place = |endpoint: &Endpoint| {
        let settings = attachments.get(&endpoint.network).cloned().unwrap_or_default();
        let of_host = record.host.links.iter().flatten();
        let links = settings.links.iter().flatten().chain(of_host).filter_map(|text| super::links::parse(text).ok());
        Place {
            network_id: endpoint.network_id.clone(),
            network: endpoint.network.to_lowercase(),
            names: dns_names(record, &settings).iter().map(|name| name.to_lowercase()).collect(),
            addresses: endpoint.addresses().collect(),
            links: links.map(|(target, alias)| (alias.to_lowercase(), target.to_lowercase())).collect(),
        }
    };
    let servers = record.host.dns.as_ref().filter(|list| !list.is_empty()).unwrap_or(&shared.config.defaults.dns);
    Member {
        places: endpoints.iter().filter(|e| !networks::is_predefined(&e.network)).map(place).collect(),
        forwards: endpoints.iter().any(|e| e.gateway.is_some() || e.gateway6.is_some()),
        servers: servers.iter().filter_map(|text| text.split('%').next()?.parse().ok()).collect(),
    }
}

/// Whether it asks 127.0.0.11.
pub fn has_dns(endpoints: &[Endpoint]) -> bool {
    endpoints.iter().any(|endpoint| !networks::is_predefined(&endpoint.network))
}

/// All ports a container says it has.
pub fn exposed(config: &ContainerConfig) -> Vec<(Protocol, u16)> {
    config.exposed_ports.keys().filter_map(|key| inside(key).ok()).flatten().collect()
}

/// The place that ports lead to: that of the default route, if the network is a bridge.
pub fn port_endpoint(endpoints: &[Endpoint]) -> Option<&Endpoint> {
    let (v4, v6) = ways_out(endpoints);
    v4.or(v6).filter(|endpoint| !endpoint.host_ifname.is_empty())
}

/// The ports to be published: those that are named, and with `-P` all that are exposed. `default_ip`: where one goes that
/// names no address.
pub fn port_requests(
    config: &ContainerConfig,
    host: &HostConfig,
    default_ip: Option<IpAddr>,
) -> Result<Vec<PortRequest>> {
    let mut requests = vec![];
    let named = host.port_bindings.iter().flatten();
    for (key, bindings) in named.clone() {
        for (protocol, port) in inside(key)? {
            let bindings = bindings.iter().flatten();
            for binding in bindings.clone() {
                requests.push(bound(protocol, port, binding, default_ip)?);
            }
            if bindings.count() == 0 {
                requests.push(PortRequest { protocol, port, host_ip: default_ip, host_ports: None });
            }
        }
    }
    if host.publish_all_ports {
        for key in config.exposed_ports.keys() {
            for (protocol, port) in inside(key)? {
                if !requests.iter().any(|r| r.protocol == protocol && r.port == port) {
                    requests.push(PortRequest { protocol, port, host_ip: default_ip, host_ports: None });
                }
            }
        }
    }
    // those that must have a certain port come before those that take any
    requests.sort_by_key(|r| (r.host_ports.is_none_or(|(first, last)| first != last), r.port));
    Ok(requests)
}

fn bound(protocol: Protocol, port: u16, binding: &PortBinding, default_ip: Option<IpAddr>) -> Result<PortRequest> {
    let bad = || Error::invalid(format!("invalid port specification: {:?}", binding.host_port));
    let number = |text: &str| text.parse::<u16>().map_err(|_| bad());
    let host_ports = match binding.host_port.split_once('-') {
        _ if matches!(binding.host_port.as_str(), "" | "0") => None,
        Some((first, last)) => Some((number(first)?, number(last)?)),
        None => Some((number(&binding.host_port)?, number(&binding.host_port)?)),
    };
    let host_ip = match binding.host_ip.as_str() {
        "" => default_ip,
        text => Some(text.parse().map_err(|_| Error::invalid(format!("invalid IP address: {text}")))?),
    };
    Ok(PortRequest { protocol, port, host_ip, host_ports })
}

/// `80`, `80/tcp`, `8000-8002/udp`
fn inside(key: &str) -> Result<Vec<(Protocol, u16)>> {
    let bad = || Error::invalid(format!("invalid port specification: {key:?}"));
    let (range, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    let protocol = Protocol::parse(protocol).ok_or_else(bad)?;
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u16, u16) = (first.parse().map_err(|_| bad())?, last.parse().map_err(|_| bad())?);
    Ok((first..=last).map(|port| (protocol, port)).collect())
}

/// `NetworkSettings.Ports`: what is published, and what is only exposed.
pub fn port_map(config: &ContainerConfig, published: &[Published]) -> PortMap {
    let exposed = config.exposed_ports.keys().filter_map(|key| inside(key).ok()).flatten();
    let mut map: PortMap = exposed.map(|(protocol, port)| (format!("{port}/{}", protocol.name()), None)).collect();
    for one in published {
        let key = format!("{}/{}", one.port, one.protocol.name());
        // one that is routed has none on the host
        let host_port = if one.host_port == 0 { String::new() } else { one.host_port.to_string() };
        let binding = PortBinding { host_ip: one.host_ip.to_string(), host_port };
        map.entry(key).or_default().get_or_insert_default().push(binding);
    }
    map
}

/// The ports of a list's row.
pub fn port_summaries(config: &ContainerConfig, published: &[Published]) -> Vec<PortSummary> {
    let exposed = config.exposed_ports.keys().filter_map(|key| inside(key).ok()).flatten();
    let unpublished =
        exposed.filter(|(protocol, port)| !published.iter().any(|p| p.protocol == *protocol && p.port == *port));
    let plain = |(protocol, port): (Protocol, u16)| PortSummary {
        private_port: port,
        kind: protocol.name().into(),
        ..PortSummary::default()
    };
    let bound = |one: &Published| PortSummary {
        ip: one.host_ip.to_string(),
        private_port: one.port,
        public_port: one.host_port,
        kind: one.protocol.name().into(),
    };
    let mut all: Vec<_> = unpublished.map(plain).chain(published.iter().map(bound)).collect();
    all.sort_by(|a, b| {
        (a.private_port, &a.kind, a.public_port, &a.ip).cmp(&(b.private_port, &b.kind, b.public_port, &b.ip))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::lenient::Empty;

    fn requests_of(bindings: &[(&str, &str, &str)], exposed: &[&str], all: bool) -> Vec<String> {
        let mut map = PortMap::new();
        for (inside, ip, port) in bindings {
            let binding = PortBinding { host_ip: (*ip).into(), host_port: (*port).into() };
            map.entry((*inside).into()).or_default().get_or_insert_default().push(binding);
        }
        let host = HostConfig { port_bindings: Some(map), publish_all_ports: all, ..HostConfig::default() };
        let exposed_ports = exposed.iter().map(|port| ((*port).to_owned(), Empty {})).collect();
        let config = ContainerConfig { exposed_ports, ..ContainerConfig::default() };
        let show = |r: &PortRequest| {
            let host =
                r.host_ports.map_or("any".to_owned(), |(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
            let ip = r.host_ip.map_or("*".to_owned(), |ip| ip.to_string());
            format!("{ip} {host} {}/{}", r.port, r.protocol.name())
        };
        port_requests(&config, &host, None).unwrap().iter().map(show).collect()
    }

    #[test]
    fn ports_asked_for() {
        assert_eq!(requests_of(&[("80/tcp", "", "8080")], &["80/tcp"], false), ["* 8080 80/tcp"]);
        assert_eq!(requests_of(&[("80/tcp", "", "")], &[], false), ["* any 80/tcp"]);
        let several = requests_of(&[("53/udp", "127.0.0.1", "53"), ("80/tcp", "::1", "80-90")], &[], false);
        assert_eq!(several, ["127.0.0.1 53 53/udp", "::1 80-90 80/tcp"]);
        assert_eq!(
            requests_of(&[("80/tcp", "", "8080")], &["80/tcp", "81-82/tcp"], true),
            ["* 8080 80/tcp", "* any 81/tcp", "* any 82/tcp"]
        );
    }

    #[test]
    fn endpoint_sysctls() {
        assert_eq!(sysctls("net.ipv4.conf.IFNAME.log_martians=1").unwrap().len(), 1);
        let lower = sysctls("net.ipv4.conf.ifname.log_martians=1,net.ipv6.conf.IFNAME.forwarding=0").unwrap();
        assert_eq!(lower[0], ("net.ipv4.conf.IFNAME.log_martians".to_owned(), "1".to_owned()));
        assert!(sysctls("net.ipv4.conf.IFNAME.log_martians").unwrap_err().message.contains("format name=value"));
        assert!(sysctls("net.ipv4.conf.eth0.log_martians=1").unwrap_err().message.contains("unrecognised"));
        assert!(sysctls("net.ipv4.ip_forward=1").is_err() && sysctls("kernel.x=1").is_err());
        assert!(sysctls("net.ipv4.conf.IFNAME./../../../kernel=1").is_err());
    }
}
