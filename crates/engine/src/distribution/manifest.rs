//! Single manifests, for `manifest create` and its siblings, which reach registries through the daemon like everything else.

use std::sync::Arc;

use ::registry::{Access, Credentials, Endpoint, Repository};
use api::types::{ManifestDocument, ManifestPut, ManifestStored};
use oci::image::{Image, Manifest, media};
use values::{Digest, Error, Reference, Result};

use super::{internal, pull_failure};
use crate::shared::Shared;

fn endpoint(shared: &Shared, registry: &str, insecure: bool) -> Result<Endpoint> {
    if insecure {
        shared.distribution().insecure_endpoint(registry)
    } else {
        shared.distribution().own_endpoint(registry)
    }
}

/// The manifest or index of a name, byte for byte, and what its configuration says of its platform.
///
/// # Errors
/// The registry's.
pub async fn manifest(
    shared: &Shared,
    name: &str,
    insecure: bool,
    credentials: Credentials,
) -> Result<ManifestDocument> {
    let reference = name.parse::<Reference>()?.or_latest();
    let endpoint = endpoint(shared, &reference.domain, insecure)?;
    let looked = async {
        let repository = shared.distribution().open(&endpoint, &reference.path, &credentials, Access::Pull).await?;
        let wanted = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        };
        let fetched = repository.manifest(&wanted).await?;
        let platform =
            if media::is_index(&fetched.media_type) { None } else { platform(&repository, &fetched.bytes).await? };
        let raw = String::from_utf8(fetched.bytes).map_err(|_| Error::invalid("the manifest is not UTF-8"))?;
        Ok(ManifestDocument { media_type: fetched.media_type, digest: fetched.digest.to_string(), raw, platform })
    };
    looked.await.map_err(|failure| pull_failure(failure, &reference))
}

async fn platform(
    repository: &Arc<Repository>,
    manifest: &[u8],
) -> Result<Option<api::types::Platform>, ::registry::Failure> {
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|e| Error::invalid(e.to_string()))?;
    if !media::is_config(&manifest.config.media_type) {
        return Ok(None);
    }
    let bytes = repository.small_blob(&manifest.config).await?;
    let config: Image = serde_json::from_slice(&bytes).map_err(|e| Error::invalid(e.to_string()))?;
    Ok(Some(api::types::Platform {
        architecture: config.architecture,
        os: config.os,
        os_version: config.os_version,
        os_features: config.os_features,
        variant: config.variant,
    }))
}

/// Puts a manifest under a tag, or by its digest where the name has none. Blobs of it that the repository has not are
/// mounted from `source`, another repository of the registry.
///
/// # Errors
/// The registry's; `NotFound` for a blob that is nowhere.
pub async fn put_manifest(
    shared: &Shared,
    name: &str,
    insecure: bool,
    credentials: Credentials,
    put: ManifestPut,
) -> Result<ManifestStored> {
    let reference: Reference = name.parse()?;
    let endpoint = endpoint(shared, &reference.domain, insecure)?;
    let sent = async {
        let repository = shared.distribution().open(&endpoint, &reference.path, &credentials, Access::Push).await?;
        if !media::is_index(&put.media_type) && !put.source.is_empty() {
            mount_blobs(&repository, &put).await?;
        }
        let own: Digest = image::sha256(put.raw.as_bytes());
        let target = reference.tag.clone().unwrap_or_else(|| own.to_string());
        repository.put_manifest(&target, &put.media_type, put.raw.into_bytes()).await
    };
    match sent.await {
        Ok(digest) => Ok(ManifestStored { digest: digest.to_string() }),
        Err(failure) => Err(Error { kind: internal(failure.error.kind), ..failure.error }),
    }
}

async fn mount_blobs(repository: &Repository, put: &ManifestPut) -> Result<(), ::registry::Failure> {
    let manifest: Manifest = serde_json::from_str(&put.raw).map_err(|e| Error::invalid(e.to_string()))?;
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        if !repository.has_blob(&blob.digest).await? && !repository.mount_blob(&blob.digest, &put.source).await? {
            let text = format!("content {} is not in {} and cannot be mounted from there", blob.digest, put.source);
            return Err(Error::not_found(text).into());
        }
    }
    Ok(())
}
