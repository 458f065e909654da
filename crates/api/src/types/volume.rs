//! Volumes.

use std::collections::BTreeMap;

use crate::lenient::{Empty, is_default};
use crate::wire::wire;

wire! {
    /// A volume.
    #[serde(rename_all = "PascalCase")]
    pub struct Volume {
        #[serde(skip_serializing_if = "is_default")]
        pub created_at: String,
        pub driver: String,
        pub labels: Option<BTreeMap<String, String>>,
        pub mountpoint: String,
        pub name: String,
        pub options: Option<BTreeMap<String, String>>,
        pub scope: String,
        #[serde(skip_serializing_if = "is_default")]
        pub status: Option<BTreeMap<String, Empty>>,
        #[serde(skip_serializing_if = "is_default")]
        pub usage_data: Option<VolumeUsage>,
    }
}

wire! {
    /// Its size and users; -1 when not known.
    #[serde(rename_all = "PascalCase")]
    pub struct VolumeUsage {
        pub ref_count: i64,
        pub size: i64,
    }
}

wire! {
    /// The reply of `GET /volumes`.
    #[serde(rename_all = "PascalCase")]
    pub struct VolumeList {
        pub volumes: Vec<Volume>,
        pub warnings: Option<Vec<String>>,
    }
}

wire! {
    /// The body of `POST /volumes/create`.
    #[serde(rename_all = "PascalCase")]
    pub struct VolumeCreateRequest {
        /// Empty: one is made up.
        #[serde(skip_serializing_if = "is_default")]
        pub name: String,
        #[serde(skip_serializing_if = "is_default")]
        pub driver: String,
        #[serde(skip_serializing_if = "is_default")]
        pub driver_opts: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_default")]
        pub labels: Option<BTreeMap<String, String>>,
        /// Of a swarm's volumes.
        #[serde(skip_serializing_if = "is_default")]
        pub cluster_volume_spec: Option<serde_json::Value>,
    }
}

wire! {
    /// What was pruned.
    #[serde(rename_all = "PascalCase")]
    pub struct VolumePruneResponse {
        pub volumes_deleted: Option<Vec<String>>,
        pub space_reclaimed: u64,
    }
}
