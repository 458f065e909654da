use values::{Error, Result};

const IPV4: &str = "/proc/sys/net/ipv4/ip_forward";
const IPV6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
const IPV6_LINKS: &str = "/proc/sys/net/ipv6/conf";

/// Written only where needed: writing resets per-link settings of whoever tuned them.
pub(crate) fn ipv4() -> Result<()> {
    turn_on(IPV4, "IPv4")
}

/// A machine that forwards no longer listens to router advertisements, unless it is told to: links that do go on.
pub(crate) fn ipv6() -> Result<()> {
    if std::fs::read_to_string(IPV6).is_ok_and(|text| text.trim() == "1") {
        return Ok(());
    }
    for link in std::fs::read_dir(IPV6_LINKS).into_iter().flatten().flatten() {
        let path = link.path().join("accept_ra");
        if std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == "1") {
            let _ = std::fs::write(path, "2");
        }
    }
    turn_on(IPV6, "IPv6")
}

fn turn_on(path: &str, what: &str) -> Result<()> {
    let failed = |e: std::io::Error| Error::internal(format!("turn on {what} forwarding in {path}: {e}"));
    if std::fs::read_to_string(path).map_err(failed)?.trim() != "1" {
        std::fs::write(path, "1").map_err(failed)?;
    }
    Ok(())
}
