//! The document that a list becomes.

use api::types::Platform;
use serde::{Deserialize, Serialize};
use serde_json::ser::PrettyFormatter;

use super::store::Item;
use crate::Failure;

const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub manifests: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub media_type: String,
    pub size: u64,
    pub digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl List {
    /// An index where the first is OCI's, else Docker's list.
    pub fn of(items: &[Item]) -> Self {
        let is_oci = items.first().is_some_and(|item| item.descriptor.media_type == OCI_MANIFEST);
        let entry = |item: &Item| Entry {
            media_type: item.descriptor.media_type.clone(),
            size: item.descriptor.size,
            digest: item.descriptor.digest.clone(),
            platform: item.descriptor.platform.clone(),
        };
        Self {
            schema_version: 2,
            media_type: if is_oci { OCI_INDEX } else { LIST }.into(),
            manifests: items.iter().map(entry).collect(),
        }
    }

    /// The bytes a registry gets, as Docker's library indents them.
    pub fn to_json(&self) -> Result<String, Failure> {
        pretty(self, b"   ")
    }
}

/// JSON with that indent.
pub fn pretty(value: &impl Serialize, indent: &[u8]) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(indent));
    value.serialize(&mut serializer).map_err(|e| Failure::new(e.to_string()))?;
    String::from_utf8(text).map_err(|e| Failure::new(e.to_string()))
}
