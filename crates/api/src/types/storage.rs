//! Where a root filesystem lives.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// A graph driver's name and data.
    #[serde(rename_all = "PascalCase")]
    pub struct DriverData {
        pub data: Option<BTreeMap<String, String>>,
        pub name: String,
    }
}

wire! {
    /// The storage of a container (from 1.52).
    #[serde(rename_all = "PascalCase")]
    pub struct Storage {
        #[serde(rename = "RootFS", skip_serializing_if = "is_default")]
        pub rootfs: Option<RootfsStorage>,
    }
}

wire! {
    /// The storage of its root filesystem.
    #[serde(rename_all = "PascalCase")]
    pub struct RootfsStorage {
        #[serde(skip_serializing_if = "is_default")]
        pub snapshot: Option<RootfsSnapshot>,
    }
}

wire! {
    /// The snapshotter.
    #[serde(rename_all = "PascalCase")]
    pub struct RootfsSnapshot {
        pub name: String,
    }
}
