//! `-H`: where the daemon listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use values::{Error, Result};

const DEFAULT: &str = "unix:///run/lighter.sock";
/// Docker's port without TLS.
const PORT: u16 = 2375;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Unix(PathBuf),
    /// Without TLS.
    Tcp(SocketAddr),
    /// The sockets systemd hands over (`fd://`).
    Inherited,
}

/// `insecure` is the explicit word that TCP without TLS is wanted.
///
/// Errors: `InvalidArgument` for a malformed one, `Forbidden` for `tcp://` without that word.
pub fn parse(texts: &[String], insecure: bool) -> Result<Vec<Host>> {
    if texts.is_empty() {
        return Ok(vec![host(DEFAULT, insecure)?]);
    }
    let mut hosts: Vec<Host> = Vec::new();
    for text in texts {
        let host = host(text, insecure)?;
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    Ok(hosts)
}

fn host(text: &str, insecure: bool) -> Result<Host> {
    match text.trim().split_once("://") {
        Some(("unix", "")) => host(DEFAULT, insecure),
        Some(("unix", path)) if path.starts_with('/') => Ok(Host::Unix(path.into())),
        Some(("unix", path)) => Err(malformed(text, &format!("{path} is not an absolute path"))),
        Some(("fd", "" | "*")) => Ok(Host::Inherited),
        Some(("fd", _)) => Err(malformed(text, "choosing among inherited sockets is not supported yet: use fd://")),
        Some(("tcp", address)) => tcp(text, address, insecure),
        // Docker takes a bare address for TCP's.
        None if !text.contains('/') && !text.is_empty() => tcp(text, text, insecure),
        _ => Err(malformed(text, "use unix://PATH, tcp://ADDRESS:PORT or fd://")),
    }
}

fn tcp(text: &str, address: &str, insecure: bool) -> Result<Host> {
    let wanted = "after tcp:// comes an IP address (or localhost) and a port";
    let (name, port) = match address.trim_end_matches('/').rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| malformed(text, wanted))?),
        _ => (address.trim_end_matches('/'), PORT),
    };
    let ip = match name.trim_start_matches('[').trim_end_matches(']') {
        "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip.parse().map_err(|_| malformed(text, wanted))?,
    };
    if !insecure {
        return Err(Error::forbidden(format!(
            "refusing to listen on {text} without TLS, which gives everyone who reaches it root on this machine: \
             TLS is not supported yet; to do it nevertheless add --tls=false"
        )));
    }
    Ok(Host::Tcp(SocketAddr::new(ip, port)))
}

fn malformed(text: &str, why: &str) -> Error {
    Error::invalid(format!("invalid bind address format: {text}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let check = |text: &str, expected: Option<Host>| {
            assert_eq!(parse(&[text.to_owned()], true).ok().map(|h| h[0].clone()), expected, "{text}");
        };
        let unix = |path: &str| Some(Host::Unix(path.into()));
        let tcp = |address: &str| Some(Host::Tcp(address.parse().unwrap()));
        check("unix:///a/b.sock", unix("/a/b.sock"));
        check("unix://", unix("/run/lighter.sock"));
        check("unix://a", None);
        check("fd://", Some(Host::Inherited));
        check("fd://3", None);
        check("tcp://0.0.0.0:4243", tcp("0.0.0.0:4243"));
        check("tcp://127.0.0.1", tcp("127.0.0.1:2375"));
        check("tcp://", tcp("127.0.0.1:2375"));
        check("tcp://:2376", tcp("127.0.0.1:2376"));
        check("tcp://[::1]:99/", tcp("[::1]:99"));
        check("tcp://[::1]", tcp("[::1]:2375"));
        check("localhost:80", tcp("127.0.0.1:80"));
        check("tcp://example.org:80", None);
        check("tcp://1.2.3.4:x", None);
        check("npipe:////./pipe/x", None);
        check("/run/x.sock", None);
        check("", None);
    }

    #[test]
    fn several_and_none() {
        let texts = ["unix:///a", "fd://", "unix:///a"].map(str::to_owned);
        assert_eq!(parse(&texts, false).unwrap().len(), 2);
        assert_eq!(parse(&[], false).unwrap(), [Host::Unix("/run/lighter.sock".into())]);
    }

    #[test]
    fn tcp_needs_a_word() {
        let error = parse(&["tcp://0.0.0.0:2375".to_owned()], false).unwrap_err();
        assert!(error.message.contains("--tls=false"), "{error}");
    }
}
