//! What a container gets of its host: the half of the configuration that is not portable.

use std::collections::BTreeMap;

use crate::lenient::{StrSlice, is_default};
use crate::types::{Mount, PortMap, Resources};
use crate::wire::wire;

wire! {
    /// The host's part of a container's configuration.
    #[serde(rename_all = "PascalCase")]
    pub struct HostConfig {
        /// `SOURCE:DESTINATION[:OPTIONS]`.
        pub binds: Option<Vec<String>>,
        #[serde(rename = "ContainerIDFile")]
        pub container_id_file: String,
        pub log_config: LogConfig,
        /// `default`, `bridge`, `host`, `none`, `container:ID`, a network's name or id.
        pub network_mode: String,
        pub port_bindings: Option<PortMap>,
        pub restart_policy: RestartPolicy,
        pub auto_remove: bool,
        pub volume_driver: String,
        /// `CONTAINER[:ro|:rw]`.
        pub volumes_from: Option<Vec<String>>,
        /// Height, width.
        pub console_size: [u32; 2],
        #[serde(skip_serializing_if = "is_default")]
        pub annotations: BTreeMap<String, String>,
        pub cap_add: Option<StrSlice>,
        pub cap_drop: Option<StrSlice>,
        /// `private`, `host` or empty.
        pub cgroupns_mode: String,
        pub dns: Option<Vec<String>>,
        pub dns_options: Option<Vec<String>>,
        pub dns_search: Option<Vec<String>>,
        /// `HOST:IP`.
        pub extra_hosts: Option<Vec<String>>,
        pub group_add: Option<Vec<String>>,
        /// `none`, `private`, `shareable`, `host`, `container:ID` or empty.
        pub ipc_mode: String,
        pub cgroup: String,
        /// `CONTAINER[:ALIAS]`.
        pub links: Option<Vec<String>>,
        pub oom_score_adj: i64,
        /// `host`, `container:ID` or empty.
        pub pid_mode: String,
        pub privileged: bool,
        pub publish_all_ports: bool,
        pub readonly_rootfs: bool,
        pub security_opt: Option<Vec<String>>,
        #[serde(skip_serializing_if = "is_default")]
        pub storage_opt: BTreeMap<String, String>,
        /// Path inside to mount options.
        #[serde(skip_serializing_if = "is_default")]
        pub tmpfs: BTreeMap<String, String>,
        #[serde(rename = "UTSMode")]
        pub uts_mode: String,
        pub userns_mode: String,
        /// Bytes; 0 takes the daemon's default.
        pub shm_size: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub sysctls: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "is_default")]
        pub runtime: String,
        /// Windows only.
        pub isolation: String,
        #[flatten]
        pub resources: Resources,
        #[serde(skip_serializing_if = "is_default")]
        pub mounts: Vec<Mount>,
        /// Null takes the defaults, `[]` masks nothing.
        pub masked_paths: Option<Vec<String>>,
        /// As `MaskedPaths`.
        pub readonly_paths: Option<Vec<String>>,
        /// Null takes the daemon's default.
        #[serde(skip_serializing_if = "is_default")]
        pub init: Option<bool>,
    }
}

wire! {
    /// Log driver and its options; an empty type is the daemon's default.
    #[serde(rename_all = "PascalCase")]
    pub struct LogConfig {
        #[serde(rename = "Type")]
        pub kind: String,
        pub config: Option<BTreeMap<String, String>>,
    }
}

wire! {
    /// When a container is started again.
    #[serde(rename_all = "PascalCase")]
    pub struct RestartPolicy {
        /// Empty, `no`, `always`, `unless-stopped`, `on-failure`.
        pub name: String,
        /// Only for `on-failure`; 0 is for ever.
        pub maximum_retry_count: i64,
    }
}
