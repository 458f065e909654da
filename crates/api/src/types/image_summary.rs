//! One line of a list of images.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::types::{Descriptor, ImageManifestSummary};
use crate::wire::wire;

wire! {
    /// One entry of `GET /images/json`.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageSummary {
        /// Number of containers; -1 when not computed.
        pub containers: i64,
        /// UNIX seconds.
        pub created: i64,
        pub id: String,
        pub labels: Option<BTreeMap<String, String>>,
        pub parent_id: String,
        /// From 1.48.
        #[serde(skip_serializing_if = "is_default")]
        pub descriptor: Option<Descriptor>,
        /// From 1.47, with `manifests=1`.
        #[serde(skip_serializing_if = "is_default")]
        pub manifests: Vec<ImageManifestSummary>,
        pub repo_digests: Vec<String>,
        pub repo_tags: Vec<String>,
        /// Bytes; -1 when not computed.
        pub shared_size: i64,
        /// Bytes.
        pub size: i64,
        /// Clients below 1.44 only.
        #[serde(skip_serializing_if = "is_default")]
        pub virtual_size: Option<i64>,
    }
}
