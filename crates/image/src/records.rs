//! What is written down about images.

use oci::image::Descriptor;
use serde::{Deserialize, Serialize};
use store::Table;
use values::{Digest, Timestamp};

/// Images by id.
pub(crate) const IMAGES: Table<ImageRecord> = Table::new("images", 1);
/// Names in full (`docker.io/library/busybox:latest`).
pub(crate) const TAGS: Table<TagRecord> = Table::new("image-tags", 1);
/// Unpacked layers by chain id.
pub(crate) const LAYERS: Table<LayerRecord> = Table::new("layers", 1);
/// Containers, by id, whose image was removed while they stand on it.
pub(crate) const HOLDS: Table<HoldRecord> = Table::new("layer-holds", 1);
/// When a container of an image was last made or removed, by the image's id; not to the minute.
pub(crate) const USES: Table<Timestamp> = Table::new("image-uses", 1);
/// Layers committed a short while ago, by chain id.
pub(crate) const RECENT: Table<RecentRecord> = Table::new("recent-layers", 1);
/// What layers that were made here are compressed, by the digest of the plain tar. Only what was found out before: it is made again
/// where it is needed, and may be forgotten. Of layers that are gone it goes when there is something new to write down.
pub(crate) const COMPRESSED: Table<CompressedRecord> = Table::new("compressed-layers", 1);
/// Single facts: [`SEEDED`].
pub(crate) const FACTS: Table<bool> = Table::new("image-facts", 1);
/// The first image was put in once; who removes it does not find it again.
pub(crate) const SEEDED: &str = "seeded";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    pub(crate) descriptor: Descriptor,
    pub(crate) manifest: Descriptor,
    pub(crate) config: Descriptor,
    /// Chain id of its topmost layer; none where it has no layers.
    pub(crate) top: Option<Digest>,
    /// All content it keeps: itself, manifests, configurations, layers.
    pub(crate) blobs: Vec<Digest>,
    pub(crate) parent: Option<Digest>,
    pub(crate) at: Timestamp,
    /// Topmost layers of other platforms of the same index, pulled before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_tops: Vec<Digest>,
    /// It came from a registry, where it can be had again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pulled: bool,
    /// Layers whose blobs are plain tars and that no registry has given or shall get in this form: it gets them compressed.
    /// None of what was `pulled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) plain: Vec<Digest>,
    /// The digest of the manifest that a registry got for it, because of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<Digest>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TagRecord {
    pub(crate) image: Digest,
    pub(crate) at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    pub(crate) diff_id: Digest,
    pub(crate) parent: Option<Digest>,
    /// Bytes of its files.
    pub(crate) bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HoldRecord {
    pub(crate) top: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CompressedRecord {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Bytes of the plain tar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plain_size: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecentRecord {
    pub(crate) at: Timestamp,
    /// Which start of the machine it was in (`/proc/sys/kernel/random/boot_id`).
    pub(crate) boot: String,
}
