//! Mounts, as asked for and as found.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// A mount as asked for in `HostConfig.Mounts`.
    #[serde(rename_all = "PascalCase")]
    pub struct Mount {
        /// `bind`, `volume`, `tmpfs`, `image`, `npipe`, `cluster`.
        #[serde(rename = "Type", skip_serializing_if = "is_default")]
        pub kind: String,
        #[serde(skip_serializing_if = "is_default")]
        pub source: String,
        #[serde(skip_serializing_if = "is_default")]
        pub target: String,
        #[serde(skip_serializing_if = "is_default")]
        pub read_only: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub consistency: String,
        #[serde(skip_serializing_if = "is_default")]
        pub bind_options: Option<BindOptions>,
        #[serde(skip_serializing_if = "is_default")]
        pub volume_options: Option<VolumeOptions>,
        #[serde(skip_serializing_if = "is_default")]
        pub image_options: Option<ImageOptions>,
        #[serde(skip_serializing_if = "is_default")]
        pub tmpfs_options: Option<TmpfsOptions>,
    }
}

wire! {
    /// Options of a bind mount.
    #[serde(rename_all = "PascalCase")]
    pub struct BindOptions {
        /// `[r]private`, `[r]shared`, `[r]slave`.
        #[serde(skip_serializing_if = "is_default")]
        pub propagation: String,
        #[serde(skip_serializing_if = "is_default")]
        pub non_recursive: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub create_mountpoint: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub read_only_non_recursive: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub read_only_force_recursive: bool,
    }
}

wire! {
    /// Options of a volume mount.
    #[serde(rename_all = "PascalCase")]
    pub struct VolumeOptions {
        #[serde(skip_serializing_if = "is_default")]
        pub no_copy: bool,
        #[serde(skip_serializing_if = "is_default")]
        pub labels: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "is_default")]
        pub subpath: String,
        #[serde(skip_serializing_if = "is_default")]
        pub driver_config: Option<VolumeDriverConfig>,
    }
}

wire! {
    /// The driver that makes the volume if it is not there.
    #[serde(rename_all = "PascalCase")]
    pub struct VolumeDriverConfig {
        #[serde(skip_serializing_if = "is_default")]
        pub name: String,
        #[serde(skip_serializing_if = "is_default")]
        pub options: BTreeMap<String, String>,
    }
}

wire! {
    /// Options of an image mount.
    #[serde(rename_all = "PascalCase")]
    pub struct ImageOptions {
        #[serde(skip_serializing_if = "is_default")]
        pub subpath: String,
    }
}

wire! {
    /// Options of a tmpfs mount.
    #[serde(rename_all = "PascalCase")]
    pub struct TmpfsOptions {
        #[serde(skip_serializing_if = "is_default")]
        pub size_bytes: i64,
        /// Permission bits, as a number.
        #[serde(skip_serializing_if = "is_default")]
        pub mode: u32,
        /// `[KEY]` or `[KEY, VALUE]` each.
        #[serde(skip_serializing_if = "is_default")]
        pub options: Vec<Vec<String>>,
    }
}

wire! {
    /// A mount of a container, as inspect and list show it.
    #[serde(rename_all = "PascalCase")]
    pub struct MountPoint {
        #[serde(rename = "Type", skip_serializing_if = "is_default")]
        pub kind: String,
        /// The volume's name.
        #[serde(skip_serializing_if = "is_default")]
        pub name: String,
        pub source: String,
        pub destination: String,
        #[serde(skip_serializing_if = "is_default")]
        pub driver: String,
        /// The options as given, e.g. `ro,z`.
        pub mode: String,
        #[serde(rename = "RW")]
        pub rw: bool,
        pub propagation: String,
    }
}
