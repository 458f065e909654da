//! The manifests an image's index points to.

use crate::lenient::is_default;
use crate::types::{Descriptor, Platform};
use crate::wire::wire;

wire! {
    /// One manifest of an image.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageManifestSummary {
        #[serde(rename = "ID")]
        pub id: String,
        pub descriptor: Descriptor,
        pub available: bool,
        /// `image`, `attestation`, `unknown`.
        pub kind: String,
        pub size: ManifestSize,
        #[serde(skip_serializing_if = "is_default")]
        pub image_data: Option<ManifestImageData>,
        #[serde(skip_serializing_if = "is_default")]
        pub attestation_data: Option<ManifestAttestationData>,
    }
}

wire! {
    /// Sizes in bytes.
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestSize {
        pub content: i64,
        pub total: i64,
    }
}

wire! {
    /// A manifest that is an image.
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestImageData {
        pub platform: Platform,
        pub containers: Vec<String>,
        pub size: ManifestImageSize,
    }
}

wire! {
    /// Sizes in bytes.
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestImageSize {
        pub unpacked: i64,
    }
}

wire! {
    /// A manifest that attests another.
    #[serde(rename_all = "PascalCase")]
    pub struct ManifestAttestationData {
        #[serde(rename = "For")]
        pub target: String,
    }
}
