//! `-p`, `-P` and `--expose`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::lenient::Empty;
use api::types::{PortBinding, PortMap};

use super::Draft;
use crate::Invocation;
use crate::failure::Failure;
use crate::flags::Flag;

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::list("publish", "Publish a container's port(s) to the host").short('p'),
    Flag::bool("publish-all", "Publish all exposed ports to random ports").short('P'),
    Flag::list("expose", "Expose a port or a range of ports"),
];

/// Puts them into the request.
///
/// # Errors
/// Docker's sentence for a port it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let mut bindings = PortMap::new();
    let mut exposed: BTreeMap<String, Empty> = BTreeMap::new();
    for text in call.all("publish") {
        let plain = if text.contains('=') { from_fields(text)? } else { text.to_owned() };
        for (inside, binding) in publish(&plain).map_err(Failure::new)? {
            exposed.insert(inside.clone(), Empty {});
            bindings.entry(inside).or_default().get_or_insert_with(Vec::new).push(binding);
        }
    }
    for text in call.all("expose") {
        for inside in expose(text).map_err(Failure::new)? {
            exposed.insert(inside, Empty {});
        }
    }
    draft.config.exposed_ports = exposed;
    draft.host.port_bindings = Some(bindings);
    draft.host.publish_all_ports = call.is("publish-all");
    Ok(())
}

/// `published=X,target=Y,protocol=Z` in the usual notation.
fn from_fields(text: &str) -> Result<String, Failure> {
    let mut fields = BTreeMap::new();
    for field in text.split(',') {
        let (key, value) = field.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Failure::new(format!("invalid publish opts format (should be name=value but got '{field}')"))
        })?;
        fields.insert(key, value);
    }
    let field = |name| fields.get(name).copied().unwrap_or_default();
    Ok(format!("{}:{}/{}", field("published"), field("target"), field("protocol")))
}

/// `[IP:][HOST]:CONTAINER[/PROTOCOL]`, the ports single or ranges: each container port with its binding.
fn publish(text: &str) -> Result<Vec<(String, PortBinding)>, String> {
    let (rest, container) = text.rsplit_once(':').unwrap_or(("", text));
    let (ip, host) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (container, protocol) = port_and_protocol(container);
    let address = match ip.strip_prefix('[') {
        None => ip,
        Some(open) => open
            .strip_suffix(']')
            .ok_or_else(|| format!("invalid IP address {ip}: address {ip}:: missing ']' in address"))?,
    };
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {address}"));
    }
    if container.is_empty() {
        return Err(format!("no port specified: {text}<empty>"));
    }
    let (start, end) = range(container).map_err(|_| format!("invalid containerPort: {container}"))?;
    let hosts = match host {
        "" => None,
        host => Some(range(host).map_err(|_| format!("invalid hostPort: {host}"))?),
    };
    if hosts.is_some_and(|(from, to)| to - from != end - start) && start != end {
        return Err(format!("invalid ranges specified for container and host Ports: {container} and {host}"));
    }
    let protocol = protocol_name(protocol)?;
    let ports = (start..=end).map(|port| {
        let host_port = match hosts {
            None => String::new(),
            // the first free one of several
            Some((from, to)) if start == end && from != to => format!("{from}-{to}"),
            Some((from, _)) => (from + (port - start)).to_string(),
        };
        (format!("{port}/{protocol}"), PortBinding { host_ip: address.to_owned(), host_port })
    });
    Ok(ports.collect())
}

fn expose(text: &str) -> Result<Vec<String>, String> {
    if text.contains(':') {
        return Err(format!("invalid port format for --expose: {text}"));
    }
    let (port, protocol) = port_and_protocol(text);
    let (start, end) = range(port).map_err(|why| format!("invalid range format for --expose: {text}, error: {why}"))?;
    Ok((start..=end).map(|port| format!("{port}/{protocol}")).collect())
}

fn port_and_protocol(text: &str) -> (&str, &str) {
    let mut parts = text.split('/');
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("", _) => ("", ""),
        (port, None | Some("")) => (port, "tcp"),
        (port, Some(protocol)) => (port, protocol),
    }
}

fn protocol_name(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "tcp" | "udp" | "sctp") { Ok(lower) } else { Err(format!("invalid proto: {text}")) }
}

/// `FROM[-TO]`
fn range(text: &str) -> Result<(u16, u16), String> {
    if text.is_empty() {
        return Err("empty string specified for ports.".into());
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let why = if digits { "value out of range" } else { "invalid syntax" };
        text.parse::<u16>().ok().filter(|_| digits).ok_or_else(|| format!("strconv.ParseUint: parsing {text:?}: {why}"))
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (start, end) = (number(from)?, number(to)?);
    if end < start {
        return Err(format!("invalid range specified for port: {text}"));
    }
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], &str>) {
        let got = publish(text).map(|ports| {
            ports.into_iter().map(|(inside, b)| format!("{}|{}|{inside}", b.host_ip, b.host_port)).collect::<Vec<_>>()
        });
        match expected {
            Ok(expected) => assert_eq!(got.unwrap(), expected, "{text}"),
            Err(expected) => assert_eq!(got.unwrap_err(), expected, "{text}"),
        }
    }

    #[test]
    fn notations() {
        check("80", Ok(&["||80/tcp"]));
        check("8080:80", Ok(&["|8080|80/tcp"]));
        check("8080:80/udp", Ok(&["|8080|80/udp"]));
        check("127.0.0.1::80", Ok(&["127.0.0.1||80/tcp"]));
        check("[::1]:8080:80", Ok(&["::1|8080|80/tcp"]));
        check("::1:8080:80", Ok(&["::1|8080|80/tcp"]));
        check("8000-8001:80-81", Ok(&["|8000|80/tcp", "|8001|81/tcp"]));
        check("8000-8005:80", Ok(&["|8000-8005|80/tcp"]));
        check("8000:80-81", Err("invalid ranges specified for container and host Ports: 80-81 and 8000"));
        check("80:", Err("no port specified: 80:<empty>"));
        check("a:b", Err("invalid containerPort: b"));
        check("x:80", Err("invalid hostPort: x"));
        check("1.2.3:80:80", Err("invalid IP address: 1.2.3"));
        check("80/foo", Err("invalid proto: foo"));
        check("99999", Err("invalid containerPort: 99999"));
    }
}
