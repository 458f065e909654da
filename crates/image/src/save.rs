//! Images as an archive, for `load` here and elsewhere.
//!
//! The archive is an OCI layout (image-layout.md) and Docker's own format (`manifest.json`) at once, as Docker writes it
//! since version 25. Content goes as it is kept, byte for byte, so that every digest survives. Two calls give the same
//! archive.

use std::{
    io::{self, Write},
    sync::Arc,
};

use archive::tar::{Entry, Kind, Writer};
use oci::image::{
    ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, ArchiveEntry, Descriptor, Index, Layout, Manifest, media,
};
use values::{Digest, Error, Platform, Reference, Result};

use crate::{
    commit::json,
    image::Image,
    images::Images,
    import::to_json,
    records::{IMAGES, ImageRecord},
    resolve::Found,
};

/// Annotation of a manifest that is to go to registries as it is, although it has plain layers: it came from one.
pub(crate) const AS_IT_IS: &str = "io.lighter.as-it-is";

/// What an archive is to hold.
#[derive(Clone, Debug)]
pub struct Selection {
    images: Vec<Selected>,
}

#[derive(Clone, Debug)]
struct Selected {
    image: Arc<Image>,
    /// What `index.json` points at: the image, or its manifest for one platform.
    descriptor: Descriptor,
    names: Vec<Reference>,
    blobs: Vec<Digest>,
}

impl Selection {
    /// The images it holds.
    pub fn ids(&self) -> impl Iterator<Item = &Digest> {
        self.images.iter().map(|selected| &selected.image.id)
    }
}

impl Images {
    /// Finds what is to be saved: by a tag, with that name; by a repository alone, with all its tags; by an id, nameless.
    ///
    /// # Errors
    /// `NotFound` for the first that is not there.
    pub fn select(&self, names: &[String], platform: Option<&Platform>) -> Result<Selection> {
        let mut images: Vec<Selected> = vec![];
        for name in names {
            for (image, reference) in self.named(name)? {
                let selected = match images.iter_mut().find(|s| s.image.id == image.id) {
                    Some(known) => known,
                    None => {
                        images.push(self.selected(image, platform)?);
                        images.last_mut().ok_or_else(|| Error::internal("no image"))?
                    }
                };
                selected.names.extend(reference.filter(|r| !selected.names.contains(r)));
            }
        }
        Ok(Selection { images })
    }

    fn named(&self, name: &str) -> Result<Vec<(Arc<Image>, Option<Reference>)>> {
        let bare = name.parse::<Reference>().ok().filter(|r| r.tag.is_none() && r.digest.is_none());
        let all: Vec<(Arc<Image>, Option<Reference>)> = match &bare {
            Some(bare) => {
                let ledger = self.ledger();
                let same = ledger.tags.values().filter(|tag| tag.reference.name() == bare.name());
                let mut same: Vec<_> = same.map(|tag| (tag.reference.clone(), tag.image.clone())).collect();
                same.sort();
                let known = |(reference, id)| Some((ledger.images.get(&id)?.clone(), Some(reference)));
                same.into_iter().filter_map(known).collect()
            }
            None => vec![],
        };
        if !all.is_empty() {
            return Ok(all);
        }
        Ok(match self.find(name)? {
            Found::Named(reference, image) => vec![(image, reference.tag.is_some().then_some(reference))],
            Found::ById(image) => vec![(image, None)],
        })
    }

    fn selected(&self, image: Arc<Image>, platform: Option<&Platform>) -> Result<Selected> {
        let record: Option<ImageRecord> = self.store.get(&IMAGES, image.id.as_str())?;
        let record = record.ok_or_else(|| Error::not_found(format!("No such image: {}", image.id)))?;
        let Some(wanted) = platform else {
            let mut descriptor = Descriptor { platform: None, ..record.descriptor.clone() };
            if is_as_it_came(&image, &record) {
                descriptor.annotations.insert(AS_IT_IS.into(), "true".into());
            }
            return Ok(Selected { image, descriptor, names: vec![], blobs: record.blobs });
        };
        if *wanted != image.platform {
            return Err(Error::not_found(format!(
                "image with reference {} was found but does not provide the specified platform ({wanted})",
                image.id
            )));
        }
        let manifest: Manifest = json(&self.content.read(&record.manifest.digest)?)?;
        let layers = manifest.layers.iter().map(|layer| layer.digest.clone());
        let blobs = layers.chain([manifest.config.digest.clone(), record.manifest.digest.clone()]).collect();
        Ok(Selected { image, descriptor: record.manifest, names: vec![], blobs })
    }

    /// Writes the archive. What it needs cannot be removed meanwhile.
    ///
    /// # Errors
    /// `NotFound` where something was removed since it was selected; those of `out`.
    pub fn save(&self, selection: &Selection, out: &mut dyn Write) -> Result<()> {
        let mut lease = self.lease();
        let mut blobs: Vec<&Digest> = selection.images.iter().flat_map(|s| &s.blobs).collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs.iter().try_for_each(|blob| lease.need_blob(blob))?;
        let mut tar = Writer::new(out);
        tar.entry(&Entry::new(Kind::Directory, *b"blobs/"))?;
        tar.entry(&Entry::new(Kind::Directory, *b"blobs/sha256/"))?;
        for digest in blobs {
            let mut blob = self.content.open_sound(digest)?;
            let size = blob.metadata()?.len();
            tar.entry(&Entry { size, ..Entry::new(Kind::File, member(digest)) })?;
            let copied = io::copy(&mut io::Read::take(&mut blob, size), &mut tar)?;
            if copied < size {
                return Err(Error::internal(format!("content {digest} is cut short")));
            }
        }
        let mut document = |name: &str, bytes: Vec<u8>| tar.file(&Entry::new(Kind::File, name), &bytes);
        document("index.json", to_json(&index(selection))?)?;
        document("manifest.json", to_json(&self.entries(selection)?)?)?;
        document(Layout::FILE, to_json(&Layout::default())?)?;
        tar.finish()?;
        Ok(())
    }

    fn entries(&self, selection: &Selection) -> Result<Vec<ArchiveEntry>> {
        let entry = |selected: &Selected| {
            let manifest: Manifest = json(&self.content.read(&selected.image.manifest.digest)?)?;
            let diff_ids = selected.image.config.rootfs.diff_ids.iter().map(Digest::to_string);
            Ok(ArchiveEntry {
                config: member(&manifest.config.digest),
                repo_tags: selected.names.iter().map(Reference::familiar).collect(),
                layers: manifest.layers.iter().map(|layer| member(&layer.digest)).collect(),
                parent: None,
                layer_sources: diff_ids.zip(manifest.layers.iter().cloned()).collect(),
            })
        };
        selection.images.iter().map(entry).collect()
    }
}

/// Whether a plain layer of it is not one that registries get compressed. (A plain layer's digest is its diff id.)
fn is_as_it_came(image: &Image, record: &ImageRecord) -> bool {
    let mut plain = image.config.rootfs.diff_ids.iter().filter(|layer| record.blobs.contains(layer));
    plain.any(|layer| !record.plain.contains(layer))
}

/// A name for each entry: one image with several is there several times.
fn index(selection: &Selection) -> Index {
    let mut manifests = vec![];
    for Selected { descriptor, names, .. } in &selection.images {
        if names.is_empty() {
            manifests.push(descriptor.clone());
        }
        for name in names {
            let mut annotations = descriptor.annotations.clone();
            annotations.insert(ANNOTATION_IMAGE_NAME.into(), name.to_string());
            annotations.insert(ANNOTATION_REF_NAME.into(), name.tag.clone().unwrap_or_default());
            manifests.push(Descriptor { annotations, ..descriptor.clone() });
        }
    }
    Index { schema_version: 2, media_type: media::OCI_INDEX.into(), manifests, ..Index::default() }
}

fn member(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
