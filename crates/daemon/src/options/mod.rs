//! Options of the daemon as one visible table: a row is a key of `daemon.json` and a flag of `lighter daemon` at once.
//!
//! Flags ([`flags`]) and file ([`file`]) are read to the same shape, JSON values by key, and put together by
//! [`merge`]; what a value means is [`crate::settings`]' matter. Keys that Docker has and we have not are rows too, so that
//! they are refused by name and not taken for spelling mistakes.

pub mod file;
pub mod flags;
pub mod help;
pub mod merge;
mod rows;

pub use rows::ROWS;

/// What a value looks like, as a flag and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `--flag`, `--flag=false`; `true`, `false`.
    Bool,
    /// `--flag 5`; `5`.
    Int,
    /// `--flag 64m`; `"64m"` or a number of bytes.
    Size,
    /// `--flag x`; `"x"`.
    Text,
    /// `--flag x` repeated; `["x"]`.
    List,
    /// `--flag k=v` repeated; `{"k": "v"}`.
    Map,
    /// `--flag nofile=1024:2048` repeated; `{"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}`.
    Ulimits,
    /// `--flag base=10.0.0.0/8,size=24` repeated; `[{"base": "10.0.0.0/8", "size": 24}]`.
    Pools,
    /// `--flag NAME=PATH` repeated; `{"NAME": {"path": "PATH", "runtimeArgs": ["x"]}}`.
    Runtimes,
    /// `--flag DRIVER=KEY=VALUE` repeated; `{"DRIVER": {"KEY": "VALUE"}}`.
    Options,
    /// Of what is not supported anyway: a flag with a text, anything in the file.
    Other,
}

/// Whether we do what the option asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    Yes,
    /// These values only, written as JSON: what Lighter does anyway.
    Only(&'static [&'static str]),
    No,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// In `daemon.json`.
    pub key: &'static str,
    /// Without the dashes; empty if there is none. Lists have it in the singular.
    pub flag: &'static str,
    pub short: Option<char>,
    pub kind: Kind,
    /// As `--help` shows it; empty if there is none worth showing.
    pub default: &'static str,
    /// One line for `--help`.
    pub doc: &'static str,
    pub support: Support,
    /// Read again on SIGHUP.
    pub reload: bool,
}

impl Row {
    const fn new(key: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { key, flag: key, short: None, kind, default: "", doc, support: Support::Yes, reload: false }
    }

    /// One of Docker's that does nothing yet.
    const fn missing(key: &'static str, kind: Kind) -> Self {
        Self { support: Support::No, ..Self::new(key, kind, "") }
    }

    const fn flag(self, flag: &'static str) -> Self {
        Self { flag, ..self }
    }

    const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    const fn only(self, values: &'static [&'static str]) -> Self {
        Self { support: Support::Only(values), ..self }
    }

    const fn reload(self) -> Self {
        Self { reload: true, ..self }
    }
}

/// The row with this key.
pub fn by_key(key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rows_are_distinct_and_told() {
        let keys: HashSet<_> = ROWS.iter().map(|row| row.key).collect();
        assert_eq!(keys.len(), ROWS.len());
        let flags: Vec<_> = ROWS.iter().map(|row| row.flag).filter(|flag| !flag.is_empty()).collect();
        assert_eq!(flags.iter().collect::<HashSet<_>>().len(), flags.len());
        let shorts: Vec<_> = ROWS.iter().filter_map(|row| row.short).collect();
        assert_eq!(shorts.iter().collect::<HashSet<_>>().len(), shorts.len());
        for row in ROWS.iter().filter(|row| row.support == Support::Yes) {
            assert!(!row.doc.is_empty() && !row.doc.ends_with('.'), "{}", row.key);
        }
    }

    /// Every key that Docker documents is known: spec/wire-formats.md §15.
    #[test]
    fn dockers_keys_are_known() {
        let known = "allow-direct-routing authorization-plugins bip bip6 bridge bridge-accept-fwmark builder cdi-spec-dirs \
            cgroup-parent containerd containerd-namespace containerd-plugin-namespace cpu-rt-period cpu-rt-runtime data-root \
            debug default-address-pools default-cgroupns-mode default-gateway default-gateway-v6 default-init \
            default-ipc-mode default-network-opts default-runtime default-shm-size default-ulimits dns dns-opts dns-search \
            exec-opts exec-root experimental features firewall-backend fixed-cidr fixed-cidr-v6 group host-gateway-ips hosts \
            http-proxy https-proxy no-proxy proxies icc init init-path insecure-registries registry-mirrors ip ip-forward \
            ip-forward-no-drop ip-masq ip6tables iptables ipv6 labels live-restore log-driver log-format log-level log-opts \
            max-concurrent-downloads max-concurrent-uploads max-download-attempts metrics-addr min-api-version mtu \
            network-control-plane-mtu network-diagnostic-port no-new-privileges node-generic-resources nri-opts pidfile \
            raw-logs resolv-conf rootless runtimes seccomp-profile selinux-enabled shutdown-timeout default-stop-timeout \
            storage-driver storage-opts swarm-default-advertise-addr swarm-raft-election-tick swarm-raft-heartbeat-tick tls \
            tlscacert tlscert tlskey tlsverify userland-proxy userland-proxy-path userns-remap";
        let unknown: Vec<_> = known.split_whitespace().filter(|key| by_key(key).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
