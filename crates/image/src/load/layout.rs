//! OCI layouts: `index.json` names manifests and indexes by digest.

use oci::image::{ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, Descriptor, Index, Manifest, media};
use values::{Digest, Error, Platform, Reference, Result, ResultExt};

use super::{Candidate, members::Members};
use crate::{
    commit::{json, parse_any},
    images::Images,
    platform,
    save::AS_IT_IS,
};

/// Indexes within indexes at most.
const DEPTH_MAX: usize = 4;

impl Images {
    pub(super) fn layout_images(&self, index: &Index, members: &Members, wanted: &Platform) -> Result<Vec<Candidate>> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for descriptor in &index.manifests {
            let references = reference(descriptor)?;
            // one image under several names
            if let Some(same) = candidates.iter_mut().find(|c| c.descriptor.digest == descriptor.digest) {
                same.references.extend(references);
                continue;
            }
            let candidate = self.layout_image(descriptor, members, wanted)?;
            candidates.push(Candidate { references: references.into_iter().collect(), ..candidate });
        }
        if candidates.is_empty() {
            return Err(Error::invalid("invalid archive: index.json names no image"));
        }
        Ok(candidates)
    }

    fn layout_image(&self, descriptor: &Descriptor, members: &Members, wanted: &Platform) -> Result<Candidate> {
        let read = |digest: &Digest| members.read(digest, &self.content);
        let is_marked = descriptor.annotations.contains_key(AS_IT_IS);
        let mut descriptor = Descriptor { annotations: Default::default(), ..descriptor.clone() };
        descriptor.media_type = media_type(&descriptor, &read)?;
        let mut blobs = Vec::new();
        let manifest = if media::is_index(&descriptor.media_type) {
            self.choose(&descriptor, members, wanted, &mut blobs, 0)?
                .ok_or_else(|| Error::invalid(format!("index {}: no image in it is complete", descriptor.digest)))?
        } else {
            descriptor.clone()
        };
        let parsed = parse_any(&manifest.digest, &read)?;
        blobs.push(descriptor.digest.clone());
        blobs.extend(contents(&manifest.digest, &parsed.manifest));
        blobs.sort();
        blobs.dedup();
        let as_it_is = is_marked || manifest != descriptor;
        Ok(Candidate { descriptor, manifest, parsed, blobs, references: Vec::new(), as_it_is })
    }

    /// The best complete manifest of an index for a platform. All else of it that the archive has is kept too.
    fn choose(
        &self,
        index: &Descriptor,
        members: &Members,
        wanted: &Platform,
        blobs: &mut Vec<Digest>,
        depth: usize,
    ) -> Result<Option<Descriptor>> {
        if depth == DEPTH_MAX {
            return Err(Error::invalid(format!("index {}: indexes are nested too deeply", index.digest)));
        }
        let read = |digest: &Digest| members.read(digest, &self.content);
        let parsed: Index = json(&read(&index.digest)?).during(|| format!("index {}", index.digest))?;
        let mut chosen = None;
        let best_first = platform::sorted(&parsed.manifests, wanted);
        let attached = parsed.manifests.iter().filter(|d| !best_first.contains(d));
        for descriptor in best_first.iter().copied().chain(attached) {
            if !members.has(&descriptor.digest, &self.content) {
                continue;
            }
            blobs.push(descriptor.digest.clone());
            let found = if media::is_index(&media_type(descriptor, &read)?) {
                self.choose(descriptor, members, wanted, blobs, depth + 1)?
            } else {
                self.keep_manifest(descriptor, members, blobs)?.then(|| descriptor.clone())
            };
            if chosen.is_none() && best_first.contains(&descriptor) {
                chosen = found;
            }
        }
        Ok(chosen)
    }

    /// Adds what the archive has of a manifest; whether that is all.
    fn keep_manifest(&self, descriptor: &Descriptor, members: &Members, blobs: &mut Vec<Digest>) -> Result<bool> {
        let what = || format!("manifest {}", descriptor.digest);
        let manifest: Manifest = json(&members.read(&descriptor.digest, &self.content)?).during(what)?;
        let all = contents(&descriptor.digest, &manifest);
        let (here, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|d| members.has(d, &self.content));
        blobs.extend(here);
        Ok(missing.is_empty())
    }
}

fn contents(digest: &Digest, manifest: &Manifest) -> Vec<Digest> {
    let parts = [&manifest.config].into_iter().chain(&manifest.layers);
    [digest.clone()].into_iter().chain(parts.map(|d| d.digest.clone())).collect()
}

/// What the descriptor says, or else what the document looks like.
fn media_type(descriptor: &Descriptor, read: &dyn Fn(&Digest) -> Result<Vec<u8>>) -> Result<String> {
    let said = &descriptor.media_type;
    if media::is_index(said) || media::is_manifest(said) {
        return Ok(said.clone());
    }
    let what = || format!("content {}", descriptor.digest);
    let value: serde_json::Value = json(&read(&descriptor.digest)?).during(what)?;
    match (value.get("manifests"), value.get("config")) {
        (Some(_), _) => Ok(media::OCI_INDEX.into()),
        (None, Some(_)) => Ok(media::OCI_MANIFEST.into()),
        _ => Err(Error::invalid(format!("{}: neither a manifest nor an index ({said})", what()))),
    }
}

/// The name an annotation gives: Docker's in full, or OCI's where it is more than a tag.
fn reference(descriptor: &Descriptor) -> Result<Option<Reference>> {
    if let Some(name) = descriptor.annotations.get(ANNOTATION_IMAGE_NAME) {
        return Ok(Some(name.parse::<Reference>()?.or_latest()));
    }
    let name = descriptor.annotations.get(ANNOTATION_REF_NAME).filter(|name| name.contains([':', '/']));
    Ok(name.and_then(|name| name.parse::<Reference>().ok()).map(Reference::or_latest))
}
