//! What the daemon says of itself and its machine: `version` and `info`.

use std::collections::BTreeMap;
use std::fs;

use api::types::{
    AddressPool, Commit, DeviceInfo, FirewallInfo, IndexInfo, PluginsInfo, RegistryConfig, SwarmInfo, SystemInfo,
    SystemVersion, VersionComponent, VersionPlatform,
};
use values::{Platform, Timestamp};

use crate::config::Config;
use crate::machine::{Limits, Machine};

/// The Docker Engine whose behaviour and API we have; clients compare it with what they need.
const COMPATIBLE: &str = "29.7.2";
/// Newest and oldest version of the API.
const API_VERSION: &str = "1.55";
const MIN_API_VERSION: &str = "1.24";
const INDEX: &str = "https://index.docker.io/v1/";

/// The engine's version as clients see it: a semantic version that orders as the Docker it is compatible with, and
/// whose build metadata is our own. `0.1.0` alone would be refused as too old by tools that ask for a Docker ≥ 20.
pub fn server_version() -> String {
    format!("{COMPATIBLE}+lighter.{}", values::VERSION)
}

fn commit() -> String {
    option_env!("LIGHTER_COMMIT").unwrap_or_default().to_owned()
}

fn build_time() -> String {
    option_env!("LIGHTER_BUILD_TIME").unwrap_or_default().to_owned()
}

/// The reply of `GET /version`.
pub fn version(machine: &Machine) -> SystemVersion {
    let version = server_version();
    let arch = Platform::host().architecture;
    let engine = [
        ("ApiVersion", API_VERSION),
        ("Arch", &arch),
        ("BuildTime", &build_time()),
        ("Experimental", "false"),
        ("GitCommit", &commit()),
        // clients print it; there is no Go here
        ("GoVersion", "none (Rust)"),
        ("KernelVersion", &machine.kernel),
        ("MinAPIVersion", MIN_API_VERSION),
        ("Os", "linux"),
    ];
    let component = |name: &str, version: &str, details: &[(&str, &str)]| VersionComponent {
        name: name.into(),
        version: version.into(),
        details: details.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
    };
    SystemVersion {
        platform: VersionPlatform { name: format!("Lighter {}", values::VERSION) },
        components: vec![
            component("Engine", &version, &engine),
            component("lighter", values::VERSION, &[("GitCommit", &commit())]),
        ],
        version,
        api_version: API_VERSION.into(),
        min_api_version: MIN_API_VERSION.into(),
        git_commit: commit(),
        go_version: "none (Rust)".into(),
        os: "linux".into(),
        arch,
        kernel_version: machine.kernel.clone(),
        experimental: false,
        build_time: build_time(),
    }
}

/// What of `info` changes while the daemon runs.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub config: &'a Config,
    /// As they are configured now.
    pub registries: &'a ::registry::Config,
    pub daemon_id: &'a str,
    pub running: usize,
    pub paused: usize,
    pub stopped: usize,
    pub images: usize,
    /// The snapshot driver.
    pub driver: &'a str,
    pub driver_status: Vec<[String; 2]>,
    pub event_listeners: usize,
    /// Containers are labelled for SELinux.
    pub selinux: bool,
}

/// The reply of `GET /info`.
pub fn info(facts: &Facts<'_>, machine: &Machine) -> SystemInfo {
    let proxies = facts.registries.proxies.masked();
    let (config, limits) = (facts.config, &machine.limits);
    let forwarding = !fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|text| text.trim() == "0");
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let commit = |id: &str| Commit { id: id.to_owned(), ..Commit::default() };
    let pool = |(base, size): &(String, u8)| AddressPool { base: base.clone(), size: i64::from(*size) };
    SystemInfo {
        id: facts.daemon_id.to_owned(),
        containers: count(facts.running + facts.paused + facts.stopped),
        containers_running: count(facts.running),
        containers_paused: count(facts.paused),
        containers_stopped: count(facts.stopped),
        images: count(facts.images),
        driver: facts.driver.to_owned(),
        driver_status: Some(facts.driver_status.clone()),
        plugins: plugins(),
        memory_limit: limits.memory,
        swap_limit: limits.swap,
        cpu_cfs_period: limits.cpu_cfs,
        cpu_cfs_quota: limits.cpu_cfs,
        cpu_shares: limits.cpu_shares,
        cpu_set: limits.cpuset,
        pids_limit: limits.pids,
        ipv4_forwarding: forwarding,
        debug: config.debug,
        n_fd: fs::read_dir("/proc/self/fd").map_or(-1, |entries| count(entries.count())),
        oom_kill_disable: limits.oom_kill_disable,
        // tasks are not counted; threads are the nearest
        n_goroutines: fs::read_dir("/proc/self/task").map_or(0, |entries| count(entries.count())),
        system_time: Timestamp::now().to_rfc3339_nano(),
        logging_driver: config.defaults.log_driver.clone(),
        cgroup_driver: config.cgroup_driver.name().into(),
        cgroup_version: machine.cgroup_version.to_string(),
        n_events_listener: count(facts.event_listeners),
        kernel_version: machine.kernel.clone(),
        operating_system: machine.operating_system.clone(),
        os_version: machine.os_version.clone(),
        os_type: "linux".into(),
        architecture: machine.architecture.clone(),
        index_server_address: INDEX.into(),
        registry_config: Some(registries(facts.registries)),
        http_proxy: proxies.http,
        https_proxy: proxies.https,
        no_proxy: proxies.none,
        ncpu: count(machine.cpus),
        mem_total: machine.memory,
        docker_root_dir: config.data_root.display().to_string(),
        name: machine.hostname.clone(),
        labels: config.labels.clone(),
        server_version: server_version(),
        runtimes: crate::runtimes::shown(config),
        default_runtime: config.defaults.runtime.clone(),
        swarm: SwarmInfo { local_node_state: "inactive".into(), ..SwarmInfo::default() },
        live_restore_enabled: config.live_restore,
        init_binary: "lighter-shim".into(),
        containerd_commit: commit(""),
        runc_commit: commit(values::VERSION),
        init_commit: commit(values::VERSION),
        security_options: security_options(config, machine, facts.selinux),
        default_address_pools: config.bridge.address_pools.iter().map(pool).collect(),
        firewall_backend: Some(FirewallInfo { driver: "nftables".into(), info: Vec::new() }),
        cdi_spec_dirs: config.defaults.cdi_directories.iter().map(|path| path.display().to_string()).collect(),
        discovered_devices: discovered(config),
        warnings: Some(warnings(limits, machine.cgroup_version, forwarding)),
        ..SystemInfo::default()
    }
}

fn discovered(config: &Config) -> Vec<DeviceInfo> {
    let devices = crate::cdi::Devices::read(&config.defaults.cdi_directories);
    devices.names().map(|name| DeviceInfo { source: "cdi".into(), id: name.into() }).collect()
}

fn plugins() -> PluginsInfo {
    let list = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    PluginsInfo {
        volume: list(&[]),
        network: list(&["bridge", "host", "null"]),
        authorization: None,
        log: list(&["json-file"]),
    }
}

fn registries(config: &::registry::Config) -> RegistryConfig {
    let mirrors_of = |registry: &str| -> Vec<String> {
        let own = config.mirrors.iter().filter(|mirror| mirror.of == registry);
        own.map(|mirror| format!("{}{}/", mirror.origin, mirror.prefix)).collect()
    };
    let mut cidrs = Vec::new();
    let mut indexes = BTreeMap::new();
    for mirror in &config.mirrors {
        let (name, mirrors) = (mirror.of.clone(), Some(mirrors_of(&mirror.of)));
        indexes.insert(name.clone(), IndexInfo { name, mirrors, secure: true, official: false });
    }
    for insecure in &config.insecure {
        match insecure {
            ::registry::Insecure::Network(network) => cidrs.push(network.to_string()),
            ::registry::Insecure::Host(host) => {
                let mirrors = Some(mirrors_of(host));
                indexes.insert(host.clone(), IndexInfo { name: host.clone(), mirrors, secure: false, official: false });
            }
        }
    }
    let own = mirrors_of("docker.io");
    let docker_io = IndexInfo { name: "docker.io".into(), mirrors: Some(own.clone()), secure: true, official: true };
    indexes.insert("docker.io".into(), docker_io);
    cidrs.reverse();
    RegistryConfig {
        insecure_registry_cidrs: Some(cidrs),
        index_configs: indexes,
        mirrors: (!own.is_empty()).then_some(own),
    }
}

fn security_options(config: &Config, machine: &Machine, selinux: bool) -> Vec<String> {
    let private = config.defaults.cgroupns.as_deref().map_or(machine.is_cgroup_v2(), |mode| mode == "private");
    [
        // a profile protects only where one is loaded
        (machine.apparmor && machine.apparmor_profile.is_some(), "name=apparmor"),
        (machine.seccomp, "name=seccomp,profile=builtin"),
        (selinux, "name=selinux"),
        (config.defaults.remap.is_some(), "name=userns"),
        (machine.cgroup_namespaces && private, "name=cgroupns"),
    ]
    .into_iter()
    .filter(|(on, _)| *on)
    .map(|(_, option)| option.to_owned())
    .collect()
}

/// Docker's lines about limits that this kernel cannot set.
fn warnings(limits: &Limits, cgroup_version: u8, forwarding: bool) -> Vec<String> {
    let (v1, v2) = (cgroup_version == 1, cgroup_version == 2);
    [
        (limits.memory, "No memory limit support"),
        (limits.swap, "No swap limit support"),
        (limits.oom_kill_disable || v2, "No oom kill disable support"),
        (limits.cpu_cfs, "No cpu cfs quota support"),
        (limits.cpu_cfs, "No cpu cfs period support"),
        (limits.cpu_shares, "No cpu shares support"),
        (limits.cpuset, "No cpuset support"),
        (limits.pids, "No pids limit support"),
        // v1 lost its weights with Linux 5.0: there is nothing that anybody could do about it
        (limits.blkio_weight || v1, "No io.weight support"),
        (limits.blkio_weight_device || v1, "No io.weight (per device) support"),
        (limits.blkio_throttle || v2, "No blkio throttle.read_bps_device support"),
        (limits.blkio_throttle || v2, "No blkio throttle.write_bps_device support"),
        (limits.blkio_throttle || v2, "No blkio throttle.read_iops_device support"),
        (limits.blkio_throttle || v2, "No blkio throttle.write_iops_device support"),
        (limits.blkio_throttle || v1, "No io.max (rbps) support"),
        (limits.blkio_throttle || v1, "No io.max (wbps) support"),
        (limits.blkio_throttle || v1, "No io.max (riops) support"),
        (limits.blkio_throttle || v1, "No io.max (wiops) support"),
        (forwarding, "IPv4 forwarding is disabled"),
    ]
    .into_iter()
    .filter(|(can, _)| !can)
    .map(|(_, text)| format!("WARNING: {text}"))
    .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{Bridge, Defaults};
    use std::time::Duration;

    pub(crate) fn config() -> Config {
        Config {
            image_gc: Default::default(),
            registries: ::registry::Config::default(),
            data_root: "/var/lib/lighter".into(),
            runtimes: BTreeMap::new(),
            run_root: "/run/lighter".into(),
            shim: "/usr/bin/lighter-shim".into(),
            instance: String::new(),
            bridge: Bridge { address_pools: vec![("10.0.0.0/8".into(), 24)], ..Bridge::default() },
            cgroup_driver: crate::cgroups::Driver::Cgroupfs,
            cgroup_parent: "/lighter".into(),
            defaults: Defaults::default(),
            storage_driver: None,
            labels: vec!["a=b".into()],
            selinux: false,
            debug: true,
            live_restore: true,
            shutdown_timeout: Duration::from_secs(15),
        }
    }

    fn facts(config: &Config) -> Facts<'_> {
        Facts {
            config,
            registries: &config.registries,
            daemon_id: "ID",
            running: 1,
            paused: 2,
            stopped: 3,
            images: 4,
            driver: "overlayfs",
            driver_status: vec![["Backing Filesystem".into(), "ext4".into()]],
            event_listeners: 0,
            selinux: false,
        }
    }

    #[test]
    fn versions_order_as_docker() {
        let got = version(&Machine { kernel: "6.1".into(), ..Machine::default() });
        let numbers: Vec<u32> =
            got.version.split('+').next().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
        assert!(numbers.len() == 3 && numbers[0] >= 28);
        assert!(got.version.ends_with(&format!("+lighter.{}", values::VERSION)));
        assert_eq!((got.api_version.as_str(), got.min_api_version.as_str()), ("1.55", "1.24"));
        let engine = &got.components[0];
        assert_eq!((engine.name.as_str(), engine.details["ApiVersion"].as_str()), ("Engine", "1.55"));
        assert_eq!(got.components[1].name, "lighter");
    }

    #[test]
    fn whole() {
        let config = config();
        let machine =
            Machine { cgroup_version: 2, seccomp: true, cgroup_namespaces: true, cpus: 2, ..Machine::default() };
        let got = info(&facts(&config), &machine);
        assert_eq!((got.containers, got.containers_paused, got.images, got.ncpu), (6, 2, 4, 2));
        assert_eq!(got.security_options, ["name=seccomp,profile=builtin", "name=cgroupns"]);
        assert_eq!((got.default_address_pools[0].base.as_str(), got.default_address_pools[0].size), ("10.0.0.0/8", 24));
        assert!(got.n_fd > 0 && got.debug && got.live_restore_enabled);
        assert_eq!(got.docker_root_dir, "/var/lib/lighter");
        // The shape on the wire: what clients index without asking must be there.
        let json = serde_json::to_value(&got).unwrap();
        assert_eq!(json["RegistryConfig"]["IndexConfigs"]["docker.io"]["Official"], true);
        assert_eq!(json["Swarm"]["LocalNodeState"], "inactive");
        assert_eq!(json["Labels"][0], "a=b");
    }

    #[test]
    fn missing_limits() {
        let all = Limits {
            memory: true,
            swap: true,
            oom_kill_disable: true,
            pids: true,
            cpu_cfs: true,
            cpu_shares: true,
            cpuset: true,
            blkio_weight: true,
            blkio_weight_device: true,
            blkio_throttle: true,
            ..Limits::default()
        };
        assert!(warnings(&all, 1, true).is_empty());
        assert_eq!(warnings(&Limits { swap: false, ..all.clone() }, 1, true), ["WARNING: No swap limit support"]);
        assert!(warnings(&Limits { oom_kill_disable: false, ..all.clone() }, 2, true).is_empty());
        let weightless = Limits { blkio_weight: false, ..all.clone() };
        assert!(warnings(&weightless, 1, true).is_empty());
        assert_eq!(warnings(&weightless, 2, true), ["WARNING: No io.weight support"]);
        assert_eq!(warnings(&all, 2, false), ["WARNING: IPv4 forwarding is disabled"]);
        assert_eq!(warnings(&Limits { blkio_throttle: false, ..all }, 2, true).len(), 4);
    }
}
