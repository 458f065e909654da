//! What an image consists of, to be passed on byte for byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
};

use oci::image::{Descriptor, Index, Manifest, media};
use values::{Digest, Error, Platform, Result, ResultExt};

use crate::{commit::json, images::Images, platform, records::IMAGES};

/// Content of an image in the order in which a registry must get it: what is pointed at before what points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Layers and configurations, each once.
    pub blobs: Vec<Descriptor>,
    /// Manifests and indexes; the last is what a tag is to point at.
    pub manifests: Vec<Descriptor>,
    /// Manifests of an index that are not here, or not whole.
    pub missing: Vec<Descriptor>,
}

const DEPTH_MAX: usize = 4;

impl Images {
    /// All that is here of `top`, an image's id or a manifest in it.
    ///
    /// # Errors
    /// `NotFound` where `top` itself is not whole.
    pub fn parts(&self, top: &Descriptor) -> Result<Parts> {
        let mut parts = Parts::default();
        if !self.gather(top, &mut parts, 0)? {
            return Err(Error::not_found(format!("content of {} is not all here", top.digest)));
        }
        Ok(parts)
    }

    /// The manifest for `wanted` in an image; `None`: that of the platform it was pulled for.
    ///
    /// # Errors
    /// `NotFound` where the image has none for it.
    pub fn manifest_for(&self, id: &Digest, wanted: Option<&Platform>) -> Result<Descriptor> {
        let image = self.get(id).ok_or_else(|| Error::not_found(format!("No such image: {id}")))?;
        let Some(wanted) = wanted else { return Ok(image.manifest.clone()) };
        let missing =
            || Error::not_found(format!("image was found but does not provide the specified platform ({wanted})"));
        if !media::is_index(&image.descriptor.media_type) {
            let own = [Descriptor { platform: Some((&image.platform).into()), ..image.descriptor.clone() }];
            return platform::matching(&own, wanted).first().map(|_| image.descriptor.clone()).ok_or_else(missing);
        }
        let index: Index = json(&self.content.read(id)?).during(|| format!("index {id}"))?;
        let all = platform::matching(&index.manifests, wanted);
        let whole = |d: &&&Descriptor| self.gather(d, &mut Parts::default(), 1).unwrap_or(false);
        all.iter().find(whole).map(|d| (*d).clone()).ok_or_else(missing)
    }

    /// A blob's file.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn open_content(&self, digest: &Digest) -> Result<File> {
        self.content.open_sound(digest)
    }

    /// Repositories of `domain` whose images have a blob, by the blob.
    pub fn sources(&self, domain: &str) -> BTreeMap<Digest, BTreeSet<String>> {
        let tags: Vec<(String, Digest)> = {
            let ledger = self.ledger();
            let of_domain = ledger.tags.values().filter(|tag| tag.reference.domain == domain);
            of_domain.map(|tag| (tag.reference.path.clone(), tag.image.clone())).collect()
        };
        let mut sources: BTreeMap<Digest, BTreeSet<String>> = BTreeMap::new();
        for (path, image) in tags {
            let Ok(Some(record)) = self.store.get(&IMAGES, image.as_str()) else { continue };
            // registries have the compressed ones
            let plain = record.plain.iter().filter(|_| record.published.is_some());
            let compressed = plain.filter_map(|plain| Some(self.known_compressed(plain)?.0));
            for blob in compressed.collect::<Vec<_>>().into_iter().chain(record.blobs) {
                sources.entry(blob).or_default().insert(path.clone());
            }
        }
        sources
    }

    /// False where something of it is missing: then nothing was added.
    fn gather(&self, descriptor: &Descriptor, parts: &mut Parts, depth: usize) -> Result<bool> {
        if depth == DEPTH_MAX {
            return Err(Error::invalid(format!("index {}: indexes are nested too deeply", descriptor.digest)));
        }
        let Ok(bytes) = self.content.read(&descriptor.digest) else { return Ok(false) };
        let what = || format!("manifest {}", descriptor.digest);
        if media::is_index(&descriptor.media_type) {
            let index: Index = json(&bytes).during(what)?;
            for child in &index.manifests {
                if !self.gather(child, parts, depth + 1)? {
                    parts.missing.push(child.clone());
                }
            }
        } else {
            let manifest: Manifest = json(&bytes).during(what)?;
            let blobs: Vec<&Descriptor> = manifest.layers.iter().chain([&manifest.config]).collect();
            if !blobs.iter().all(|blob| self.content.is_sound(blob)) {
                return Ok(false);
            }
            for blob in blobs {
                if !parts.blobs.iter().any(|known| known.digest == blob.digest) {
                    parts.blobs.push(blob.clone());
                }
            }
        }
        let size = bytes.len() as u64;
        parts.manifests.push(Descriptor { size, ..descriptor.clone() });
        Ok(true)
    }
}
