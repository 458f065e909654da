use std::io::Read;

use oci::image::Descriptor;
use values::{Digest, Result};

/// Where an image is pulled from. Calls block and come from several threads.
pub trait Remote: Sync {
    /// A manifest or index by its digest. The bytes need not be verified.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>>;

    /// A configuration, whole.
    fn small(&self, descriptor: &Descriptor) -> Result<Vec<u8>>;

    /// A blob from `offset` on. Reading blocks for as long as the remote needs, and fails for good where it gives up.
    fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>>;

    /// Layers to be worked on at the same time.
    fn parallel(&self) -> usize;

    /// Nobody wants the image any more.
    fn is_cancelled(&self) -> bool;

    /// What happens, as it happens.
    fn tell(&self, event: PullEvent<'_>);
}

/// One thing that happened to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullEvent<'a> {
    pub blob: &'a Digest,
    pub stage: PullStage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStage {
    /// It is here already.
    Present,
    /// It is to be fetched.
    Announced,
    /// Others come first.
    Waiting,
    Verifying,
    Downloaded,
    /// Bytes of the blob that are unpacked.
    Extracting {
        current: u64,
        total: u64,
    },
    Complete,
}
