//! Images out of an archive: what `docker save` writes, now and before, and OCI layouts.

mod docker;
mod layout;
mod members;

use std::collections::HashSet;
use std::io::Read;

use oci::image::{ArchiveEntry, Descriptor, Index};
use values::{Digest, Error, Platform, Reference, Result, ResultExt};

use crate::{
    commit::{Draft, Parsed, json},
    images::Images,
    lease::Lease,
    platform,
    report::{Loaded, Progress},
};
use members::Members;

/// An image of an archive, all its content known to be there.
pub(crate) struct Candidate {
    pub(crate) descriptor: Descriptor,
    pub(crate) manifest: Descriptor,
    pub(crate) parsed: Parsed,
    /// Everything to be kept for it.
    pub(crate) blobs: Vec<Digest>,
    pub(crate) references: Vec<Reference>,
    /// A registry may have it as it is, plain layers and all.
    pub(crate) as_it_is: bool,
}

impl Candidate {
    /// Layers that a registry gets compressed.
    fn plain(&self) -> Vec<Digest> {
        let layers = self.parsed.layers.iter().filter(|layer| !self.as_it_is && layer.blob == layer.diff_id);
        layers.map(|layer| layer.blob.clone()).collect()
    }
}

impl Images {
    /// Loads all images of an archive (plain, gzip, zstd, bzip2 or xz). Each is durable and visible as soon as it is reported; a
    /// failure leaves those before it loaded and nothing of the others.
    ///
    /// `progress` gets Docker's messages; with `quiet` only the result lines. With a `platform`, what is for another is
    /// left out.
    ///
    /// # Errors
    /// `NotFound` where nothing is for the platform; `InvalidArgument` where it is no such archive, or its content is not what its digests say.
    pub fn load(
        &self,
        reader: &mut (dyn Read + Send),
        quiet: bool,
        platform: Option<&Platform>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Vec<Loaded>> {
        let mut lease = self.lease();
        let mut members = self.read_members(reader, &mut lease)?;
        let mut candidates = self.candidates(&mut members, platform.unwrap_or(&Platform::host()))?;
        if let Some(wanted) = platform {
            candidates.retain(|c| platform::of(&c.parsed.config).is(wanted));
            if candidates.is_empty() {
                return Err(Error::not_found(format!("the archive holds no image for the platform {wanted}")));
            }
        }
        candidates.iter().try_for_each(|c| self.refuse_other_platform(c))?;
        let mut loaded = Vec::new();
        for candidate in candidates {
            self.load_one(candidate, &mut members, &mut lease, quiet, progress, &mut loaded)?;
        }
        Ok(loaded)
    }

    fn candidates(&self, members: &mut Members, wanted: &Platform) -> Result<Vec<Candidate>> {
        let entries: Option<Vec<ArchiveEntry>> =
            members.document("manifest.json").map(json).transpose().during(|| "manifest.json")?;
        let index: Option<Index> = members.document("index.json").map(json).transpose().during(|| "index.json")?;
        let mut candidates = match (index, &entries) {
            (Some(index), _) if members.document("oci-layout").is_some() => {
                self.layout_images(&index, members, wanted)?
            }
            (_, Some(entries)) => return self.docker_images(entries, members),
            _ => return Err(Error::invalid("invalid archive: does not contain a manifest.json")),
        };
        // Both in one archive: names may be in either.
        for entry in entries.unwrap_or_default() {
            let config = members.resolve(&entry.config);
            let same = |c: &&mut Candidate| Some(&c.parsed.manifest.config.digest) == config.as_ref();
            if let Some(candidate) = candidates.iter_mut().find(same) {
                candidate.references.extend(docker::references(&entry)?);
                candidate.references.sort();
                candidate.references.dedup();
            }
        }
        Ok(candidates)
    }

    /// An index is unpacked for one platform.
    fn refuse_other_platform(&self, candidate: &Candidate) -> Result<()> {
        let known = self.get(&candidate.descriptor.digest);
        let Some(known) = known.filter(|k| k.manifest.digest != candidate.manifest.digest) else { return Ok(()) };
        let (id, has, wanted) = (&known.id, &known.platform, platform::of(&candidate.parsed.config));
        Err(Error::conflict(format!(
            "image {id} is here for the platform {has}: remove it before it is loaded for {wanted}"
        )))
    }

    fn load_one<'i>(
        &'i self,
        candidate: Candidate,
        members: &mut Members,
        lease: &mut Lease<'i>,
        quiet: bool,
        progress: &mut (dyn FnMut(Progress) + Send),
        loaded: &mut Vec<Loaded>,
    ) -> Result<()> {
        let mut placed = HashSet::new();
        for digest in &candidate.blobs {
            match members.take(digest) {
                Some(staged) => {
                    lease.place(staged)?;
                    // what an unfinished pull has of it is of no use any more
                    self.remove_leftover(digest);
                    placed.insert(digest.clone());
                }
                None if lease.blob(digest) => {}
                None => return Err(missing(digest)),
            }
        }
        let diff_ids: Vec<Digest> = candidate.parsed.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let chain = crate::chain_ids(&diff_ids);
        for (i, layer) in candidate.parsed.layers.iter().enumerate().filter(|(_, layer)| placed.contains(&layer.blob)) {
            self.stored_anew(&layer.blob, Some(&layer.diff_id), &chain[..=i])?;
        }
        let chain = {
            let mut tell = |message| {
                if !quiet {
                    progress(message);
                }
            };
            self.unpack(&candidate.parsed.layers, lease, &mut tell)?
        };
        let draft = |candidate: &Candidate| Draft {
            descriptor: candidate.descriptor.clone(),
            manifest: candidate.manifest.clone(),
            config: candidate.parsed.manifest.config.clone(),
            parsed: candidate.parsed.config.clone(),
            chain: chain.clone(),
            blobs: candidate.blobs.clone(),
            plain: candidate.plain(),
            pulled: false,
            published: None,
        };
        if candidate.references.is_empty() {
            let (id, _) = self.commit(draft(&candidate), None)?;
            progress(Progress::Stream(format!("Loaded image ID: {id}\n")));
            loaded.push(Loaded { id, reference: None, replaced: None });
        }
        for reference in &candidate.references {
            let (id, replaced) = self.commit(draft(&candidate), Some(reference))?;
            let name = reference.familiar();
            if let Some(old) = &replaced {
                progress(Progress::Stream(format!(
                    "The image {name} already exists, renaming the old one with ID {old} to empty string\n"
                )));
            }
            progress(Progress::Stream(format!("Loaded image: {name}\n")));
            loaded.push(Loaded { id, reference: Some(reference.clone()), replaced });
        }
        Ok(())
    }
}

fn missing(digest: &Digest) -> Error {
    Error::invalid(format!("invalid archive: content {digest} is missing"))
}
