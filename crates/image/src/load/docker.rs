//! `manifest.json`: images without manifests. One is made for each, the same as Docker's image store makes, so that the
//! image has the same id here.

use std::fmt::Write;

use archive::Compression;
use oci::image::{ArchiveEntry, Descriptor, media};
use values::{Digest, Error, Reference, Result};

use super::{Candidate, members::Members};
use crate::{commit::parse, images::Images};

impl Images {
    pub(super) fn docker_images(&self, entries: &[ArchiveEntry], members: &mut Members) -> Result<Vec<Candidate>> {
        entries.iter().map(|entry| self.docker_image(entry, members)).collect()
    }

    fn docker_image(&self, entry: &ArchiveEntry, members: &mut Members) -> Result<Candidate> {
        let content = &self.content;
        let find = |members: &Members, path: &str| {
            let missing = || Error::invalid(format!("invalid archive: {path} is missing"));
            members.resolve(path).ok_or_else(missing)
        };
        let config = find(members, &entry.config)?;
        let config = Descriptor::new(media::DOCKER_CONFIG, config.clone(), members.size(&config, content)?);
        let mut layers = Vec::new();
        for path in &entry.layers {
            let digest = find(members, path)?;
            let digest = members.plain(&digest, content)?;
            let kind = match Compression::detect(&members.head(&digest, content)?) {
                Compression::Gzip => media::DOCKER_LAYER_GZIP,
                Compression::Zstd => media::OCI_LAYER_ZSTD,
                _ => media::DOCKER_LAYER,
            };
            layers.push(Descriptor::new(kind, digest.clone(), members.size(&digest, content)?));
        }
        let staged = content.stage_bytes(manifest(&config, &layers).as_bytes())?;
        let manifest = Descriptor::new(media::DOCKER_MANIFEST, staged.digest.clone(), staged.size);
        members.insert(staged);
        let parsed = parse(&manifest.digest, &|digest: &Digest| members.read(digest, content))?;
        let mut blobs = vec![manifest.digest.clone(), config.digest];
        blobs.extend(layers.into_iter().map(|layer| layer.digest));
        blobs.sort();
        blobs.dedup();
        let references = references(entry)?;
        Ok(Candidate { descriptor: manifest.clone(), manifest, parsed, blobs, references, as_it_is: false })
    }
}

pub(super) fn references(entry: &ArchiveEntry) -> Result<Vec<Reference>> {
    entry.repo_tags.iter().map(|tag| Ok(tag.parse::<Reference>()?.or_latest())).collect()
}

/// Schema 2, fields in the order in which Go's encoder puts them, no blanks.
fn manifest(config: &Descriptor, layers: &[Descriptor]) -> String {
    let descriptor =
        |d: &Descriptor| format!(r#"{{"mediaType":"{}","digest":"{}","size":{}}}"#, d.media_type, d.digest, d.size);
    let mut out = String::new();
    let kind = media::DOCKER_MANIFEST;
    let layers: Vec<String> = layers.iter().map(descriptor).collect();
    // writing to a string cannot fail
    let _ = write!(
        out,
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{},"layers":[{}]}}"#,
        descriptor(config),
        layers.join(",")
    );
    out
}
