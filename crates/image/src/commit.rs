//! The last step of every way an image comes in: one transaction which makes it visible.

use std::sync::Arc;

use oci::image::{Descriptor, Manifest, media};
use store::{Batch, Durability};
use sys::crash;
use values::{Digest, Error, Reference, Result, ResultExt, Timestamp};

use crate::{
    image::Image,
    images::Images,
    ledger::{Ledger, Tag},
    records::{IMAGES, ImageRecord, LAYERS, LayerRecord, TAGS, TagRecord},
    unpack::LayerSource,
};

/// An image all of whose content and layers are in their places, pinned by a lease.
pub(crate) struct Draft {
    pub(crate) descriptor: Descriptor,
    pub(crate) manifest: Descriptor,
    pub(crate) config: Descriptor,
    pub(crate) parsed: oci::image::Image,
    pub(crate) chain: Vec<Digest>,
    pub(crate) blobs: Vec<Digest>,
    /// It came from a registry.
    pub(crate) pulled: bool,
    /// Layers that a registry gets compressed.
    pub(crate) plain: Vec<Digest>,
    /// The digest it has at registries because of these, where that is known.
    pub(crate) published: Option<Digest>,
}

impl Draft {
    /// Of a manifest that was made here.
    pub(crate) fn made_here(
        manifest: Descriptor,
        config: Descriptor,
        parsed: oci::image::Image,
        chain: Vec<Digest>,
        blobs: Vec<Digest>,
        plain: Vec<Digest>,
    ) -> Self {
        let descriptor = manifest.clone();
        Self { descriptor, manifest, config, parsed, chain, blobs, pulled: false, plain, published: None }
    }
}

/// A manifest and its configuration, found to belong together.
pub(crate) struct Parsed {
    pub(crate) manifest: Manifest,
    pub(crate) config: oci::image::Image,
    pub(crate) layers: Vec<LayerSource>,
}

/// Reads a manifest whose blobs `read` gives.
///
/// # Errors
/// `InvalidArgument` where it is none of an image, or manifest and configuration disagree.
pub(crate) fn parse(manifest: &Digest, read: &dyn Fn(&Digest) -> Result<Vec<u8>>) -> Result<Parsed> {
    let what = || format!("manifest {manifest}");
    let manifest: Manifest = json(&read(manifest)?).during(what)?;
    let kind = &manifest.config.media_type;
    if !kind.is_empty() && !media::is_config(kind) {
        return Err(Error::invalid(format!("{}: no image but an artifact of type {kind}", what())));
    }
    let config = &manifest.config.digest;
    let config: oci::image::Image = json(&read(config)?).during(|| format!("image config {config}"))?;
    let (layers, diff_ids) = (&manifest.layers, &config.rootfs.diff_ids);
    if layers.len() != diff_ids.len() {
        return Err(Error::invalid(format!(
            "invalid manifest, layers length mismatch: expected {}, got {}",
            diff_ids.len(),
            layers.len()
        )));
    }
    let pairs = layers.iter().zip(diff_ids);
    let layers = pairs.map(|(l, d)| LayerSource { blob: l.digest.clone(), size: l.size, diff_id: d.clone() }).collect();
    Ok(Parsed { manifest, config, layers })
}

/// As [`parse`], and of an artifact what there is: it is kept and passed on, but has no layers to unpack.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_any(manifest: &Digest, read: &dyn Fn(&Digest) -> Result<Vec<u8>>) -> Result<Parsed> {
    let document: Manifest = json(&read(manifest)?).during(|| format!("manifest {manifest}"))?;
    if !is_artifact(&document) {
        return parse(manifest, read);
    }
    let config = match media::is_config(&document.config.media_type) {
        true => json(&read(&document.config.digest)?)?,
        false => oci::image::Image::default(),
    };
    Ok(Parsed { manifest: document, config, layers: Vec::new() })
}

/// Something that is no root filesystem.
fn is_artifact(manifest: &Manifest) -> bool {
    let config = &manifest.config.media_type;
    let of_image = config.is_empty() || media::is_config(config);
    !of_image || manifest.layers.iter().any(|layer| !layer.media_type.is_empty() && !media::is_layer(&layer.media_type))
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::invalid(e.to_string()))
}

impl Images {
    /// Makes the image visible, with that name. The image which had the name before, if any, is returned.
    ///
    /// Durable when it returns; the lease is still the caller's to end.
    pub(crate) fn commit(&self, draft: Draft, reference: Option<&Reference>) -> Result<(Digest, Option<Digest>)> {
        self.content.sync()?;
        crash::point("image.content-synced");
        if !draft.chain.is_empty() {
            self.snapshots.ready(&draft.chain)?;
        }
        let id = draft.descriptor.digest.clone();
        let record = ImageRecord {
            descriptor: draft.descriptor,
            manifest: draft.manifest,
            config: draft.config,
            top: draft.chain.last().cloned(),
            blobs: draft.blobs,
            parent: draft.parsed.parent.parse().ok(),
            at: Timestamp::now(),
            other_tops: Vec::new(),
            pulled: draft.pulled,
            plain: draft.plain,
            published: draft.published,
        };
        let _writer = self.writer();
        let mut batch = Batch::new();
        {
            let ledger = self.ledger();
            for chain_id in draft.chain.iter().filter(|c| !self.store.contains(&LAYERS, c.as_str())) {
                batch.put(&LAYERS, chain_id.as_str(), &layer_record(&ledger, chain_id)?)?;
                self.note_recent(&mut batch, chain_id, record.at)?;
            }
        }
        let known: Option<ImageRecord> =
            if self.get(&id).is_some() { self.store.get(&IMAGES, id.as_str())? } else { None };
        // An index may come again with more of its platforms.
        let more: Vec<Digest> = match &known {
            Some(known) => record.blobs.iter().filter(|blob| !known.blobs.contains(blob)).cloned().collect(),
            None => Vec::new(),
        };
        match &known {
            None => batch.put(&IMAGES, id.as_str(), &record)?,
            Some(known)
                if more.is_empty()
                    && known.manifest.digest == record.manifest.digest
                    && known.pulled >= record.pulled => {}
            Some(known) => batch.put(&IMAGES, id.as_str(), &merged(known, &record, &more))?,
        }
        let tag = reference.map(|r| Tag { reference: r.clone(), image: id.clone(), at: record.at });
        if let Some(tag) = &tag {
            put_tag(&mut batch, tag)?;
        }
        crash::point("image.record-next");
        self.store.commit(batch, Durability::Power)?;
        crash::point("image.record-written");
        let mut ledger = self.ledger();
        let broken = ledger.broken.remove(&id);
        match known {
            None => ledger.add_image(&record, draft.parsed)?,
            Some(known) if known.manifest.digest == record.manifest.digest => {
                ledger.add_content(&id, &known.blobs, &more);
                ledger.publish(&id, known.published.filter(|_| !record.pulled));
            }
            // another platform of it: from now on the image is that one
            Some(known) => {
                let merged = merged(&known, &record, &more);
                ledger.add_image(&merged, draft.parsed)?;
                ledger.drop_uses(&known);
                ledger.refresh(&id);
            }
        }
        if let Some(broken) = broken {
            ledger.drop_uses(&broken);
            ledger.refresh(&id);
        }
        let replaced = tag.and_then(|tag| ledger.set_tag(tag));
        Ok((id, replaced))
    }
}

/// A known image with what came now: its manifest is the one to use, and everything from before is kept.
fn merged(known: &ImageRecord, new: &ImageRecord, more: &[Digest]) -> ImageRecord {
    let tops = known.other_tops.iter().chain(&known.top).filter(|top| Some(*top) != new.top.as_ref());
    let mut other_tops: Vec<Digest> = tops.cloned().collect();
    other_tops.sort();
    other_tops.dedup();
    let blobs = [&known.blobs[..], more].concat();
    let pulled = known.pulled || new.pulled;
    // as it is here, a registry has it as well
    let (plain, published) = if pulled { Default::default() } else { (known.plain.clone(), known.published.clone()) };
    ImageRecord {
        blobs,
        other_tops,
        pulled,
        plain,
        published,
        descriptor: known.descriptor.clone(),
        parent: known.parent.clone(),
        ..new.clone()
    }
}

pub(crate) fn put_tag(batch: &mut Batch, tag: &Tag) -> Result<()> {
    let record = TagRecord { image: tag.image.clone(), at: tag.at };
    batch.put(&TAGS, &tag.reference.to_string(), &record)
}

fn layer_record(ledger: &Ledger, chain_id: &Digest) -> Result<LayerRecord> {
    let layer =
        ledger.layers.get(chain_id).ok_or_else(|| Error::internal(format!("layer {chain_id} is not pinned")))?;
    Ok(LayerRecord { diff_id: layer.diff_id.clone(), parent: layer.parent.clone(), bytes: layer.bytes })
}

impl Ledger {
    /// Adds an image and counts what it uses.
    pub(crate) fn add_image(&mut self, record: &ImageRecord, config: oci::image::Image) -> Result<()> {
        let id = &record.descriptor.digest;
        let missing = |what: &str| Error::internal(format!("image {id}: {what} is missing"));
        let chain = self.chain(record.top.as_ref()).ok_or_else(|| missing("a layer"))?;
        if let Some(blob) = record.blobs.iter().find(|blob| !self.blobs.contains_key(*blob)) {
            return Err(missing(&format!("content {blob}")));
        }
        let layer_sizes = chain.iter().filter_map(|c| self.layers.get(c)).map(|layer| layer.bytes).collect();
        let content_size = record.blobs.iter().filter_map(|b| self.blobs.get(b)).map(|blob| blob.size).sum();
        for blob in &record.blobs {
            self.use_blob(blob);
        }
        for top in record.top.iter().chain(&record.other_tops) {
            self.use_layer(top);
        }
        let is_config = media::is_config(&record.config.media_type) || record.config.media_type.is_empty();
        let image = Image {
            is_artifact: !is_config || chain.len() != config.rootfs.diff_ids.len(),
            id: id.clone(),
            descriptor: record.descriptor.clone(),
            manifest: record.manifest.clone(),
            config_digest: record.config.digest.clone(),
            platform: crate::platform::of(&config),
            config: Arc::new(config),
            chain,
            layer_sizes,
            content_size,
            parent: record.parent.clone(),
            published: record.published.clone(),
            tagged_at: record.at,
            repo_tags: Vec::new(),
            repo_digests: Vec::new(),
        };
        self.images.insert(id.clone(), Arc::new(image));
        Ok(())
    }

    /// Takes back what [`Ledger::add_image`] counted.
    pub(crate) fn drop_uses(&mut self, record: &ImageRecord) {
        for blob in &record.blobs {
            self.drop_blob(blob);
        }
        for top in record.top.iter().chain(&record.other_tops) {
            self.drop_layer(top);
        }
    }

    /// Counts more content of an image that is known. What it had may have been missing.
    fn add_content(&mut self, id: &Digest, known: &[Digest], more: &[Digest]) {
        for digest in more {
            self.use_blob(digest);
        }
        let size = known.iter().chain(more).filter_map(|digest| self.blobs.get(digest)).map(|blob| blob.size).sum();
        if let Some(image) = self.images.get_mut(id).filter(|image| image.content_size != size) {
            Arc::make_mut(image).content_size = size;
        }
    }

    /// Points a name at an image; the other image it pointed at before.
    pub(crate) fn set_tag(&mut self, tag: Tag) -> Option<Digest> {
        let (name, id) = (tag.reference.to_string(), tag.image.clone());
        let replaced = self.tags.insert(name, tag).map(|old| old.image).filter(|old| *old != id);
        self.refresh(&id);
        if let Some(old) = &replaced {
            self.refresh(old);
        }
        replaced
    }
}
