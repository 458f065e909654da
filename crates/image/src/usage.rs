//! How much of the disk images take, what they share counted once.

use std::collections::HashSet;

use values::{Digest, Result};

use crate::{
    images::Images,
    records::{IMAGES, ImageRecord},
};

impl Images {
    /// Bytes of everything kept: blobs as they came, files of unpacked layers.
    pub fn disk_usage(&self) -> u64 {
        let ledger = self.ledger();
        let blobs: u64 = ledger.blobs.values().map(|blob| blob.size).sum();
        let layers: u64 = ledger.layers.values().map(|layer| layer.bytes).sum();
        blobs + layers
    }

    /// Bytes of what some images need.
    pub fn disk_usage_of(&self, ids: impl Iterator<Item = Digest>) -> Result<u64> {
        let (mut blobs, mut layers) = (HashSet::new(), HashSet::new());
        for id in ids {
            let record: Option<ImageRecord> = self.store.get(&IMAGES, id.as_str())?;
            blobs.extend(record.into_iter().flat_map(|record| record.blobs));
            layers.extend(self.get(&id).into_iter().flat_map(|image| image.chain.clone()));
        }
        let ledger = self.ledger();
        let blobs: u64 = blobs.iter().filter_map(|digest| ledger.blobs.get(digest)).map(|blob| blob.size).sum();
        let layers: u64 = layers.iter().filter_map(|chain| ledger.layers.get(chain)).map(|layer| layer.bytes).sum();
        Ok(blobs + layers)
    }
}
