//! Everything about one image.

use crate::lenient::is_default;
use crate::types::{ContainerConfig, Descriptor, DriverData, ImageConfig, ImageManifestSummary};
use crate::wire::wire;

wire! {
    /// The reply of `GET /images/{name}/json`.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageInspect {
        pub id: String,
        pub repo_tags: Vec<String>,
        pub repo_digests: Vec<String>,
        /// Clients below 1.52 only.
        #[serde(skip_serializing_if = "is_default")]
        pub parent: Option<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub comment: Option<String>,
        /// RFC 3339 with nanoseconds.
        #[serde(skip_serializing_if = "is_default")]
        pub created: Option<String>,
        /// Clients below 1.45 only.
        #[serde(skip_serializing_if = "is_default")]
        pub container_config: Option<ContainerConfig>,
        /// Clients below 1.52 only.
        #[serde(skip_serializing_if = "is_default")]
        pub docker_version: Option<String>,
        /// Left out when empty from 1.52; so is `Comment`.
        #[serde(skip_serializing_if = "is_default")]
        pub author: Option<String>,
        pub architecture: String,
        #[serde(skip_serializing_if = "is_default")]
        pub variant: String,
        pub os: String,
        #[serde(skip_serializing_if = "is_default")]
        pub os_version: String,
        pub size: i64,
        /// Clients below 1.44 only.
        #[serde(skip_serializing_if = "is_default")]
        pub virtual_size: Option<i64>,
        /// With graph drivers only; clients below 1.52 always get it.
        #[serde(skip_serializing_if = "is_default")]
        pub graph_driver: Option<DriverData>,
        #[serde(rename = "RootFS")]
        pub rootfs: ImageRootfs,
        pub metadata: ImageMetadata,
        #[serde(skip_serializing_if = "is_default")]
        pub config: Option<ImageConfig>,
        /// From 1.48.
        #[serde(skip_serializing_if = "is_default")]
        pub descriptor: Option<Descriptor>,
        /// From 1.48, with `manifests=1`.
        #[serde(skip_serializing_if = "is_default")]
        pub manifests: Vec<ImageManifestSummary>,
    }
}

wire! {
    /// The layers of an image.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageRootfs {
        /// `layers`.
        #[serde(rename = "Type")]
        pub kind: String,
        /// Diff ids, lowest first.
        #[serde(skip_serializing_if = "is_default")]
        pub layers: Vec<String>,
    }
}

wire! {
    /// What this daemon remembers of an image.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageMetadata {
        /// RFC 3339.
        #[serde(skip_serializing_if = "is_default")]
        pub last_tag_time: Option<String>,
    }
}
