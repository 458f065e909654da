//! One line of a list of containers.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::types::{Descriptor, EndpointSettings, HealthSummary, MountPoint, PortSummary};
use crate::wire::wire;

wire! {
    /// One entry of `GET /containers/json`.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerSummary {
        pub id: String,
        /// With leading slashes.
        pub names: Option<Vec<String>>,
        pub image: String,
        #[serde(rename = "ImageID")]
        pub image_id: String,
        /// From 1.48.
        #[serde(skip_serializing_if = "is_default")]
        pub image_manifest_descriptor: Option<Descriptor>,
        pub command: String,
        /// UNIX seconds.
        pub created: i64,
        pub ports: Vec<PortSummary>,
        #[serde(skip_serializing_if = "is_default")]
        pub size_rw: i64,
        #[serde(rename = "SizeRootFs", skip_serializing_if = "is_default")]
        pub size_rootfs: i64,
        pub labels: BTreeMap<String, String>,
        pub state: String,
        /// `Up 5 minutes`, `Exited (0) 2 hours ago`, ...
        pub status: String,
        pub host_config: SummaryHostConfig,
        pub network_settings: SummaryNetworkSettings,
        pub mounts: Vec<MountPoint>,
        /// From 1.52.
        #[serde(skip_serializing_if = "is_default")]
        pub health: Option<HealthSummary>,
    }
}

wire! {
    /// The host's part in a list.
    #[serde(rename_all = "PascalCase")]
    pub struct SummaryHostConfig {
        #[serde(skip_serializing_if = "is_default")]
        pub network_mode: String,
        /// From 1.46.
        #[serde(skip_serializing_if = "is_default")]
        pub annotations: BTreeMap<String, String>,
    }
}

wire! {
    /// The networks in a list.
    #[serde(rename_all = "PascalCase")]
    pub struct SummaryNetworkSettings {
        pub networks: Option<BTreeMap<String, EndpointSettings>>,
    }
}
