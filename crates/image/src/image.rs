use std::sync::Arc;

use oci::image::Descriptor;
use values::{Digest, Platform, Timestamp};

/// An image as this machine has it. Immutable: a new tag makes a new value.
#[derive(Clone, Debug)]
pub struct Image {
    /// Digest of the manifest or index it was loaded by (Docker 29's rule).
    pub id: Digest,
    /// What `id` points at.
    pub descriptor: Descriptor,
    /// The manifest used here: that of this machine's platform, where `id` is an index.
    pub manifest: Descriptor,
    /// Digest of the configuration's bytes, for [`Images::content`](crate::Images::content).
    pub config_digest: Digest,
    /// The configuration, parsed.
    pub config: Arc<oci::image::Image>,
    /// Its layers' chain ids, lowest first: what a root filesystem is made of.
    pub chain: Vec<Digest>,
    /// Bytes of each layer unpacked, lowest first.
    pub layer_sizes: Vec<u64>,
    /// Bytes of all blobs kept for it.
    pub content_size: u64,
    pub platform: Platform,
    /// It is kept and passed on, but has no root filesystem to run on.
    pub is_artifact: bool,
    /// Id of the image it was built on, where that was said.
    pub parent: Option<Digest>,
    /// The digest that registries know it by, where that is another: they have some of its layers compressed.
    pub published: Option<Digest>,
    /// When a name was last given to it, or it was loaded.
    pub tagged_at: Timestamp,
    /// `busybox:1.36` each, in order. None of them: a dangling image.
    pub repo_tags: Vec<String>,
    /// `busybox@sha256:…` each, in order.
    pub repo_digests: Vec<String>,
}

impl Image {
    /// Bytes of its layers unpacked, what Docker before 29 showed as its size.
    pub fn unpacked_size(&self) -> u64 {
        self.layer_sizes.iter().sum()
    }

    /// Unpacked layers and kept blobs together, what Docker 29 shows as its size.
    pub fn size(&self) -> u64 {
        self.unpacked_size() + self.content_size
    }

    /// When it was built, if it says so.
    pub fn created(&self) -> Option<Timestamp> {
        self.config.created
    }

    /// What a container of it starts with.
    pub fn run_config(&self) -> &oci::image::Config {
        &self.config.config
    }
}
