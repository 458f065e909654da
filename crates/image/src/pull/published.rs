//! An image that was made here and pushed, to be made whole again from where it was pushed to.
//!
//! The registry has plain layers of it compressed, and so another manifest (`compress.rs`). Decompressed its layers are ours
//! again, byte for byte: to all else the registry seems to have the image as it was here, under its own id.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read},
};

use archive::decompress;
use oci::image::{Descriptor, Manifest, media};
use values::{Digest, Result, ResultExt};

use super::{PullEvent, PullRequest, Remote};
use crate::{
    commit::json,
    images::Images,
    import::to_json,
    records::{IMAGES, ImageRecord},
};

/// What the registry's manifest stands for here.
pub(super) struct Own {
    pub(super) record: ImageRecord,
    /// Of the manifest as it is here.
    pub(super) bytes: Vec<u8>,
    /// What the registry has instead of plain layers.
    layers: BTreeMap<Digest, Descriptor>,
}

const BUFFER: usize = 128 << 10;

impl Images {
    /// The image that was pushed as what is asked for; `None`: there is none, or too little is left to tell what it was.
    pub(super) fn own(&self, request: &PullRequest<'_>, remote: &dyn Remote) -> Result<Option<Own>> {
        let id = {
            let ledger = self.ledger();
            let known = ledger.published_as(&request.descriptor.digest).map(|image| image.id.clone());
            let is_it = |record: &&ImageRecord| record.published.as_ref() == Some(&request.descriptor.digest);
            known.or_else(|| ledger.broken.values().find(is_it).map(|record| record.descriptor.digest.clone()))
        };
        let Some(id) = id else { return Ok(None) };
        let Some(record): Option<ImageRecord> = self.store.get(&IMAGES, id.as_str())? else { return Ok(None) };
        let what = || format!("manifest {}", request.descriptor.digest);
        let theirs: Manifest = json(request.bytes).during(what)?;
        let bytes = match self.content.read(&id) {
            Ok(bytes) => bytes,
            Err(_) => match self.written_again(&record, &theirs, remote)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        let ours: Manifest = json(&bytes).during(|| format!("manifest {id}"))?;
        let pairs = ours.layers.into_iter().zip(theirs.layers).filter(|(own, _)| record.plain.contains(&own.digest));
        let layers = pairs.map(|(own, theirs)| (own.digest, theirs)).collect();
        Ok(Some(Own { record, bytes, layers }))
    }

    /// The manifest of an image whose own is damaged, if it comes out as it was.
    fn written_again(&self, record: &ImageRecord, theirs: &Manifest, remote: &dyn Remote) -> Result<Option<Vec<u8>>> {
        let config = match self.content.read(&theirs.config.digest) {
            Ok(bytes) => bytes,
            Err(_) => remote.small(&theirs.config)?,
        };
        let Ok(config) = json::<oci::image::Image>(&config) else { return Ok(None) };
        let mut ours = theirs.clone();
        let docker = ours.media_type == media::DOCKER_MANIFEST;
        let kind = if docker { media::DOCKER_LAYER } else { media::OCI_LAYER };
        for (layer, diff_id) in ours.layers.iter_mut().zip(config.rootfs.diff_ids) {
            if record.plain.contains(&diff_id) {
                let Some(size) = self.plain_size(&diff_id) else { return Ok(None) };
                (layer.media_type, layer.digest, layer.size) = (kind.into(), diff_id, size);
            }
        }
        let bytes = to_json(&ours)?;
        Ok(Some(bytes).filter(|bytes| crate::sha256(bytes) == record.descriptor.digest))
    }
}

/// A registry as one that has the layers as they are here.
pub(super) struct Decompressing<'a> {
    pub(super) registry: &'a dyn Remote,
    pub(super) own: &'a Own,
}

impl Remote for Decompressing<'_> {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        self.registry.manifest(descriptor)
    }

    fn small(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        self.registry.small(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>> {
        let Some(theirs) = self.own.layers.get(&descriptor.digest) else {
            return self.registry.blob(descriptor, offset);
        };
        let blob = BufReader::with_capacity(BUFFER, self.registry.blob(theirs, 0)?);
        let (_, mut plain) = decompress(blob)?;
        io::copy(&mut plain.by_ref().take(offset), &mut io::sink())?;
        // of a longer one the digest is another's; it need not be read to its end for that
        Ok(Box::new(plain.take(descriptor.size.saturating_sub(offset))))
    }

    fn parallel(&self) -> usize {
        self.registry.parallel()
    }

    fn is_cancelled(&self) -> bool {
        self.registry.is_cancelled()
    }

    fn tell(&self, event: PullEvent<'_>) {
        let blob = self.own.layers.get(event.blob).map_or(event.blob, |theirs| &theirs.digest);
        self.registry.tell(PullEvent { blob, ..event });
    }
}
