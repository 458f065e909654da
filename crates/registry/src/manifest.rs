//! Manifests and indexes: fetched by tag or digest, put.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, Method};
use oci::image::media;
use sha2::{Digest as _, Sha256};
use values::{Digest, Error, Result};

use crate::failure::Failure;
use crate::repository::Repository;
use crate::transport::Ask;

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const ACCEPTED: &[&str] = &[media::OCI_INDEX, media::DOCKER_LIST, media::OCI_MANIFEST, media::DOCKER_MANIFEST];
/// Removed from Docker 28.2 on, and never here.
const SCHEMA_1: &[&str] = &[
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// A manifest or index, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub media_type: String,
    /// Computed from the bytes.
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

impl Repository {
    /// The digest a tag points at, where the registry says it without sending the manifest.
    ///
    /// # Errors
    /// The registry's.
    pub async fn manifest_digest(&self, reference: &str) -> Result<Option<Digest>, Failure> {
        let reply = self.send(|| self.manifest_ask(Method::HEAD, reference), None, &Bytes::new()).await?;
        let digest = reply.header(DIGEST).parse().ok();
        reply.keep();
        Ok(digest)
    }

    /// The manifest or index of a tag or digest; what was asked for by digest has that digest.
    ///
    /// # Errors
    /// The registry's; `InvalidArgument` for what is no manifest, or another one.
    pub async fn manifest(&self, reference: &str) -> Result<Fetched, Failure> {
        let (headers, bytes) = self.document(|| self.manifest_ask(Method::GET, reference)).await?;
        let said = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let said = said.split(';').next().unwrap_or_default().trim();
        let digest = Digest::from_sha256(&Sha256::digest(&bytes));
        if let Ok(wanted) = reference.parse::<Digest>()
            && wanted != digest
        {
            return Err(Failure::new(Error::invalid(format!("manifest verification failed for digest {wanted}"))));
        }
        let media_type = media_type(said, &bytes)?;
        Ok(Fetched { media_type, digest, bytes })
    }

    fn manifest_ask(&self, method: Method, reference: &str) -> Ask {
        let ask = self.ask(method, &format!("manifests/{reference}"));
        ACCEPTED.iter().fold(ask, |ask, kind| ask.header(ACCEPT, kind))
    }

    /// Puts the bytes under a tag or digest.
    ///
    /// # Errors
    /// The registry's; `Internal` where it claims to have stored something else.
    pub async fn put_manifest(&self, reference: &str, media_type: &str, bytes: Vec<u8>) -> Result<Digest, Failure> {
        let digest = Digest::from_sha256(&Sha256::digest(&bytes));
        let body = Bytes::from(bytes);
        let ask = || self.ask(Method::PUT, &format!("manifests/{reference}")).header(CONTENT_TYPE, media_type);
        let reply = self.send(ask, None, &body).await?;
        let stored: Option<Digest> = reply.header(DIGEST).parse().ok();
        reply.finish().await;
        match stored.filter(|stored| *stored != digest) {
            Some(other) => {
                Err(Failure::new(Error::internal(format!("the registry stored {other} in place of {digest}"))))
            }
            None => Ok(digest),
        }
    }
}

/// What the document says it is, else what the reply says, else what it looks like.
pub(crate) fn media_type(said: &str, bytes: &[u8]) -> Result<String> {
    #[derive(serde::Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Probe {
        schema_version: Option<u32>,
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
    }
    let bad = |why: &str| Error::invalid(format!("the registry's manifest {why}"));
    let probe: Probe = match bytes.trim_ascii_start() {
        [] => return Err(bad("is empty")),
        // serde takes an array for a struct as well
        [b'[' | b'"' | b'0'..=b'9' | b'n' | b't' | b'f', ..] => return Err(bad("is no JSON object")),
        object => serde_json::from_slice(object).map_err(|e| bad(&format!("is no JSON: {e}")))?,
    };
    let own = probe.media_type.unwrap_or_default();
    if probe.schema_version == Some(1) || SCHEMA_1.contains(&said) {
        return Err(Error::invalid(
            "Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: the image must be pushed \
             again in a newer format",
        ));
    }
    let known = |kind: &str| media::is_index(kind) || media::is_manifest(kind);
    let looks = match (probe.manifests, probe.config) {
        (Some(_), None) => media::OCI_INDEX,
        (None, Some(_)) => media::OCI_MANIFEST,
        // one reader's index could be another's manifest (CVE-2021-41190)
        (Some(_), Some(_)) => return Err(bad("has both a configuration and manifests")),
        (None, None) => {
            let kind = if own.is_empty() { said } else { &own };
            return Err(match known(kind) {
                true => bad("has neither a configuration nor manifests"),
                false => bad(&format!("is of an unsupported kind {kind:?}")),
            });
        }
    };
    let fits = |kind: &str| known(kind) && media::is_index(kind) == media::is_index(looks);
    if known(&own) && !fits(&own) {
        return Err(Error::invalid(format!("the registry's manifest says it is {own:?}, which it is not")));
    }
    let kind = [own.as_str(), said].into_iter().find(|kind| fits(kind)).unwrap_or(looks);
    Ok(kind.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn media_types() {
        let check = |said: &str, body: &str, expected: Option<&str>| {
            assert_eq!(media_type(said, body.as_bytes()).ok().as_deref(), expected, "{said} {body}");
        };
        let manifest = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
        check("", manifest, Some(media::OCI_MANIFEST));
        check(media::DOCKER_MANIFEST, manifest, Some(media::DOCKER_MANIFEST));
        check(media::OCI_INDEX, manifest, Some(media::OCI_MANIFEST));
        check("text/plain", r#"{"manifests":[]}"#, Some(media::OCI_INDEX));
        check("", &format!(r#"{{"mediaType":"{}","manifests":[]}}"#, media::DOCKER_LIST), Some(media::DOCKER_LIST));
        check("", &format!(r#"{{"mediaType":"{}","manifests":[]}}"#, media::OCI_MANIFEST), None);
        check("", r#"{"manifests":[],"config":{}}"#, None);
        check("", r#"{"schemaVersion":1,"fsLayers":[]}"#, None);
        check("", "<html>", None);
        let said = |body: &str| media_type(media::OCI_MANIFEST, body.as_bytes()).unwrap_err().message;
        for (body, why) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("[]", "is no JSON object"),
            ("null", "is no JSON object"),
            ("\"x\"", "is no JSON object"),
            ("{", "is no JSON: EOF while parsing an object at line 1 column 1"),
            ("{}", "has neither a configuration nor manifests"),
            (r#"{"manifests":null}"#, "has neither a configuration nor manifests"),
            (r#"{"manifests":[],"config":{}}"#, "has both a configuration and manifests"),
            (r#"{"mediaType":"x/y"}"#, "is of an unsupported kind \"x/y\""),
        ] {
            assert_eq!(said(body), format!("the registry's manifest {why}"), "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(said in ".{0,20}", body in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = media_type(&said, &body);
        }
    }
}
