//! What the network mode goes with, ports, and the addresses of DNS servers and extra hosts.

use std::net::IpAddr;

use api::types::{ContainerConfig, EndpointSettings, HostConfig, NetworkingConfig};
use network::IpNet;
use values::{Error, Result};

use crate::container::modes::{NetworkMode, uts_is_host};

/// Checks the network mode against all that depends on it.
///
/// # Errors
/// `InvalidArgument` for conflicts and for a network that is none of the predefined ones (a 404 of a create would make
/// clients pull the image).
pub fn check(config: &ContainerConfig, host: &HostConfig, networking: Option<&NetworkingConfig>) -> Result<()> {
    let mode = NetworkMode::parse(&host.network_mode)?;
    conflicts(config, host, mode)?;
    ports(host)?;
    addresses(host)?;
    let endpoints = networking.and_then(|n| n.endpoints_config.as_ref());
    if endpoints.is_some_and(|endpoints| endpoints.len() > 1) {
        match mode {
            NetworkMode::None => {
                return Err(Error::invalid(
                    "container cannot be connected to multiple networks with one of the networks in private (none) mode",
                ));
            }
            NetworkMode::Host | NetworkMode::Container(_) => {
                return Err(Error::invalid(
                    "container sharing network namespace with another container or host cannot be connected to any other network",
                ));
            }
            _ => {}
        }
    }
    for (name, settings) in endpoints.into_iter().flatten() {
        let own = NetworkMode::parse(name)?;
        if !settings.mac_address.is_empty() && !matches!(own, NetworkMode::Bridge | NetworkMode::Named(_)) {
            return Err(Error::invalid("conflicting options: mac-address and the network mode"));
        }
    }
    Ok(())
}

fn conflicts(config: &ContainerConfig, host: &HostConfig, mode: NetworkMode<'_>) -> Result<()> {
    let (container, is_host) = (matches!(mode, NetworkMode::Container(_)), mode == NetworkMode::Host);
    let filled = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let published = host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty()) || host.publish_all_ports;
    let uts_host = uts_is_host(&host.uts_mode)?;
    let rules = [
        (uts_host && !config.hostname.is_empty(), "hostname and the UTS mode"),
        (uts_host && !config.domainname.is_empty(), "domainname and the UTS mode"),
        (container && !config.hostname.is_empty(), "hostname and the network mode"),
        (
            container && filled(&host.links),
            "container type network can't be used with links. This would result in undefined behavior",
        ),
        (
            is_host && filled(&host.links),
            "host type networking can't be used with links. This would result in undefined behavior",
        ),
        (container && filled(&host.dns), "dns and the network mode"),
        (container && filled(&host.extra_hosts), "custom host-to-IP mapping and the network mode"),
        ((container || is_host) && !config.mac_address.is_empty(), "mac-address and the network mode"),
        (container && published, "port publishing and the container type network mode"),
        (container && !config.exposed_ports.is_empty(), "port exposing and the container type network mode"),
    ];
    match rules.iter().find(|(broken, _)| *broken) {
        Some((_, what)) => Err(Error::invalid(format!("conflicting options: {what}"))),
        None => Ok(()),
    }
}

/// What may be asked of the end on a network. `user_defined`: it is none of the predefined ones; `subnets`: what it has, if
/// it is there.
///
/// # Errors
/// `InvalidArgument` in Docker's words, with all that is wrong.
pub fn endpoint(settings: &EndpointSettings, user_defined: bool, subnets: Option<&[IpNet]>) -> Result<()> {
    let ipam = settings.ipam_config.clone().unwrap_or_default();
    let fixed = !ipam.ipv4_address.is_empty() || !ipam.ipv6_address.is_empty();
    let filled = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let mut wrong = vec![];
    if fixed && !user_defined {
        wrong.push("user specified IP address is supported on user defined networks only".to_owned());
    }
    if filled(&settings.aliases) && !user_defined {
        wrong.push("network-scoped alias is supported only for containers in user defined networks".to_owned());
    }
    let family = |text: &str, v4: bool| text.is_empty() || text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() == v4);
    if !family(&ipam.ipv4_address, true) {
        wrong.push(format!("invalid IPv4 address: {}", ipam.ipv4_address));
    }
    if !family(&ipam.ipv6_address, false) {
        wrong.push(format!("invalid IPv6 address: {}", ipam.ipv6_address));
    }
    let bad_link_local = ipam.link_local_ips.iter().filter(|text| text.parse::<IpAddr>().is_err());
    wrong.extend(bad_link_local.map(|text| format!("invalid link-local IP address: {text}")));
    if fixed && !user_defined {
        wrong.push(
            "user specified IP address is supported only when connecting to networks with user configured subnets"
                .to_owned(),
        );
    } else if let Some(subnets) = subnets {
        let inside = |text: &str| text.parse::<IpAddr>().is_ok_and(|ip| subnets.iter().any(|net| net.contains(&ip)));
        let outside =
            [&ipam.ipv4_address, &ipam.ipv6_address].into_iter().filter(|text| !text.is_empty() && !inside(text));
        wrong.extend(outside.map(|text| format!("no configured subnet or ip-range contain the IP address {text}")));
    }
    match &wrong[..] {
        [] => {}
        [one] => return Err(Error::invalid(format!("{OF_SETTINGS}{one}"))),
        several => return Err(Error::invalid(format!("{OF_SETTINGS}* {}", several.join("\n* ")))),
    }
    for text in settings.links.iter().flatten() {
        crate::container::links::parse(text)?;
    }
    if !settings.mac_address.is_empty() {
        mac(&settings.mac_address)?;
    }
    crate::container::networks::check_options(settings)
        .map_err(|e| Error { message: format!("{OF_SETTINGS}{}", e.message), ..e })
}

/// How Docker begins what is wrong with an endpoint's settings.
const OF_SETTINGS: &str = "invalid endpoint settings:\n";

/// Whether that is what is wrong.
pub fn is_of_settings(error: &Error) -> bool {
    error.message.starts_with(OF_SETTINGS)
}

/// A hardware address `02:42:ac:11:00:02`.
///
/// # Errors
/// `InvalidArgument` for anything else.
pub fn mac(text: &str) -> Result<()> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let good = parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.chars().all(|c| c.is_ascii_hexdigit()));
    if good { Ok(()) } else { Err(Error::invalid(format!("invalid MAC address: {text}"))) }
}

fn ports(host: &HostConfig) -> Result<()> {
    for (inside, bindings) in host.port_bindings.iter().flatten() {
        port(inside)?;
        for binding in bindings.iter().flatten() {
            if !binding.host_port.is_empty() && !is_range(&binding.host_port) {
                return Err(Error::invalid(format!("invalid port specification: \"{}\"", binding.host_port)));
            }
            if !binding.host_ip.is_empty() && binding.host_ip.parse::<IpAddr>().is_err() {
                return Err(Error::invalid(format!("invalid IP address: {}", binding.host_ip)));
            }
        }
    }
    Ok(())
}

/// A port inside: `80`, `80/tcp`, `8000-8010/udp`.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn port(text: &str) -> Result<()> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !is_range(number) {
        return Err(Error::invalid(format!("invalid port specification: \"{number}\"")));
    }
    if !matches!(protocol.to_ascii_lowercase().as_str(), "tcp" | "udp" | "sctp") {
        return Err(Error::invalid(format!("invalid proto: {protocol}")));
    }
    Ok(())
}

fn is_range(text: &str) -> bool {
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| !text.starts_with('+'));
    match text.split_once('-') {
        None => number(text).is_some(),
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
    }
}

fn addresses(host: &HostConfig) -> Result<()> {
    for server in host.dns.iter().flatten() {
        // a zone is part of a link-local address
        let bare = server.split('%').next().unwrap_or_default();
        if bare.parse::<IpAddr>().is_err() {
            return Err(Error::invalid(format!("bad nameserver address: {server}")));
        }
    }
    for entry in host.extra_hosts.iter().flatten() {
        let bad = || Error::invalid(format!("bad format for add-host: \"{entry}\""));
        let (name, address) = entry.split_once(['=', ':']).ok_or_else(bad)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(bad());
        }
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        if bare != "host-gateway" && bare.parse::<IpAddr>().is_err() {
            return Err(Error::invalid(format!("invalid IP address in add-host: \"{address}\"")));
        }
    }
    let words = [&host.dns_options, &host.dns_search].into_iter().flat_map(|list| list.iter().flatten());
    match words.into_iter().find(|word| word.contains(char::is_whitespace)) {
        Some(word) => Err(Error::invalid(format!("invalid DNS setting: \"{word}\" contains white space"))),
        None => Ok(()),
    }
}
