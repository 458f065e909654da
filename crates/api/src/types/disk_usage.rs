//! What takes how much of the disk.

use crate::lenient::{Empty, is_default};
use crate::types::{ContainerSummary, ImageDeleteItem, ImageSummary, Volume};
use crate::wire::wire;

wire! {
    /// The reply of `GET /system/df`. From 1.52 sums by kind of object; clients below get whole lists instead.
    #[serde(rename_all = "PascalCase")]
    pub struct DiskUsage {
        #[serde(skip_serializing_if = "is_default")]
        pub image_usage: Option<ImageUsage>,
        #[serde(skip_serializing_if = "is_default")]
        pub container_usage: Option<ContainerUsage>,
        #[serde(skip_serializing_if = "is_default")]
        pub volume_usage: Option<VolumesUsage>,
        #[serde(skip_serializing_if = "is_default")]
        pub build_cache_usage: Option<BuildCacheUsage>,
        /// Ours: what each byte is kept for, with `verbose=1`.
        #[serde(skip_serializing_if = "is_default")]
        pub kept: Option<Vec<Kept>>,
        /// Below 1.52 only, as all that follow.
        #[serde(skip_serializing_if = "is_default")]
        pub layers_size: Option<i64>,
        #[serde(skip_serializing_if = "is_default")]
        pub images: Option<Vec<ImageSummary>>,
        #[serde(skip_serializing_if = "is_default")]
        pub containers: Option<Vec<ContainerSummary>>,
        #[serde(skip_serializing_if = "is_default")]
        pub volumes: Option<Vec<Volume>>,
        #[serde(skip_serializing_if = "is_default")]
        pub build_cache: Option<Vec<Empty>>,
    }
}

wire! {
    /// Something that takes room on the disk. All of them together are all there is, each byte once.
    #[serde(rename_all = "PascalCase")]
    pub struct Kept {
        /// `image`, `shared` (by several images), `layers` (of an image that is gone), `download`, `work`, `container`, `volume`,
        /// `trash`, `records`.
        pub kind: String,
        /// What people call it.
        pub name: String,
        /// Bytes.
        pub size: i64,
        /// For people: what it is kept for, and where that is not plain, what would free it.
        pub why: String,
    }
}

macro_rules! usage {
    ($($(#[$meta:meta])* $name:ident of $item:ty,)*) => {$(
        wire! {
            $(#[$meta])*
            #[serde(rename_all = "PascalCase")]
            pub struct $name {
                pub active_count: i64,
                pub total_count: i64,
                /// Bytes that would be free without what is not in use.
                pub reclaimable: i64,
                /// Bytes.
                pub total_size: i64,
                /// With `verbose=1`.
                #[serde(skip_serializing_if = "is_default")]
                pub items: Vec<$item>,
            }
        }
    )*};
}

usage! {
    /// Images' share.
    ImageUsage of ImageSummary,
    /// Containers' share.
    ContainerUsage of ContainerSummary,
    /// Volumes' share.
    VolumesUsage of Volume,
    /// The build cache's share.
    BuildCacheUsage of Empty,
}

wire! {
    /// The reply of `POST /images/prune`.
    #[serde(rename_all = "PascalCase")]
    pub struct ImagePruneResponse {
        pub images_deleted: Option<Vec<ImageDeleteItem>>,
        /// Bytes.
        pub space_reclaimed: u64,
    }
}
