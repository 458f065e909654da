//! Images: content kept as it came, unpacked layers, names.
//!
//! [`Images`] is the whole of it. On disk it has
//! - *content*: manifests, indexes, configurations and layer blobs, byte-exact, by their SHA-256 (`content/blobs/sha256/HEX`);
//! - *layers*: unpacked, in a [`snapshot::Snapshotter`], by chain id;
//! - *records* in a [`store::Store`]: images by id (the digest of the manifest or index they came by), names, layers.
//!
//! Order of commitment: content is staged, verified, synced, renamed; layers are unpacked, verified, synced, renamed; then one
//! transaction makes the image visible. So what a crash leaves behind is only more than is needed, and is swept
//! at the next opening. Removal goes the other way round.
//!
//! Who needs what is counted from the records at opening and kept in memory (`ledger.rs`): a blob by images, a layer by
//! images, by layers above it and by containers whose image was taken away from under them. Work in progress pins what it has
//! found or made, so that loading, importing and removing at the same time are safe.
//!
//! Content is trusted by its seal (`content.rs`, docs/adr/0020); `verify` looks at everything, `recent.rs` at what was committed
//! just before an unclean end.

mod apply;
mod assemble;
pub mod changes;
mod claims;
mod commit;
mod compress;
mod content;
mod derive;
mod garbage;
mod history;
mod image;
mod images;
mod import;
mod keep;
mod lease;
mod ledger;
mod load;
mod open;
mod parts;
mod pipeline;
mod platform;
mod pull;
mod recent;
mod records;
mod remove;
mod report;
mod resolve;
mod rootfs;
mod save;
mod seed;
mod tag;
#[cfg(test)]
mod tests;
mod traffic;
mod unpack;
mod usage;
mod verify;

pub use compress::{Compressed, Instead};
pub use derive::{DeriveOptions, WriteLayer};
pub use garbage::{Account, Collected, Collection, NAMELESS_MIN_AGE, Owner, Rest, Share, Standing};
pub use image::Image;
pub use images::{Config, Images};
pub use import::ImportOptions;
pub use keep::Kept;
pub use lease::Hold;
pub use parts::Parts;
pub use pull::{PullEvent, PullRequest, PullStage, Pulled, Remote};
pub use report::{HistoryItem, Loaded, Progress, Removed, Use, owner};
pub use save::Selection;
pub use traffic::Inside;
pub use verify::{Again, Finding, Part, Remedy, Verification, Verified};

use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> values::Digest {
    values::Digest::from_sha256(&Sha256::digest(bytes))
}

/// The chain ids of layers given by their diff ids, lowest first (image-spec config.md, "Layer ChainID").
pub fn chain_ids(diff_ids: &[values::Digest]) -> Vec<values::Digest> {
    let mut chain: Vec<values::Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => diff_id.clone(),
            Some(below) => sha256(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(next);
    }
    chain
}
