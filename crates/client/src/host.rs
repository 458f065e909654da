//! Where a daemon listens, as `-H` and `DOCKER_HOST` say it.

use std::fmt;
use std::path::PathBuf;

use crate::Error;

/// An address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// `unix:///path`
    Unix(PathBuf),
    /// `tcp://host:port`, plain.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

/// The port of `tcp://` without one.
const PLAIN_PORT: u16 = 2375;

impl Host {
    /// Parses `text`; `default_socket` is meant by an empty text and by `unix://`.
    ///
    /// # Errors
    /// Docker's sentence for a bad address; a transport we do not have is named.
    pub fn parse(text: &str, default_socket: &str) -> Result<Host, Error> {
        let text = text.trim();
        if text.is_empty() || text == "unix://" {
            return Ok(Host::Unix(default_socket.into()));
        }
        match text.split_once("://") {
            Some(("unix", path)) => Ok(Host::Unix(path.into())),
            Some(("tcp" | "http", address)) => Self::tcp(address, text),
            None => Self::tcp(text, text),
            Some((scheme @ ("ssh" | "https" | "fd" | "npipe"), _)) => {
                Err(Error::Setup(format!("the {scheme} transport is not supported yet: {text}")))
            }
            Some(_) => Err(Error::Setup(format!("invalid bind address format: {text}"))),
        }
    }

    fn tcp(address: &str, whole: &str) -> Result<Host, Error> {
        let bad = || Error::Setup(format!("invalid bind address format: {whole}"));
        let address = address.trim_end_matches('/');
        if address.contains('/') {
            return Err(bad());
        }
        let (host, port) = match address.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or_else(bad)?;
                (host, after.strip_prefix(':').unwrap_or(after))
            }
            None => match address.rsplit_once(':') {
                // more than one colon without brackets is an IPv6 address alone
                Some((host, _)) if host.contains(':') => (address, ""),
                Some((host, port)) => (host, port),
                None => (address, ""),
            },
        };
        let port = if port.is_empty() { PLAIN_PORT } else { port.parse().map_err(|_| bad())? };
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Ok(Host::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Unix(path) => write!(f, "unix://{}", path.display()),
            Host::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Host::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("", "unix:///run/d.sock"),
            ("unix://", "unix:///run/d.sock"),
            ("unix:///tmp/x.sock", "unix:///tmp/x.sock"),
            ("tcp://1.2.3.4:5", "tcp://1.2.3.4:5"),
            ("tcp://1.2.3.4", "tcp://1.2.3.4:2375"),
            ("1.2.3.4:5", "tcp://1.2.3.4:5"),
            (":5", "tcp://127.0.0.1:5"),
            ("tcp://[::1]:5", "tcp://[::1]:5"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            let host = Host::parse(text, "/run/d.sock").unwrap();
            assert_eq!(host.to_string(), expected, "{text}");
        }
        for bad in ["foo://x", "tcp://a:b", "tcp://a:99999", "tcp://[::1", "tcp://a/b:1", "ssh://x"] {
            assert!(Host::parse(bad, "/x").is_err(), "{bad}");
        }
    }
}
