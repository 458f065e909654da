//! Networks, names and addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::types::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::flags::parse::split_csv;

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::list("network", "Connect a container to a network")
        .typed("network")
        .checked(network)
        .completes(Complete::Networks),
    Flag::list("net", "Connect a container to a network").typed("network").checked(network).alias_of("network"),
    Flag::list("network-alias", "Add network-scoped alias for the container"),
    Flag::list("net-alias", "Add network-scoped alias for the container").alias_of("network-alias"),
    Flag::text("ip", "IPv4 address (e.g., 172.30.100.104)"),
    Flag::text("ip6", "IPv6 address (e.g., 2001:db8::33)"),
    Flag::list("link-local-ip", "Container IPv4/IPv6 link-local addresses"),
    Flag::list("link", "Add link to another container").checked(link),
    Flag::text("mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    Flag::list("add-host", "Add a custom host-to-IP mapping (host:ip)").checked(extra_host),
    Flag::list("dns", "Set custom DNS servers").checked(address),
    Flag::list("dns-option", "Set DNS options"),
    Flag::list("dns-opt", "Set DNS options").alias_of("dns-option"),
    Flag::list("dns-search", "Set custom DNS search domains").checked(domain),
];

/// Puts them into the request.
///
/// # Errors
/// Docker's sentence for a combination it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let mac = call.text_or_empty("mac-address");
    if !mac.is_empty() && !is_mac(mac) {
        return Err(Failure::new(format!("{mac} is not a valid mac address")));
    }
    let networks: Vec<Attachment> = call.all("network").filter_map(|text| parse_network(text).ok()).collect();
    let host = &mut draft.host;
    host.network_mode = networks.first().map_or("default", |network| &network.name).to_owned();
    host.links = Some(super::list(call, "link")).filter(|links| !links.is_empty());
    let hosts = call.all("add-host").filter_map(|text| parse_extra_host(text).ok()).collect::<Vec<_>>();
    host.extra_hosts = Some(hosts).filter(|hosts| !hosts.is_empty());
    // never null, as the daemon of old wanted it
    host.dns = Some(call.all("dns").filter_map(|text| parse_address(text).ok()).collect());
    host.dns_options = Some(super::list(call, "dns-option"));
    host.dns_search = Some(
        call.all("dns-search")
            .map(|text| text.trim().trim_end_matches('.').to_owned())
            .map(|name| if name.is_empty() { ".".to_owned() } else { name })
            .collect(),
    );
    draft.network = Some(NetworkingConfig { endpoints_config: Some(endpoints(call, networks)?) });
    Ok(())
}

/// One `--network`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Attachment {
    name: String,
    aliases: Vec<String>,
    ip: String,
    ip6: String,
    mac: String,
    link_local: Vec<String>,
    driver_options: BTreeMap<String, String>,
    gateway_priority: i64,
    links: Vec<String>,
}

fn network(text: &str) -> Result<(), String> {
    parse_network(text).map(drop)
}

/// A name, or `name=…,alias=…,ip=…,…`.
fn parse_network(text: &str) -> Result<Attachment, String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let pair = text.split_once('=').is_some_and(|(key, value)| key.ends_with(word) && value.starts_with(word));
    if !pair {
        return Ok(Attachment { name: text.to_owned(), ..Attachment::default() });
    }
    let mut attachment = Attachment::default();
    for field in split_csv(text)? {
        let lower = field.to_lowercase();
        let (key, value) = lower.split_once('=').ok_or_else(|| format!("invalid field {field}"))?;
        let (key, value) = (key.trim(), value.trim());
        match key {
            "name" => attachment.name = value.to_owned(),
            "alias" => attachment.aliases.push(value.to_owned()),
            "ip" => attachment.ip = value.to_owned(),
            "ip6" => attachment.ip6 = value.to_owned(),
            "mac-address" => attachment.mac = value.to_owned(),
            "link-local-ip" => attachment.link_local.push(value.to_owned()),
            "driver-opt" => {
                let (key, value) = value.split_once('=').ok_or("invalid key value pair format in driver options")?;
                attachment.driver_options.insert(key.trim().to_owned(), value.trim().to_owned());
            }
            "gw-priority" => {
                attachment.gateway_priority =
                    value.parse().map_err(|_| format!("invalid gw-priority ({value}): invalid syntax"))?;
            }
            _ => return Err(format!("invalid field key {key}")),
        }
    }
    if attachment.name.is_empty() {
        return Err("network name/id is not specified".into());
    }
    Ok(attachment)
}

/// Networks that someone created, as against Docker's own modes.
fn is_user_defined(name: &str) -> bool {
    !matches!(name, "default" | "bridge" | "host" | "none") && !name.starts_with("container:")
}

fn endpoints(call: &Invocation, mut networks: Vec<Attachment>) -> Result<BTreeMap<String, EndpointSettings>, Failure> {
    if networks.is_empty() {
        networks.push(Attachment { name: "default".into(), ..Attachment::default() });
    }
    // the flags for one network are the first one's
    add_flags(call, &mut networks[0])?;
    let mut endpoints = BTreeMap::new();
    for network in &networks {
        let endpoint = endpoint(network)?;
        if endpoints.insert(network.name.clone(), endpoint).is_some() {
            return Err(Failure::new(format!("network {:?} is specified multiple times", network.name)));
        }
    }
    let user_defined = networks.iter().filter(|network| is_user_defined(&network.name)).count();
    if user_defined > 0 && user_defined < networks.len() {
        return Err(Failure::new(
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
        ));
    }
    Ok(endpoints)
}

fn add_flags(call: &Invocation, network: &mut Attachment) -> Result<(), Failure> {
    let aliases = super::list(call, "network-alias");
    let link_local = super::list(call, "link-local-ip");
    let links = super::list(call, "link");
    let (ip, ip6, mac) = (call.text_or_empty("ip"), call.text_or_empty("ip6"), call.text_or_empty("mac-address"));
    for (both, options) in [
        (!aliases.is_empty() && !network.aliases.is_empty(), "--network-alias and per-network alias"),
        (!ip.is_empty() && !network.ip.is_empty(), "--ip and per-network IPv4 address"),
        (!ip6.is_empty() && !network.ip6.is_empty(), "--ip6 and per-network IPv6 address"),
        (!mac.is_empty() && !network.mac.is_empty(), "--mac-address and per-network MAC address"),
        (
            !link_local.is_empty() && !network.link_local.is_empty(),
            "--link-local-ip and per-network link-local IP addresses",
        ),
    ] {
        if both {
            return Err(Failure::new(format!("conflicting options: cannot specify both {options}")));
        }
    }
    let set = |field: &mut String, flag: &str| {
        if !flag.is_empty() {
            *field = flag.to_owned();
        }
    };
    set(&mut network.ip, ip);
    set(&mut network.ip6, ip6);
    set(&mut network.mac, mac);
    if !aliases.is_empty() {
        network.aliases = aliases;
    }
    if !link_local.is_empty() {
        network.link_local = link_local;
    }
    // on the default bridge a link is the container's, elsewhere the endpoint's
    if is_user_defined(&network.name) {
        network.links = links;
    }
    Ok(())
}

fn endpoint(network: &Attachment) -> Result<EndpointSettings, Failure> {
    if network.name.trim().is_empty() {
        return Err(Failure::new("no name set for network"));
    }
    if !network.mac.is_empty() && !is_mac(&network.mac) {
        return Err(Failure::new(format!("{} is not a valid mac address", network.mac)));
    }
    if !is_user_defined(&network.name) && !network.aliases.is_empty() {
        return Err(Failure::new("network-scoped aliases are only supported for user-defined networks"));
    }
    let some = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
    let addressed = !network.ip.is_empty() || !network.ip6.is_empty() || !network.link_local.is_empty();
    Ok(EndpointSettings {
        ipam_config: addressed.then(|| EndpointIpamConfig {
            ipv4_address: network.ip.clone(),
            ipv6_address: network.ip6.clone(),
            link_local_ips: network.link_local.clone(),
        }),
        links: some(&network.links),
        aliases: some(&network.aliases),
        mac_address: network.mac.clone(),
        driver_opts: Some(network.driver_options.clone()).filter(|options| !options.is_empty()),
        gw_priority: network.gateway_priority,
        ..EndpointSettings::default()
    })
}

/// Six, eight or twenty bytes in hex, by `:`, `-`, or in fours by `.` (Go's ParseMAC).
fn is_mac(text: &str) -> bool {
    let hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let grouped = |separator: char, len: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len()) && parts.iter().all(|part| hex(part, len))
    };
    let text = text.trim();
    !text.is_empty() && (grouped(':', 2, &[6, 8, 20]) || grouped('-', 2, &[6, 8, 20]) || grouped('.', 4, &[3, 4, 10]))
}

fn address(text: &str) -> Result<(), String> {
    parse_address(text).map(drop)
}

fn parse_address(text: &str) -> Result<String, String> {
    let address: Result<IpAddr, _> = text.trim().parse();
    address.map(|address| address.to_string()).map_err(|_| format!("IP address is not correctly formatted: {text}"))
}

fn extra_host(text: &str) -> Result<(), String> {
    parse_extra_host(text).map(drop)
}

/// `HOST=IP` or `HOST:IP`, sent as `HOST:IP`; the daemon knows `host-gateway`.
fn parse_extra_host(text: &str) -> Result<String, String> {
    let (host, ip) = text
        .split_once('=')
        .or_else(|| text.split_once(':'))
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| format!("bad format for add-host: {text:?}"))?;
    if ip == "host-gateway" {
        return Ok(format!("{host}:{ip}"));
    }
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if bare.trim().parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address in add-host: {ip:?}"));
    }
    Ok(format!("{host}:{bare}"))
}

/// `NAME[:ALIAS]`
fn link(text: &str) -> Result<(), String> {
    match text.split(':').count() {
        _ if text.is_empty() => Err("empty string specified for links".into()),
        1 | 2 => Ok(()),
        _ => Err(format!("bad format for links: {text}")),
    }
}

/// A DNS search domain; `.` means none.
fn domain(text: &str) -> Result<(), String> {
    let bad = || Err(format!("{text} is not a valid domain"));
    let name = text.trim();
    if name == "." {
        return Ok(());
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let good = name.len() < 255 && name.contains(|c: char| c.is_ascii_alphabetic()) && name.split('.').all(label);
    if good { Ok(()) } else { bad() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        assert_eq!(parse_network("host").unwrap().name, "host");
        assert_eq!(parse_network("container:x").unwrap().name, "container:x");
        let long = parse_network("name=n,alias=a,alias=b,ip=1.2.3.4,driver-opt=k=v,gw-priority=3").unwrap();
        assert_eq!((long.name.as_str(), long.aliases.len(), long.gateway_priority), ("n", 2, 3));
        assert_eq!(long.driver_options["k"], "v");
        assert_eq!(parse_network("name=n,foo=y").unwrap_err(), "invalid field key foo");
        assert_eq!(parse_network("alias=y").unwrap_err(), "network name/id is not specified");
    }

    #[test]
    fn hosts_and_domains() {
        assert_eq!(parse_extra_host("a:1.2.3.4").unwrap(), "a:1.2.3.4");
        assert_eq!(parse_extra_host("a=::1").unwrap(), "a:::1");
        assert_eq!(parse_extra_host("a:[::1]").unwrap(), "a:::1");
        assert_eq!(parse_extra_host("a=host-gateway").unwrap(), "a:host-gateway");
        assert!(parse_extra_host("x").is_err());
        assert!(parse_extra_host("x:y").is_err());
        for (name, good) in [("a.b", true), (".", true), ("x..y", false), ("1.2", false), ("a-b.", true), ("-a", false)]
        {
            assert_eq!(domain(name).is_ok(), good, "{name}");
        }
        assert!(is_mac("92:d0:c6:0a:29:33"));
        assert!(!is_mac("foo"));
    }
}
