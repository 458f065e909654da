use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

const HOST_FILE: &str = "/etc/resolv.conf";
/// Where systemd-resolved lists the real servers.
const RESOLVED_FILE: &str = "/run/systemd/resolve/resolv.conf";
/// systemd-resolved's own address, which no container can reach.
const RESOLVED_STUB: &str = "127.0.0.53";
/// Used when the host has only servers a container cannot reach.
const FALLBACK: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// `--dns`, `--dns-search`, `--dns-option` of the container, or the daemon's. An empty list leaves the host's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub servers: Vec<String>,
    /// `.` alone means: no search list at all.
    pub search: Vec<String>,
    pub options: Vec<String>,
}

/// The host's file, as it concerns containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFile {
    pub path: String,
    pub text: String,
}

impl HostFile {
    /// Reads `/etc/resolv.conf`, or where that only names systemd-resolved's stub, the file with the real servers.
    /// A missing file is an empty one.
    pub fn read() -> Self {
        let etc = Self::at(HOST_FILE);
        if etc.is_stub() { Self::at(RESOLVED_FILE) } else { etc }
    }

    /// `/etc/resolv.conf` as it is, for a container on the host's network.
    pub fn read_plain() -> Self {
        Self::at(HOST_FILE)
    }

    fn at(path: &str) -> Self {
        Self { path: path.into(), text: std::fs::read_to_string(path).unwrap_or_default() }
    }

    fn is_stub(&self) -> bool {
        Parsed::new(&self.text).servers == [RESOLVED_STUB]
    }
}

/// The host's IPv4 resolvers as networks of one address: no subnet should be chosen over them.
pub(crate) fn host_nameservers() -> Vec<Ipv4Net> {
    let host = HostFile::read();
    let addresses = Parsed::new(&host.text).servers;
    addresses.iter().filter_map(|server| server.parse::<Ipv4Addr>().ok()).map(Ipv4Net::from).collect()
}

/// `resolv.conf` on the default bridge or without a network: the host's, without servers on a loopback address, and
/// without IPv6 ones unless the container has `ipv6`.
pub fn generate(host: &HostFile, overrides: &Overrides, ipv6: bool) -> String {
    let mut parsed = Parsed::new(&host.text);
    parsed.servers.retain(|server| reachable(server, ipv6));
    let mut fallback = false;
    if parsed.servers.is_empty() && overrides.servers.is_empty() {
        parsed.servers = FALLBACK.map(str::to_owned).into();
        fallback = true;
    }
    let replaced = parsed.apply(overrides);
    let mut text = parsed.text();
    text.push_str(&format!("\n# Based on host file: '{}' (legacy)\n", host.path));
    if fallback {
        text.push_str("# Used default nameservers.\n");
    }
    text.push_str(&format!("# Overrides: [{}]\n", replaced.join(" ")));
    text
}

/// `resolv.conf` on networks of one's own: the daemon's server alone; search list and options stay. `outside`: whom that
/// one asks, for the reader.
pub fn internal(host: &HostFile, overrides: &Overrides, outside: &[IpAddr]) -> String {
    let mut parsed = Parsed::new(&host.text);
    let replaced = parsed.apply(overrides);
    parsed.servers = vec![crate::dns::ADDRESS.to_string()];
    let given = parsed.options.iter().any(|option| option.starts_with("ndots:"));
    if !given {
        // names of containers have no dots
        parsed.options.push("ndots:0".into());
    }
    let mut text = parsed.text();
    let servers: Vec<String> = outside.iter().map(|ip| format!("host({ip})")).collect();
    text.push_str(&format!("\n# Based on host file: '{}' (internal resolver)\n", host.path));
    text.push_str(&format!("# ExtServers: [{}]\n# Overrides: [{}]\n", servers.join(" "), replaced.join(" ")));
    text.push_str(&format!("# Option ndots from: {}\n", if given { "host" } else { "internal" }));
    text
}

/// The host's own servers, those on its loopback addresses too: for questions that are asked from the host.
pub fn servers() -> Vec<IpAddr> {
    let bare = |server: &String| server.split('%').next().unwrap_or(server).parse().ok();
    Parsed::new(&HostFile::read_plain().text).servers.iter().filter_map(bare).collect()
}

/// When the host's file was last changed.
pub fn modified() -> Option<std::time::SystemTime> {
    std::fs::metadata(HOST_FILE).and_then(|file| file.modified()).ok()
}

/// `resolv.conf` on the host's network: the host's file as it is, unless there are overrides.
pub fn on_host_network(host: &HostFile, overrides: &Overrides) -> String {
    let mut parsed = Parsed::new(&host.text);
    if parsed.apply(overrides).is_empty() { host.text.clone() } else { parsed.text() }
}

fn reachable(server: &str, ipv6: bool) -> bool {
    let address = server.split('%').next().unwrap_or(server); // fe80::1%eth0
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => !ip.is_loopback(),
        Ok(IpAddr::V6(ip)) => ipv6 && !ip.is_loopback(),
        Err(_) => false,
    }
}

/// resolv.conf(5) taken apart.
#[derive(Debug, Default)]
struct Parsed {
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
    /// Lines with other keywords (`sortlist`), kept as they are.
    others: Vec<String>,
}

impl Parsed {
    fn new(text: &str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => parsed.servers.extend(words.next()),
                // The last of `search` and `domain` counts.
                Some("search" | "domain") => parsed.search = words.collect(),
                Some("options") => parsed.options.extend(words),
                Some(word) if !word.starts_with(['#', ';']) => parsed.others.push(line.trim().to_owned()),
                _ => {}
            }
        }
        parsed
    }

    /// Returns the names of what was replaced.
    fn apply(&mut self, overrides: &Overrides) -> Vec<&'static str> {
        let mut replaced = Vec::new();
        if !overrides.servers.is_empty() {
            self.servers = overrides.servers.clone();
            replaced.push("nameservers");
        }
        if !overrides.search.is_empty() {
            self.search = if overrides.search == ["."] { Vec::new() } else { overrides.search.clone() };
            replaced.push("search");
        }
        if !overrides.options.is_empty() {
            self.options = overrides.options.clone();
            replaced.push("options");
        }
        replaced
    }

    fn text(&self) -> String {
        let mut text: String = self.servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        for (keyword, words) in [("search", &self.search), ("options", &self.options)] {
            if !words.is_empty() {
                text.push_str(&format!("{keyword} {}\n", words.join(" ")));
            }
        }
        self.others.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostFile {
        HostFile { path: "/etc/resolv.conf".into(), text: text.into() }
    }

    fn list(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn on_the_bridge() {
        let check = |text: &str, overrides: &Overrides, expected: &str| {
            let found = generate(&host(text), overrides, false);
            let (lines, comments) = found.split_once("\n# Based on host file: '/etc/resolv.conf' (legacy)\n").unwrap();
            assert_eq!(format!("{lines}{comments}"), expected, "{text:?} {overrides:?}");
        };
        let none = Overrides::default();
        check(
            "# comment\nnameserver 10.255.255.53\nsearch a.org  b.org\noptions ndots:2 rotate\nsortlist 10.0.0.0\n",
            &none,
            "nameserver 10.255.255.53\nsearch a.org b.org\noptions ndots:2 rotate\nsortlist 10.0.0.0\n# Overrides: []\n",
        );
        let fallback = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n# Used default nameservers.\n# Overrides: []\n";
        for unreachable in ["", "nameserver 127.0.0.1\nnameserver ::1\n", "nameserver fd00::1\n", "nameserver x\n"] {
            check(unreachable, &none, fallback);
        }
        let dns = Overrides { servers: list("1.1.1.1"), search: list("."), options: list("ndots:0") };
        check(
            "nameserver 127.0.0.1\nsearch a.org\n",
            &dns,
            "nameserver 1.1.1.1\noptions ndots:0\n# Overrides: [nameservers search options]\n",
        );
        check("domain a.org\nnameserver 1.2.3.4", &none, "nameserver 1.2.3.4\nsearch a.org\n# Overrides: []\n");
    }

    #[test]
    fn on_a_network_of_ones_own() {
        let outside = ["10.0.0.53".parse().unwrap()];
        let text = internal(&host("nameserver 10.0.0.53\nsearch a.org\n"), &Overrides::default(), &outside);
        assert!(text.starts_with("nameserver 127.0.0.11\nsearch a.org\noptions ndots:0\n\n# Based on"), "{text}");
        assert!(text.contains("# ExtServers: [host(10.0.0.53)]\n# Overrides: []\n"), "{text}");
        let text = internal(&host("options ndots:2 rotate\n"), &Overrides::default(), &[]);
        assert!(text.contains("options ndots:2 rotate\n"), "{text}");
    }

    #[test]
    fn ipv6_servers_need_ipv6() {
        let text = generate(&host("nameserver fd00::1\nnameserver fe80::1%eth0\n"), &Overrides::default(), true);
        assert!(text.starts_with("nameserver fd00::1\nnameserver fe80::1%eth0\n\n#"), "{text}");
    }

    #[test]
    fn on_the_hosts_network_the_file_is_copied() {
        let text = "# mine\nnameserver 127.0.0.53\n";
        assert_eq!(on_host_network(&host(text), &Overrides::default()), text);
        let dns = Overrides { servers: list("9.9.9.9"), ..Overrides::default() };
        assert_eq!(on_host_network(&host(text), &dns), "nameserver 9.9.9.9\n");
    }

    #[test]
    fn only_the_stub_alone_is_the_stub() {
        let check = |text: &str, expected| assert_eq!(host(text).is_stub(), expected, "{text}");
        check("nameserver 127.0.0.53\noptions edns0\n", true);
        check("nameserver 127.0.0.53\nnameserver 10.0.0.1\n", false);
        check("nameserver 127.0.0.1\n", false);
        check("", false);
    }
}
