//! Proxies: which one a request goes through, by the rules of Go's `httpproxy`, which Docker's users know.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use values::{Error, Result};

use crate::origin::{Origin, split_port};

/// URLs as they were given; empty: none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    pub http: String,
    pub https: String,
    /// Hosts that are reached without: names, `.domains`, addresses, networks, `*`, each with or without a port.
    pub none: String,
}

impl std::fmt::Debug for Proxies {
    /// There may be passwords in the URLs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxies(http {}, https {}, except {})", mask(&self.http), mask(&self.https), self.none)
    }
}

/// A proxy and what it wants to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) origin: Origin,
    pub(crate) authorization: Option<String>,
}

impl Proxies {
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, or in lower case.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let set = |name: &str| get(name).filter(|value| !value.is_empty());
            set(name).or_else(|| set(&name.to_ascii_lowercase())).unwrap_or_default()
        };
        Self { http: either("HTTP_PROXY"), https: either("HTTPS_PROXY"), none: either("NO_PROXY") }
    }

    /// What is said here, else what `other` says.
    pub fn or(self, other: Self) -> Self {
        let or = |a: String, b: String| if a.is_empty() { b } else { a };
        Self { http: or(self.http, other.http), https: or(self.https, other.https), none: or(self.none, other.none) }
    }

    /// # Errors
    /// `InvalidArgument` for a URL that is none.
    pub fn check(&self) -> Result<()> {
        parse(&self.http)?;
        parse(&self.https).map(|_| ())
    }

    /// Without a password, to be shown.
    pub fn masked(&self) -> Self {
        Self { http: mask(&self.http), https: mask(&self.https), none: self.none.clone() }
    }

    pub(crate) fn choose(&self, target: &Origin) -> Result<Option<Proxy>> {
        if target.is_loopback() || self.is_excepted(target) {
            return Ok(None);
        }
        parse(if target.secure { &self.https } else { &self.http })
    }

    fn is_excepted(&self, target: &Origin) -> bool {
        let address = target.host.parse::<IpAddr>().ok();
        self.none.split(',').map(str::trim).filter(|rule| !rule.is_empty()).any(|rule| {
            if rule == "*" {
                return true;
            }
            if let (Ok(network), Some(address)) = (rule.parse::<IpNet>(), address) {
                return network.contains(&address);
            }
            let Some((host, port)) = split_port(rule) else { return false };
            if port.is_some_and(|port| port != target.port) {
                return false;
            }
            if let Some(address) = address {
                return host.parse::<IpAddr>() == Ok(address);
            }
            let host = host.to_ascii_lowercase();
            // `.example.com` and `*.example.com` are subdomains only, `example.com` is both
            match host.strip_prefix("*.").or_else(|| host.strip_prefix('.')) {
                Some(domain) => target.host.ends_with(&format!(".{domain}")),
                None => target.host == host || target.host.ends_with(&format!(".{host}")),
            }
        })
    }
}

fn parse(url: &str) -> Result<Option<Proxy>> {
    if url.is_empty() {
        return Ok(None);
    }
    let bad = |why: &str| Error::invalid(format!("invalid proxy {}: {why}", mask(url)));
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let (scheme, rest) = full.split_once("://").unwrap_or_default();
    if scheme != "http" && scheme != "https" {
        return Err(bad("only http:// and https:// are supported"));
    }
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, authority) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
    let origin = Origin::new(scheme == "https", authority).map_err(|_| bad("no host"))?;
    let authorization = user.map(|user| format!("Basic {}", STANDARD.encode(decode(user))));
    Ok(Some(Proxy { origin, authorization }))
}

/// `%41` is `A`.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

fn mask(url: &str) -> String {
    let begin = url.find("://").map_or(0, |at| at + 3);
    match url[begin..].rfind('@') {
        Some(at) => format!("{}xxxxx:xxxxx{}", &url[..begin], &url[begin + at..]),
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_proxy() {
        let proxies = Proxies {
            http: "http://plain:3128".into(),
            https: "u%40x:p@secure:8080".into(),
            none: "example.com, .sub.net,10.0.0.0/8,1.2.3.4,host:5000".into(),
        };
        for (target, expected) in [
            ("https://quay.io", "http://secure:8080"),
            ("http://quay.io", "http://plain:3128"),
            ("https://example.com", ""),
            ("https://r.example.com", ""),
            ("https://notexample.com", "http://secure:8080"),
            ("https://sub.net", "http://secure:8080"),
            ("https://a.sub.net", ""),
            ("https://10.9.9.9", ""),
            ("https://1.2.3.4:5000", ""),
            ("https://host:5000", ""),
            ("https://host", "http://secure:8080"),
            ("http://127.0.0.1:5000", ""),
            ("http://localhost", ""),
        ] {
            let chosen = proxies.choose(&Origin::of_url(target).unwrap().0).unwrap();
            assert_eq!(chosen.map_or(String::new(), |p| p.origin.to_string()), expected, "{target}");
        }
        let one = parse("http://u%40x:p@h").unwrap().unwrap();
        assert_eq!(one.authorization, Some(format!("Basic {}", STANDARD.encode("u@x:p"))));
        assert_eq!(mask("http://u:p@h:1"), "http://xxxxx:xxxxx@h:1");
        assert!(parse("socks5://h").unwrap_err().message.contains("socks5://h"));
    }

    #[test]
    fn environment() {
        let get = |name: &str| (name == "https_proxy").then(|| "http://p".to_owned());
        let proxies = Proxies { none: "x".into(), ..Proxies::default() }.or(Proxies::from_environment(get));
        assert_eq!((proxies.https.as_str(), proxies.none.as_str(), proxies.http.as_str()), ("http://p", "x", ""));
    }
}
