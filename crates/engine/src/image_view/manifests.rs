//! The manifests an image consists of, and what of each is here.

use api::types::{
    ImageManifestSummary, ManifestAttestationData, ManifestImageData, ManifestImageSize, ManifestSize, Platform,
};
use image::{Image, Images};
use oci::image as spec;

use super::{bytes, descriptor};

/// What BuildKit says of a manifest that attests another.
const KIND: &str = "vnd.docker.reference.type";
const ATTESTS: &str = "vnd.docker.reference.digest";

/// The manifest which is used here, with the containers that use it; of an index all others as well.
pub(super) fn manifests(images: &Images, image: &Image, containers: Vec<String>) -> Vec<ImageManifestSummary> {
    let used = used(image, containers);
    let index = match spec::media::is_index(&image.descriptor.media_type) {
        true => images.content(&image.id).ok().and_then(|bytes| serde_json::from_slice::<spec::Index>(&bytes).ok()),
        false => None,
    };
    let is_used = |entry: &spec::Descriptor| entry.digest == image.manifest.digest;
    match index {
        // by an index within, else
        Some(index) if index.manifests.iter().any(is_used) => {
            index.manifests.iter().map(|d| if is_used(d) { used.clone() } else { other(images, d) }).collect()
        }
        _ => vec![used],
    }
}

fn used(image: &Image, containers: Vec<String>) -> ImageManifestSummary {
    let platform = Platform {
        architecture: image.platform.architecture.clone(),
        os: image.platform.os.clone(),
        variant: image.platform.variant.clone(),
        ..Platform::default()
    };
    ImageManifestSummary {
        id: image.manifest.digest.to_string(),
        descriptor: descriptor(&image.manifest),
        available: true,
        kind: "image".into(),
        size: ManifestSize { content: bytes(image.content_size), total: bytes(image.size()) },
        image_data: Some(ManifestImageData {
            platform,
            containers,
            size: ManifestImageSize { unpacked: bytes(image.unpacked_size()) },
        }),
        attestation_data: None,
    }
}

/// One that is not used; it may be here in part.
fn other(images: &Images, entry: &spec::Descriptor) -> ImageManifestSummary {
    let (available, content) = here(images, entry);
    let mut summary = ImageManifestSummary {
        id: entry.digest.to_string(),
        descriptor: descriptor(entry),
        available,
        size: ManifestSize { content: bytes(content), total: bytes(content) },
        ..ImageManifestSummary::default()
    };
    match entry.annotations.get(KIND) {
        Some(_) => {
            let target = entry.annotations.get(ATTESTS).cloned().unwrap_or_default();
            (summary.kind, summary.attestation_data) = ("attestation".into(), Some(ManifestAttestationData { target }));
        }
        None => {
            let platform = summary.descriptor.platform.clone().unwrap_or_default();
            (summary.kind, summary.image_data) =
                ("image".into(), Some(ManifestImageData { platform, ..ManifestImageData::default() }));
        }
    }
    summary
}

/// Whether all of a manifest is here, and the bytes that are.
fn here(images: &Images, entry: &spec::Descriptor) -> (bool, u64) {
    let Ok(document) = images.content(&entry.digest) else { return (false, 0) };
    let Ok(manifest) = serde_json::from_slice::<spec::Manifest>(&document) else {
        return (true, document.len() as u64);
    };
    let parts = [&manifest.config].into_iter().chain(&manifest.layers);
    parts.fold((true, document.len() as u64), |(all, sum), part| match images.has_content(&part.digest, part.size) {
        true => (all, sum + part.size),
        false => (false, sum),
    })
}
