//! A new image out of another and a container's changes.

use std::io::Write;

use oci::image::{Descriptor, History, Manifest, media};
use values::{Digest, Error, Reference, Result, Timestamp};

use crate::{
    claims::Claim,
    commit::{Draft, json},
    images::Images,
    import::{Layer, place, to_json},
    lease::Lease,
    records::{IMAGES, ImageRecord},
};

/// What the new image says of itself.
#[derive(Clone, Debug, Default)]
pub struct DeriveOptions {
    pub reference: Option<Reference>,
    pub author: String,
    pub comment: String,
    /// The command which made the changes, for the history.
    pub created_by: String,
    pub config: oci::image::Config,
}

/// Writes a layer's tar.
pub type WriteLayer<'a> = dyn Fn(&mut dyn Write) -> Result<()> + Sync + 'a;

/// Media types that belong together.
struct Kinds {
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const OCI: Kinds = Kinds { manifest: media::OCI_MANIFEST, config: media::OCI_CONFIG, layer: media::OCI_LAYER };
const DOCKER: Kinds =
    Kinds { manifest: media::DOCKER_MANIFEST, config: media::DOCKER_CONFIG, layer: media::DOCKER_LAYER };

impl Images {
    /// An image of `base`'s layers and the one that `changes` writes; without it, of the same layers. Layers are kept as
    /// they come: they are compressed when a registry gets them.
    ///
    /// # Errors
    /// `NotFound` where the base or a part of it is gone; those of `changes`. Nothing is left behind.
    pub fn derive(&self, base: &Digest, changes: Option<&WriteLayer<'_>>, options: DeriveOptions) -> Result<Digest> {
        let mut lease = self.lease();
        let gone = || Error::not_found(format!("the image {base} is gone: a container of it cannot be committed"));
        let base = self.get(base).ok_or_else(gone)?;
        let mut manifest: Manifest = json(&self.content.read(&base.manifest.digest)?)?;
        let pinned = manifest.layers.iter().all(|layer| lease.blob(&layer.digest));
        if !pinned || !base.chain.last().is_none_or(|top| lease.layer(top)) {
            return Err(gone());
        }
        let record: Option<ImageRecord> = self.store.get(&IMAGES, base.id.as_str())?;
        let mut plain = record.map_or_else(Vec::new, |record| record.plain);
        let kinds = if manifest.media_type == media::DOCKER_MANIFEST { DOCKER } else { OCI };
        let mut image = (*base.config).clone();
        let mut chain = base.chain.clone();
        if let Some(changes) = changes {
            let layer = self.receive(|to| to.send_written(changes), &chain)?;
            image.rootfs.diff_ids.push(layer.diff_id.clone());
            chain = crate::chain_ids(&image.rootfs.diff_ids);
            let blob = self.keep_layer(layer, &chain, &mut lease, kinds.layer)?;
            plain.push(blob.digest.clone());
            manifest.layers.push(blob);
        }
        let now = Timestamp::now();
        image.history.push(History {
            created: Some(now),
            created_by: options.created_by,
            author: options.author.clone(),
            comment: options.comment.clone(),
            empty_layer: changes.is_none(),
        });
        (image.created, image.author, image.comment) = (Some(now), options.author, options.comment);
        image.config = options.config;
        let config = place(&mut lease, self.content.stage_bytes(&to_json(&image)?)?, kinds.config)?;
        (manifest.config, manifest.media_type) = (config.clone(), kinds.manifest.into());
        let blobs = manifest.layers.iter().map(|layer| layer.digest.clone());
        let mut blobs: Vec<Digest> = blobs.chain([config.digest.clone()]).collect();
        let manifest = place(&mut lease, self.content.stage_bytes(&to_json(&manifest)?)?, kinds.manifest)?;
        blobs.push(manifest.digest.clone());
        blobs.sort_unstable();
        blobs.dedup();
        let draft = Draft::made_here(manifest, config, image, chain, blobs, plain);
        Ok(self.commit(draft, options.reference.as_ref())?.0)
    }

    /// Makes a received layer the topmost of `chain`.
    pub(crate) fn keep_layer(
        &self,
        layer: Layer,
        chain: &[Digest],
        lease: &mut Lease<'_>,
        kind: &str,
    ) -> Result<Descriptor> {
        let [below @ .., own] = chain else { return Err(Error::internal("a layer without a place")) };
        let held = self.claim(Claim::Layer(own.clone()), &|| true)?;
        if !lease.layer(own) {
            self.snapshots.commit(vec![(layer.stage, own.clone())])?;
            lease.add_layer(own, &layer.diff_id, below.last(), layer.bytes);
        }
        drop(held);
        place(lease, layer.blob, kind)
    }
}
