//! `GET /distribution/{name}/json`: what a registry has under a name.

use std::sync::Arc;

use ::registry::{Access, Credentials, Repository};
use api::types::{Descriptor, DistributionInspect, Platform};
use oci::image::{Image, Index, Manifest, media};
use values::{Error, Reference, Result};

use super::internal;
use crate::shared::Shared;

/// # Errors
/// The registry's.
pub async fn inspect(shared: &Shared, name: &str, credentials: Credentials) -> Result<DistributionInspect> {
    let reference = name.parse::<Reference>()?.or_latest();
    let mut last = Error::internal("no endpoint");
    for endpoint in shared.distribution().endpoints(&reference.domain)? {
        let looked = async {
            let repository = shared.distribution().open(&endpoint, &reference.path, &credentials, Access::Pull).await?;
            look(&repository, &reference).await
        };
        match looked.await {
            Ok(found) => return Ok(found),
            Err(e) => last = Error { kind: internal(e.error.kind), ..e.error },
        }
    }
    Err(last)
}

async fn look(repository: &Arc<Repository>, reference: &Reference) -> Result<DistributionInspect, ::registry::Failure> {
    let wanted = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.clone().unwrap_or_default(),
    };
    let fetched = repository.manifest(&wanted).await?;
    let bad = |e: serde_json::Error| Error::invalid(format!("manifest {}: {e}", fetched.digest));
    let platforms = if media::is_index(&fetched.media_type) {
        let index: Index = serde_json::from_slice(&fetched.bytes).map_err(bad)?;
        index.manifests.iter().filter_map(|manifest| manifest.platform.as_ref()).map(platform).collect()
    } else {
        let manifest: Manifest = serde_json::from_slice(&fetched.bytes).map_err(bad)?;
        match media::is_config(&manifest.config.media_type) {
            true => vec![of_config(repository, &manifest).await?],
            false => Vec::new(),
        }
    };
    let descriptor = Descriptor {
        media_type: fetched.media_type,
        digest: fetched.digest.to_string(),
        size: fetched.bytes.len() as i64,
        ..Descriptor::default()
    };
    Ok(DistributionInspect { descriptor, platforms })
}

async fn of_config(repository: &Arc<Repository>, manifest: &Manifest) -> Result<Platform, ::registry::Failure> {
    let bytes = repository.small_blob(&manifest.config).await?;
    let config: Image = serde_json::from_slice(&bytes).map_err(|e| Error::invalid(e.to_string()))?;
    Ok(platform(&oci::image::Platform {
        architecture: config.architecture,
        os: config.os,
        os_version: config.os_version,
        os_features: config.os_features,
        variant: config.variant,
    }))
}

fn platform(p: &oci::image::Platform) -> Platform {
    Platform {
        architecture: p.architecture.clone(),
        os: p.os.clone(),
        os_version: p.os_version.clone(),
        os_features: p.os_features.clone(),
        variant: p.variant.clone(),
    }
}
