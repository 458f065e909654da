//! What the daemon is and has.

use std::collections::BTreeMap;

use crate::lenient::{Empty, is_default};
use crate::wire::wire;

wire! {
    /// The reply of `GET /info`.
    #[serde(rename_all = "PascalCase")]
    pub struct SystemInfo {
        #[serde(rename = "ID")]
        pub id: String,
        pub containers: i64,
        pub containers_running: i64,
        pub containers_paused: i64,
        pub containers_stopped: i64,
        pub images: i64,
        pub driver: String,
        pub driver_status: Option<Vec<[String; 2]>>,
        pub plugins: PluginsInfo,
        pub memory_limit: bool,
        pub swap_limit: bool,
        pub cpu_cfs_period: bool,
        pub cpu_cfs_quota: bool,
        #[serde(rename = "CPUShares")]
        pub cpu_shares: bool,
        #[serde(rename = "CPUSet")]
        pub cpu_set: bool,
        pub pids_limit: bool,
        #[serde(rename = "IPv4Forwarding")]
        pub ipv4_forwarding: bool,
        /// Clients below 1.50 only, always false; so is the next.
        #[serde(skip_serializing_if = "is_default")]
        pub bridge_nf_iptables: Option<bool>,
        #[serde(skip_serializing_if = "is_default")]
        pub bridge_nf_ip6tables: Option<bool>,
        pub debug: bool,
        pub n_fd: i64,
        pub oom_kill_disable: bool,
        pub n_goroutines: i64,
        /// RFC 3339 with nanoseconds, local zone.
        pub system_time: String,
        pub logging_driver: String,
        pub cgroup_driver: String,
        #[serde(skip_serializing_if = "is_default")]
        pub cgroup_version: String,
        pub n_events_listener: i64,
        pub kernel_version: String,
        pub operating_system: String,
        #[serde(rename = "OSVersion")]
        pub os_version: String,
        #[serde(rename = "OSType")]
        pub os_type: String,
        pub architecture: String,
        pub index_server_address: String,
        pub registry_config: Option<RegistryConfig>,
        #[serde(rename = "NCPU")]
        pub ncpu: i64,
        /// Bytes.
        pub mem_total: i64,
        pub generic_resources: Option<Vec<Empty>>,
        pub docker_root_dir: String,
        pub http_proxy: String,
        pub https_proxy: String,
        pub no_proxy: String,
        pub name: String,
        pub labels: Vec<String>,
        pub experimental_build: bool,
        pub server_version: String,
        pub runtimes: BTreeMap<String, RuntimeInfo>,
        pub default_runtime: String,
        pub swarm: SwarmInfo,
        pub live_restore_enabled: bool,
        pub isolation: String,
        pub init_binary: String,
        pub containerd_commit: Commit,
        pub runc_commit: Commit,
        pub init_commit: Commit,
        /// `name=seccomp,profile=builtin`, ...
        pub security_options: Vec<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub product_license: String,
        #[serde(skip_serializing_if = "is_default")]
        pub default_address_pools: Vec<AddressPool>,
        /// From 1.49.
        #[serde(skip_serializing_if = "is_default")]
        pub firewall_backend: Option<FirewallInfo>,
        #[serde(rename = "CDISpecDirs")]
        pub cdi_spec_dirs: Vec<String>,
        /// From 1.50.
        #[serde(skip_serializing_if = "is_default")]
        pub discovered_devices: Vec<DeviceInfo>,
        /// From 1.46.
        #[serde(skip_serializing_if = "is_default")]
        pub containerd: Option<ContainerdInfo>,
        pub warnings: Option<Vec<String>>,
    }
}

wire! {
    /// The kinds of plugins and built-in drivers.
    #[serde(rename_all = "PascalCase")]
    pub struct PluginsInfo {
        pub volume: Option<Vec<String>>,
        pub network: Option<Vec<String>>,
        pub authorization: Option<Vec<String>>,
        pub log: Option<Vec<String>>,
    }
}

wire! {
    /// How registries are reached.
    #[serde(rename_all = "PascalCase")]
    pub struct RegistryConfig {
        pub index_configs: BTreeMap<String, IndexInfo>,
        #[serde(rename = "InsecureRegistryCIDRs")]
        pub insecure_registry_cidrs: Option<Vec<String>>,
        pub mirrors: Option<Vec<String>>,
    }
}

wire! {
    /// One registry.
    #[serde(rename_all = "PascalCase")]
    pub struct IndexInfo {
        pub mirrors: Option<Vec<String>>,
        pub name: String,
        pub official: bool,
        pub secure: bool,
    }
}

wire! {
    /// An OCI runtime that containers may use.
    #[serde(rename_all = "camelCase")]
    pub struct RuntimeInfo {
        #[serde(skip_serializing_if = "is_default")]
        pub path: String,
        #[serde(skip_serializing_if = "is_default")]
        pub runtime_args: Vec<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub status: BTreeMap<String, String>,
    }
}

wire! {
    /// This node's place in a swarm.
    #[serde(rename_all = "PascalCase")]
    pub struct SwarmInfo {
        #[serde(rename = "NodeID")]
        pub node_id: String,
        pub node_addr: String,
        /// `inactive` outside of a swarm.
        pub local_node_state: String,
        pub control_available: bool,
        pub error: String,
        pub remote_managers: Option<Vec<PeerNode>>,
        #[serde(skip_serializing_if = "is_default")]
        pub nodes: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub managers: i64,
    }
}

wire! {
    /// A manager of the swarm.
    #[serde(rename_all = "PascalCase")]
    pub struct PeerNode {
        #[serde(rename = "NodeID")]
        pub node_id: String,
        pub addr: String,
    }
}

wire! {
    /// The version of a helper.
    #[serde(rename_all = "PascalCase")]
    pub struct Commit {
        #[serde(rename = "ID")]
        pub id: String,
        /// Clients below 1.49 only, the same as `ID`.
        #[serde(skip_serializing_if = "is_default")]
        pub expected: String,
    }
}

wire! {
    /// A pool that new networks are cut from.
    #[serde(rename_all = "PascalCase")]
    pub struct AddressPool {
        pub base: String,
        pub size: i64,
    }
}

wire! {
    /// Which firewall the daemon programs.
    #[serde(rename_all = "PascalCase")]
    pub struct FirewallInfo {
        pub driver: String,
        #[serde(skip_serializing_if = "is_default")]
        pub info: Vec<[String; 2]>,
    }
}

wire! {
    /// A device that a driver found.
    #[serde(rename_all = "PascalCase")]
    pub struct DeviceInfo {
        pub source: String,
        #[serde(rename = "ID")]
        pub id: String,
    }
}

wire! {
    /// The containerd behind the daemon.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerdInfo {
        #[serde(skip_serializing_if = "is_default")]
        pub address: String,
        pub namespaces: ContainerdNamespaces,
    }
}

wire! {
    /// Its namespaces.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerdNamespaces {
        pub containers: String,
        pub plugins: String,
    }
}
