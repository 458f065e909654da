//! OCI descriptors.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// An OCI content descriptor (image-spec, `descriptor.md`).
    #[serde(rename_all = "camelCase")]
    pub struct Descriptor {
        pub media_type: String,
        pub digest: String,
        pub size: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub urls: Vec<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub annotations: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "is_default")]
        pub data: String,
        #[serde(skip_serializing_if = "is_default")]
        pub platform: Option<Platform>,
        #[serde(skip_serializing_if = "is_default")]
        pub artifact_type: String,
    }
}

wire! {
    /// An OCI platform.
    #[serde(rename_all = "snake_case")]
    pub struct Platform {
        pub architecture: String,
        pub os: String,
        #[serde(rename = "os.version", skip_serializing_if = "is_default")]
        pub os_version: String,
        #[serde(rename = "os.features", skip_serializing_if = "is_default")]
        pub os_features: Vec<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub variant: String,
    }
}
