//! What images need, and what layers are made of.

use std::collections::{BTreeMap, BTreeSet};

use oci::image::{Index, media};
use values::{Digest, Result};

use crate::{
    commit::{json, parse},
    images::Images,
    records::{IMAGES, ImageRecord},
    unpack::LayerSource,
};

#[derive(Default)]
pub(crate) struct Needs {
    pub(crate) images: BTreeSet<Digest>,
    blobs: BTreeMap<Digest, BTreeSet<Digest>>,
    layers: BTreeMap<Digest, BTreeSet<Digest>>,
    sources: BTreeMap<Digest, LayerSource>,
}

/// Indexes within indexes at most.
const DEPTH_MAX: usize = 4;

impl Images {
    /// By the records, of images that cannot be shown as well.
    pub(crate) fn needs(&self) -> Result<Needs> {
        let mut needs = Needs::default();
        self.store.for_each(&IMAGES, |_, record| {
            let id = &record.descriptor.digest;
            needs.images.insert(id.clone());
            for blob in &record.blobs {
                needs.blobs.entry(blob.clone()).or_default().insert(id.clone());
            }
            self.need_layers(&record, &mut needs);
            let manifest = (record.descriptor.digest.clone(), record.descriptor.media_type.clone());
            self.find_sources(&manifest, &mut needs, 0);
            Ok(())
        })?;
        Ok(needs)
    }

    fn need_layers(&self, record: &ImageRecord, needs: &mut Needs) {
        let ledger = self.ledger();
        for top in record.top.iter().chain(&record.other_tops) {
            for layer in ledger.chain(Some(top)).into_iter().flatten() {
                needs.layers.entry(layer).or_default().insert(record.descriptor.digest.clone());
            }
        }
    }

    /// What cannot be read is found elsewhere.
    fn find_sources(&self, (digest, kind): &(Digest, String), needs: &mut Needs, depth: usize) {
        if media::is_index(kind) && depth < DEPTH_MAX {
            let index = self.content.read(digest).and_then(|bytes| json::<Index>(&bytes));
            for child in index.into_iter().flat_map(|index| index.manifests) {
                self.find_sources(&(child.digest, child.media_type), needs, depth + 1);
            }
        } else if let Ok(parsed) = parse(digest, &|digest: &Digest| self.content.read(digest)) {
            let diff_ids: Vec<Digest> = parsed.layers.iter().map(|layer| layer.diff_id.clone()).collect();
            for (chain_id, source) in crate::chain_ids(&diff_ids).into_iter().zip(parsed.layers) {
                needs.sources.entry(chain_id).or_insert(source);
            }
        }
    }
}

impl Needs {
    pub(crate) fn source(&self, layer: &Digest) -> Option<&LayerSource> {
        self.sources.get(layer)
    }

    pub(crate) fn of_blob(&self, digest: &Digest) -> Vec<Digest> {
        self.blobs.get(digest).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn of_layer(&self, layer: &Digest) -> Vec<Digest> {
        self.layers.get(layer).into_iter().flatten().cloned().collect()
    }
}
