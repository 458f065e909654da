//! Where a request goes: scheme, host and port (RFC 6454).

use std::fmt;

use http::Uri;
use values::{Error, Result};

/// Two URLs are of one origin when scheme, host and port are the same; only then credentials go along.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// TLS.
    pub secure: bool,
    /// Lower case, an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// Of `host`, `host:port` or `[v6]:port`.
    ///
    /// # Errors
    /// `InvalidArgument` where it is none of them.
    pub fn new(secure: bool, authority: &str) -> Result<Self> {
        let bad = || Error::invalid(format!("invalid host {authority:?}"));
        let (host, port) = split_port(authority).ok_or_else(bad)?;
        if host.is_empty() || host.contains(['/', '@', '?', '#']) || host.bytes().any(|b| b.is_ascii_whitespace()) {
            return Err(bad());
        }
        let default = if secure { 443 } else { 80 };
        Ok(Self { secure, host: host.to_ascii_lowercase(), port: port.unwrap_or(default) })
    }

    /// Of an absolute `http` or `https` URL, with its path and query.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else, and for one with a user name in it.
    pub fn of_url(url: &str) -> Result<(Self, String)> {
        let bad = || Error::invalid(format!("invalid URL {url:?}"));
        let uri: Uri = url.split('#').next().unwrap_or(url).parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or_else(bad)?;
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok((Self::new(secure, authority.as_str())?, path.into()))
    }

    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// As in a `Host` header: without the scheme's own port.
    pub fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        match (self.host_in_url(), self.port) {
            (host, port) if port == default => host,
            (host, port) => format!("{host}:{port}"),
        }
    }

    /// With the port, always.
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host_in_url(), self.port)
    }

    fn host_in_url(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

/// Host (brackets off) and port.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        return match tail.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => tail.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((authority, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((authority, None)),
    }
}

/// A reply's `Location`, absolute or not, seen from the URL it came from.
///
/// # Errors
/// `InvalidArgument` where it is no location.
pub(crate) fn resolve(base: &Origin, base_path: &str, location: &str) -> Result<(Origin, String)> {
    if location.contains("://") {
        return Origin::of_url(location);
    }
    if let Some(rest) = location.strip_prefix("//") {
        return Origin::of_url(&format!("{}://{rest}", base.scheme()));
    }
    if location.starts_with('/') {
        return Ok((base.clone(), location.into()));
    }
    let directory = base_path.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(d, _)| d);
    Ok((base.clone(), format!("{directory}/{location}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, origin, path) in [
            ("https://Registry.example/v2/", "https://registry.example", "/v2/"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "/"),
            ("https://[::1]:443/a?b=c#d", "https://[::1]", "/a?b=c"),
            ("http://h:443/x", "http://h:443", "/x"),
        ] {
            let (o, p) = Origin::of_url(url).unwrap();
            assert_eq!((o.to_string().as_str(), p.as_str()), (origin, path), "{url}");
        }
        for bad in ["ftp://x/", "//x", "x", "https://", "https://u:p@h/", "https://h:99999/"] {
            assert!(Origin::of_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn locations() {
        let base = Origin::new(false, "h:5000").unwrap();
        for (location, expected) in [
            ("/v2/a/blobs/uploads/1?_state=x", "http://h:5000/v2/a/blobs/uploads/1?_state=x"),
            ("https://s3.example/x", "https://s3.example/x"),
            ("//cdn/x", "http://cdn/x"),
            ("1?n=2", "http://h:5000/v2/1?n=2"),
        ] {
            let (origin, path) = resolve(&base, "/v2/tags?a=/b", location).unwrap();
            assert_eq!(format!("{origin}{path}"), expected);
        }
    }
}
