//! What the daemon tells the engine at its start: plain data, already validated and defaulted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cgroups::Driver;
use crate::garbage::Policy;
use crate::remap::Remap;

#[derive(Clone, Debug)]
pub struct Config {
    /// Durable state: `/var/lib/lighter`.
    pub data_root: PathBuf,
    /// State of this boot: `/run/lighter`.
    pub run_root: PathBuf,
    /// The `lighter-shim` program.
    pub shim: PathBuf,
    /// Short name of this daemon among others on the machine, in names of links, tables and cgroups.
    /// Empty for the one with the default roots.
    pub instance: String,
    pub bridge: Bridge,
    /// Who manages control groups.
    pub cgroup_driver: Driver,
    /// Parent of all containers' cgroups, e.g. `/lighter`, or a slice with systemd.
    pub cgroup_parent: String,
    pub defaults: Defaults,
    /// External OCI runtimes by name.
    pub runtimes: BTreeMap<String, Runtime>,
    /// `overlay` or `native`; `None` takes the best this machine has.
    pub storage_driver: Option<String>,
    /// Labels of the daemon itself, shown by `info`.
    pub labels: Vec<String>,
    pub debug: bool,
    pub registries: ::registry::Config,
    /// Containers are labelled for SELinux, where the kernel has it.
    pub selinux: bool,
    pub image_gc: Policy,
    /// Containers go on when the daemon ends.
    pub live_restore: bool,
    /// Time for containers to end when the daemon ends and `live_restore` is off.
    pub shutdown_timeout: Duration,
}

/// An external OCI runtime of `daemon.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// A path, or a program's name.
    pub path: String,
    /// What comes before each command.
    pub args: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Bridge {
    /// No default bridge at all (`bridge: none`).
    pub disabled: bool,
    /// Empty: derived from `instance`.
    pub name: String,
    /// `ADDRESS/LENGTH` of the bridge itself.
    pub bip: Option<String>,
    /// `None`: that of the route to the outside.
    pub mtu: Option<u32>,
    pub ip_masq: bool,
    pub icc: bool,
    /// Where ports are published that name no address.
    pub host_ip: Option<std::net::IpAddr>,
    /// The host's own firewall is asked who may reach a published port.
    pub respect_firewall: bool,
    /// Containers may claim addresses that are not theirs.
    pub foreign_addresses: bool,
    /// Whoever has a route to a container's address reaches its published ports there.
    pub direct_routing: bool,
    /// Where containers' addresses are taken from.
    pub fixed: Option<network::Ipv4Net>,
    /// Containers' default gateway, where it is not the bridge.
    pub gateway: Option<std::net::Ipv4Addr>,
    /// It has IPv6, too.
    pub ipv6: Option<network::Ipv6Config>,
    /// The daemon passes on what the kernel cannot.
    pub relays: bool,
    /// Options of new networks that do not say otherwise, by driver.
    pub network_options: BTreeMap<String, BTreeMap<String, String>>,
    /// What `host-gateway` means; empty: the default bridge's addresses.
    pub host_gateways: Vec<std::net::IpAddr>,
    /// `BASE/LENGTH` and the length of the subnets cut from it; empty: Docker's.
    pub address_pools: Vec<(String, u8)>,
}

impl Default for Bridge {
    fn default() -> Self {
        Self {
            disabled: false,
            name: String::new(),
            bip: None,
            mtu: None,
            ip_masq: true,
            icc: true,
            host_ip: None,
            respect_firewall: false,
            foreign_addresses: false,
            direct_routing: false,
            fixed: None,
            gateway: None,
            ipv6: None,
            relays: true,
            network_options: BTreeMap::new(),
            host_gateways: vec![],
            address_pools: vec![],
        }
    }
}

/// What a container gets where it asks for nothing else.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Bytes of `/dev/shm`.
    pub shm_size: i64,
    pub init: bool,
    /// Name of the runtime.
    pub runtime: String,
    pub log_driver: String,
    pub log_opts: BTreeMap<String, String>,
    /// Name to soft and hard limit.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    pub dns: Vec<String>,
    pub dns_options: Vec<String>,
    pub dns_search: Vec<String>,
    pub stop_timeout: Duration,
    pub no_new_privileges: bool,
    /// `private` or `host`; `None`: private on cgroup v2, as Docker.
    pub cgroupns: Option<String>,
    /// `private` or `shareable`.
    pub ipc: String,
    /// Where files of the Container Device Interface are; later directories win.
    pub cdi_directories: Vec<PathBuf>,
    /// Containers' ids on the machine; `None`: the same as inside.
    pub remap: Option<Remap>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            shm_size: 64 << 20,
            init: false,
            runtime: "runc".into(),
            log_driver: "json-file".into(),
            log_opts: BTreeMap::new(),
            ulimits: BTreeMap::new(),
            dns: vec![],
            dns_options: vec![],
            dns_search: vec![],
            stop_timeout: Duration::from_secs(10),
            no_new_privileges: false,
            cgroupns: None,
            ipc: "private".into(),
            cdi_directories: crate::cdi::DIRECTORIES.map(PathBuf::from).into(),
            remap: None,
        }
    }
}
