//! What the daemon is told about registries: plain data, from daemon.json and flags.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use values::{Error, Result};

use crate::origin::{Origin, split_port};
use crate::proxy::Proxies;

#[derive(Clone, Debug)]
pub struct Config {
    /// Tried before the registry they stand for, in order; pulls only.
    pub mirrors: Vec<Mirror>,
    /// Registries without TLS, or with a certificate nobody vouches for.
    pub insecure: Vec<Insecure>,
    /// Token servers on hosts that [`crate::realm`] would not let through.
    pub token_hosts: Vec<TokenHost>,
    pub proxies: Proxies,
    /// Directories with a directory `HOST[:PORT]` for each registry: `*.crt`, and pairs of `*.cert` and `*.key`.
    pub certificates: Vec<PathBuf>,
    /// Blobs that are downloaded at the same time, by all pulls together.
    pub downloads: usize,
    pub uploads: usize,
    /// Tries of one transfer; those which got on do not count.
    pub attempts: u32,
    /// The first pause between two tries; each further one is twice as long.
    pub pause: Duration,
    /// How long a peer may be silent.
    pub patience: Duration,
    /// How long a mirror may take to say that it is there; then the next place is asked.
    pub mirror_patience: Duration,
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mirrors: Vec::new(),
            insecure: vec![
                Insecure::Network("127.0.0.0/8".parse().expect("a network")),
                Insecure::Network("::1/128".parse().expect("a network")),
            ],
            token_hosts: Vec::new(),
            proxies: Proxies::default(),
            certificates: vec!["/etc/docker/certs.d".into(), "/etc/lighter/certs.d".into()],
            downloads: 3,
            uploads: 5,
            attempts: 5,
            pause: Duration::from_secs(1),
            patience: Duration::from_secs(60),
            // as Docker has it
            mirror_patience: Duration::from_secs(15),
            user_agent: format!("lighter/{} (linux)", values::VERSION),
        }
    }
}

/// A mirror: `https://mirror.example` for Docker Hub, as Docker has it, or `HOST=https://mirror.example` for any registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The registry it stands for, as in image names.
    pub of: String,
    pub origin: Origin,
    /// Before `/v2/`; without a slash at its end.
    pub prefix: String,
}

impl FromStr for Mirror {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::invalid(format!("invalid mirror: {text:?}: {why}"));
        let (of, url) = match text.split_once('=') {
            Some((of, url)) if !of.contains("://") => (of, url),
            _ => (values::DEFAULT_DOMAIN, text),
        };
        let (origin, path) =
            Origin::of_url(url).map_err(|_| bad("it must be URL or REGISTRY=URL, with http or https"))?;
        if path.contains('?') || url.contains('#') {
            return Err(bad("query or fragment at the end of the URL"));
        }
        let of = if of == "index.docker.io" { values::DEFAULT_DOMAIN } else { of };
        if split_port(of).is_none_or(|(host, _)| host.is_empty()) {
            return Err(bad("no registry before the ="));
        }
        Ok(Self { of: of.into(), origin, prefix: path.trim_end_matches('/').into() })
    }
}

/// Hosts that may do without TLS: `host`, `host:port` or a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insecure {
    Network(IpNet),
    /// As written in image names.
    Host(String),
}

impl FromStr for Insecure {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        let text = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text);
        let plain = !text.contains(['/', '@', ' ', '?', '#']) && !text.starts_with('-');
        match split_port(text) {
            Some((host, _)) if plain && !host.is_empty() => Ok(Self::Host(text.to_ascii_lowercase())),
            _ => Err(Error::invalid(format!(
                "insecure registry {text} is not valid: it must be HOST, HOST:PORT or a network"
            ))),
        }
    }
}

impl Insecure {
    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::Network(network) => {
                origin.host.parse::<IpAddr>().is_ok_and(|address| network.contains(&address))
                    || (origin.host == "localhost" && network.contains(&IpAddr::from([127, 0, 0, 1])))
            }
            Self::Host(host) => *host == origin.host || *host == origin.authority() || *host == origin.host_and_port(),
        }
    }
}

/// `REGISTRY=HOST`: that registry's credentials may go to a token server on that host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHost {
    pub registry: String,
    pub host: String,
}

impl FromStr for TokenHost {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('=').filter(|(registry, host)| !registry.is_empty() && !host.is_empty());
        let (registry, host) = parts.ok_or_else(|| {
            Error::invalid(format!(
                "invalid token host {text:?}: it must be REGISTRY=HOST, such as registry.example=auth.example.net"
            ))
        })?;
        Ok(Self { registry: registry.to_ascii_lowercase(), host: host.to_ascii_lowercase() })
    }
}

impl Config {
    pub(crate) fn is_insecure(&self, origin: &Origin) -> bool {
        self.insecure.iter().any(|insecure| insecure.covers(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors() {
        let mirror: Mirror = "ghcr.io=https://m.example:5000/ghcr/".parse().unwrap();
        assert_eq!((mirror.of.as_str(), mirror.prefix.as_str()), ("ghcr.io", "/ghcr"));
        assert_eq!("http://m".parse::<Mirror>().unwrap().of, "docker.io");
        for bad in ["m.example", "ftp://m", "https://u@m", "https://m?x", "=https://m", "https://m#x"] {
            assert!(bad.parse::<Mirror>().is_err(), "{bad}");
        }
    }

    #[test]
    fn insecure_hosts() {
        let config = Config {
            insecure: vec!["10.0.0.0/8".parse().unwrap(), "r.example:5000".parse().unwrap()],
            ..Config::default()
        };
        for (host, expected) in [
            ("10.1.2.3:5000", true),
            ("r.example:5000", true),
            ("r.example", false),
            ("127.0.0.1", false),
            ("r.example:5001", false),
        ] {
            assert_eq!(config.is_insecure(&Origin::new(true, host).unwrap()), expected, "{host}");
        }
        assert!(Config::default().is_insecure(&Origin::new(true, "localhost:5000").unwrap()));
        assert!("a/b".parse::<Insecure>().is_err() && "".parse::<Insecure>().is_err());
    }
}
