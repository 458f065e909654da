//! Everything about one container.

use crate::lenient::is_default;
use crate::types::{
    ContainerConfig, ContainerState, Descriptor, DriverData, HostConfig, MountPoint, NetworkSettings, Storage,
};
use crate::wire::wire;

wire! {
    /// The reply of `GET /containers/{id}/json`.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerInspect {
        pub id: String,
        /// RFC 3339 with nanoseconds.
        pub created: String,
        pub path: String,
        pub args: Vec<String>,
        pub state: ContainerState,
        /// The image's id.
        pub image: String,
        pub resolv_conf_path: String,
        pub hostname_path: String,
        pub hosts_path: String,
        pub log_path: String,
        /// With its leading slash.
        pub name: String,
        pub restart_count: i64,
        pub driver: String,
        pub platform: String,
        pub mount_label: String,
        pub process_label: String,
        pub app_armor_profile: String,
        #[serde(rename = "ExecIDs")]
        pub exec_ids: Option<Vec<String>>,
        pub host_config: HostConfig,
        /// With graph drivers only; clients below 1.52 always get it.
        #[serde(skip_serializing_if = "is_default")]
        pub graph_driver: Option<DriverData>,
        /// From 1.52.
        #[serde(skip_serializing_if = "is_default")]
        pub storage: Option<Storage>,
        /// Bytes written; only with `size=1`.
        #[serde(skip_serializing_if = "is_default")]
        pub size_rw: Option<i64>,
        /// Bytes in all; only with `size=1`.
        #[serde(rename = "SizeRootFs", skip_serializing_if = "is_default")]
        pub size_rootfs: Option<i64>,
        pub mounts: Vec<MountPoint>,
        pub config: ContainerConfig,
        pub network_settings: NetworkSettings,
        /// From 1.48.
        #[serde(skip_serializing_if = "is_default")]
        pub image_manifest_descriptor: Option<Descriptor>,
    }
}
