//! Layers that were made here, on their way to a registry.
//!
//! What `commit` and `import` make and what Docker saves are plain tars, and stay so here: an image's id is that of its
//! manifest with them. A registry gets them compressed, and so another manifest; by its digest the image is known from then on,
//! too (`Image::published`). Nothing of that is kept but digests: the compressed bytes lie in a file without a name as long as
//! somebody sends them, and the same come out the next time.
//!
//! A manifest that came from a registry goes as it came, whatever its layers are.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    sync::{Arc, PoisonError},
};

use archive::gzip;
use oci::image::{Descriptor, Manifest, media};
use store::{Batch, Durability};
use values::{Digest, Result, ResultExt};

use crate::{
    commit::json,
    images::Images,
    import::to_json,
    ledger::Ledger,
    records::{COMPRESSED, CompressedRecord, IMAGES, ImageRecord},
};

/// A layer's compressed bytes, on the disk as long as this lives.
#[derive(Debug)]
pub struct Compressed {
    pub digest: Digest,
    pub size: u64,
    file: File,
}

impl Compressed {
    /// To be read by positions: all of these files have one cursor.
    ///
    /// # Errors
    /// Where there are too many open files.
    pub fn file(&self) -> Result<File> {
        self.file.try_clone().during(|| format!("content {}", self.digest))
    }
}

/// What takes the place of plain layers: digests and sizes, by the plain ones' digests.
pub type Instead = BTreeMap<Digest, (Digest, u64)>;

impl Images {
    /// The layers of `top` that are to be compressed for a registry: none, unless it is the manifest that image `id` is.
    ///
    /// # Errors
    /// Those of the store.
    pub fn plain_layers(&self, id: &Digest, top: &Descriptor) -> Result<Vec<Digest>> {
        let record: Option<ImageRecord> = self.store.get(&IMAGES, id.as_str())?;
        let whole =
            |record: &ImageRecord| [&record.descriptor, &record.manifest].iter().all(|d| d.digest == top.digest);
        Ok(record.filter(whole).map_or_else(Vec::new, |record| record.plain))
    }

    /// What a plain layer was when it was last compressed: digest and size.
    pub fn known_compressed(&self, plain: &Digest) -> Option<(Digest, u64)> {
        self.compressed_record(plain).map(|known| (known.digest, known.size))
    }

    fn compressed_record(&self, plain: &Digest) -> Option<CompressedRecord> {
        self.store.get(&COMPRESSED, plain.as_str()).ok()?
    }

    /// Bytes of a plain layer, also where it is damaged or missing, if that is known.
    pub(crate) fn plain_size(&self, plain: &Digest) -> Option<u64> {
        let noted = self.compressed_record(plain).and_then(|known| known.plain_size);
        noted.or_else(|| self.content.size(plain))
    }

    /// Compresses a plain layer, unless somebody else has it compressed just now. It uses all processors. `each` is told of
    /// bytes that were read, and may end it. When the disk is full, `make_room` is asked, once; is there some, it begins anew.
    ///
    /// # Errors
    /// `NotFound` where the layer is gone, those of the disk and of `each`.
    pub fn compress(
        &self,
        plain: &Digest,
        each: &mut dyn FnMut(u64) -> io::Result<()>,
        make_room: &mut dyn FnMut() -> bool,
    ) -> Result<Arc<Compressed>> {
        let known = || self.compressed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(alive) = known().get(plain).and_then(std::sync::Weak::upgrade) {
            return Ok(alive);
        }
        let mut lease = self.lease();
        lease.need_blob(plain)?;
        let mut was_full = false;
        let staged = loop {
            let mut tar = self.content.open_sound(plain)?;
            let mut staging = self.content.stage()?;
            match gzip(&mut tar, &mut staging, each).and_then(|()| staging.flush()) {
                Ok(()) => break staging.finish()?,
                // before what was written goes: without it the disk does not look full
                Err(e) if e.kind() == io::ErrorKind::StorageFull && !was_full && make_room() => was_full = true,
                Err(e) => return Err(e).during(|| format!("compress layer {plain}")),
            }
        };
        // its name goes here
        let made = Compressed { digest: staged.digest.clone(), size: staged.size, file: staged.open()? };
        let made = Arc::new(made);
        self.note_compressed(plain, &made)?;
        let mut known = known();
        known.retain(|_, other| other.strong_count() > 0);
        known.insert(plain.clone(), Arc::downgrade(&made));
        Ok(made)
    }

    /// And forgets what was found out about layers that are gone: they are as many as were removed since this was called last.
    fn note_compressed(&self, plain: &Digest, made: &Compressed) -> Result<()> {
        let known = self.compressed_record(plain);
        if known.is_some_and(|known| known.digest == made.digest && known.plain_size.is_some()) {
            return Ok(());
        }
        let mut batch = Batch::new();
        {
            let ledger = self.ledger();
            self.store.for_each(&COMPRESSED, |plain, _| {
                if plain.parse().is_ok_and(|digest| !ledger.blobs.contains_key(&digest)) {
                    batch.delete(&COMPRESSED, plain);
                }
                Ok(())
            })?;
        }
        let record =
            CompressedRecord { digest: made.digest.clone(), size: made.size, plain_size: self.content.size(plain) };
        batch.put(&COMPRESSED, plain.as_str(), &record)?;
        self.store.commit(batch, Durability::Process)
    }

    /// A manifest with other layers, and its bytes.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn manifest_with(&self, manifest: &Descriptor, instead: &Instead) -> Result<(Descriptor, Vec<u8>)> {
        let what = || format!("manifest {}", manifest.digest);
        let mut document: Manifest = json(&self.content.read(&manifest.digest)?).during(what)?;
        let docker = document.media_type == media::DOCKER_MANIFEST;
        let kind = if docker { media::DOCKER_LAYER_GZIP } else { media::OCI_LAYER_GZIP };
        for layer in &mut document.layers {
            if let Some((digest, size)) = instead.get(&layer.digest) {
                (layer.media_type, layer.digest, layer.size) = (kind.into(), digest.clone(), *size);
            }
        }
        let bytes = to_json(&document)?;
        let descriptor = Descriptor { digest: crate::sha256(&bytes), size: bytes.len() as u64, ..manifest.clone() };
        Ok((descriptor, bytes))
    }

    /// A registry has got an image by another digest. One that is gone meanwhile is nobody's concern.
    ///
    /// # Errors
    /// Those of the store.
    pub fn published(&self, id: &Digest, digest: &Digest) -> Result<()> {
        let _writer = self.writer();
        let record: Option<ImageRecord> = self.store.get(&IMAGES, id.as_str())?;
        let is_news = |record: &ImageRecord| record.published.as_ref() != Some(digest);
        let Some(record) = record.filter(is_news) else { return Ok(()) };
        let record = ImageRecord { published: Some(digest.clone()), ..record };
        let mut batch = Batch::new();
        batch.put(&IMAGES, id.as_str(), &record)?;
        self.store.commit(batch, Durability::Power)?;
        self.ledger().publish(id, record.published);
        Ok(())
    }
}

impl Ledger {
    pub(crate) fn publish(&mut self, id: &Digest, digest: Option<Digest>) {
        if let Some(image) = self.images.get_mut(id) {
            Arc::make_mut(image).published = digest;
            self.refresh(id);
        }
    }

    /// The image that registries know by this digest and we by another.
    pub(crate) fn published_as(&self, digest: &Digest) -> Option<&Arc<crate::Image>> {
        self.images.values().find(|image| image.published.as_ref() == Some(digest))
    }
}
