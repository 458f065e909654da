use std::net::IpAddr;

/// What Docker puts first.
const LOCAL: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// One line: an address and its names, the canonical one first (hosts(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub ip: IpAddr,
    pub names: Vec<String>,
}

impl Entry {
    pub fn new(ip: impl Into<IpAddr>, name: impl Into<String>) -> Self {
        Self { ip: ip.into(), names: vec![name.into()] }
    }

    /// A container's own line: the full name comes first, then what stands before its first dot.
    pub fn own(ip: impl Into<IpAddr>, hostname: &str, domain: &str) -> Self {
        let full = if domain.is_empty() { hostname.to_owned() } else { format!("{hostname}.{domain}") };
        let short = full.split_once('.').map(|(short, _)| short.to_owned());
        Self { ip: ip.into(), names: std::iter::once(full).chain(short).collect() }
    }
}

/// `/etc/hosts` of a container with a network of its own: local names, `extra` (`--add-host`, links), and its `own`
/// lines, one for each address.
pub fn generate(extra: &[Entry], own: &[Entry]) -> String {
    append(LOCAL, extra, own)
}

/// `/etc/hosts` on the host's network: the host's file and `extra`.
pub fn on_host_network(host_file: &str, extra: &[Entry]) -> String {
    let newline = if host_file.is_empty() || host_file.ends_with('\n') { "" } else { "\n" };
    append(&format!("{host_file}{newline}"), extra, &[])
}

fn append(start: &str, extra: &[Entry], own: &[Entry]) -> String {
    let line = |entry: &Entry| format!("{}\t{}\n", entry.ip, entry.names.join(" "));
    extra.iter().chain(own).map(line).fold(start.to_owned(), |text, line| text + &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_file() {
        let ip: IpAddr = "172.17.0.2".parse().unwrap();
        let extra = [Entry::new(IpAddr::from([10, 0, 0, 1]), "db")];
        let check = |extra: &[Entry], own: &[Entry], tail: &str| {
            assert_eq!(generate(extra, own), format!("{LOCAL}{tail}"));
        };
        check(&[], &[], "");
        check(&[], &[Entry::own(ip, "web", "")], "172.17.0.2\tweb\n");
        check(&[], &[Entry::own(ip, "web.example.org", "")], "172.17.0.2\tweb.example.org web\n");
        check(&extra, &[Entry::own(ip, "web", "example.org")], "10.0.0.1\tdb\n172.17.0.2\tweb.example.org web\n");
        assert!(LOCAL.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost"));
        assert_eq!(LOCAL.lines().count(), 6);
    }

    #[test]
    fn on_the_hosts_network() {
        let extra = [Entry::new(IpAddr::from([10, 0, 0, 1]), "db")];
        assert_eq!(on_host_network("127.0.0.1 localhost", &extra), "127.0.0.1 localhost\n10.0.0.1\tdb\n");
        assert_eq!(on_host_network("", &[]), "");
    }
}
