//! `EXPOSE`

use oci::image::{Config, Empty};
use values::{Error, Result};

/// `80`, `80/udp`, `8000-8010/tcp` each.
pub(super) fn expose(config: &mut Config, words: &[String]) -> Result<()> {
    for word in words {
        let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let protocol = protocol.to_ascii_lowercase();
        if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
            return Err(Error::invalid(format!("invalid proto: {protocol}")));
        }
        let invalid = || Error::invalid(format!("invalid containerPort: {ports}"));
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(invalid);
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(invalid());
        }
        config.exposed_ports.extend((first..=last).map(|port| (format!("{port}/{protocol}"), Empty)));
    }
    Ok(())
}
