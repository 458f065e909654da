//! Versions of the daemon.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// The reply of `GET /version`.
    #[serde(rename_all = "PascalCase")]
    pub struct SystemVersion {
        pub platform: VersionPlatform,
        #[serde(skip_serializing_if = "is_default")]
        pub components: Vec<VersionComponent>,
        pub version: String,
        pub api_version: String,
        #[serde(rename = "MinAPIVersion", skip_serializing_if = "is_default")]
        pub min_api_version: String,
        pub git_commit: String,
        pub go_version: String,
        pub os: String,
        pub arch: String,
        #[serde(skip_serializing_if = "is_default")]
        pub kernel_version: String,
        #[serde(skip_serializing_if = "is_default")]
        pub experimental: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub build_time: String,
    }
}

wire! {
    /// The product's name.
    #[serde(rename_all = "PascalCase")]
    pub struct VersionPlatform {
        pub name: String,
    }
}

wire! {
    /// One part of the product.
    #[serde(rename_all = "PascalCase")]
    pub struct VersionComponent {
        pub name: String,
        pub version: String,
        #[serde(skip_serializing_if = "is_default")]
        pub details: BTreeMap<String, String>,
    }
}
