//! Manifests of lists that are being put together: one file each, as the Docker client writes them.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use api::types::{ManifestDocument, Platform};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use values::Reference;

use crate::{Failure, Session};

/// One manifest of a list.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    #[serde(rename = "Ref")]
    pub reference: String,
    pub descriptor: Descriptor,
    /// Base64 of the bytes.
    pub raw: String,
    #[serde(default, rename = "SchemaV2Manifest", skip_serializing_if = "Option::is_none")]
    pub docker: Option<Box<RawValue>>,
    #[serde(default, rename = "OCIManifest", skip_serializing_if = "Option::is_none")]
    pub oci: Option<Box<RawValue>>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

impl Item {
    pub fn new(reference: &Reference, document: ManifestDocument) -> Result<Self, Failure> {
        let parsed: Box<RawValue> = serde_json::from_str(&document.raw).map_err(|e| Failure::new(e.to_string()))?;
        let is_docker = document.media_type == DOCKER_MANIFEST;
        Ok(Self {
            reference: reference.to_string(),
            descriptor: Descriptor {
                media_type: document.media_type,
                digest: document.digest,
                size: document.raw.len() as u64,
                platform: document.platform,
            },
            raw: STANDARD.encode(&document.raw),
            docker: is_docker.then(|| parsed.clone()),
            oci: (!is_docker).then_some(parsed),
        })
    }

    pub fn raw(&self) -> Result<Vec<u8>, Failure> {
        STANDARD.decode(&self.raw).map_err(|e| Failure::new(format!("{}: {e}", self.reference)))
    }
}

/// `host:5000/a/b:1` as a file's name.
fn file_name(reference: &Reference) -> String {
    reference.to_string().replace(':', "-").replace('/', "_")
}

fn directory(session: &Session, list: &Reference) -> PathBuf {
    session.root.config_dir().join("manifests").join(file_name(list))
}

fn failed(path: &std::path::Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {why}", path.display()))
}

/// All of a list; none where there is no such list.
pub fn read(session: &Session, list: &Reference) -> Result<Vec<Item>, Failure> {
    let directory = directory(session, list);
    let mut paths: Vec<PathBuf> = match fs::read_dir(&directory) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(&directory, e)),
    };
    paths.sort();
    let one = |path: PathBuf| {
        let text = fs::read(&path).map_err(|e| failed(&path, e))?;
        serde_json::from_slice(&text).map_err(|e| failed(&path, e))
    };
    paths.into_iter().map(one).collect()
}

/// One manifest of a list, if it is in it.
pub fn find(session: &Session, list: &Reference, manifest: &Reference) -> Result<Option<Item>, Failure> {
    let wanted = manifest.to_string();
    Ok(read(session, list)?.into_iter().find(|item| item.reference == wanted))
}

pub fn write(session: &Session, list: &Reference, item: &Item) -> Result<(), Failure> {
    let directory = directory(session, list);
    fs::create_dir_all(&directory).map_err(|e| failed(&directory, e))?;
    let reference: Reference = item.reference.parse()?;
    let path = directory.join(file_name(&reference));
    let text = serde_json::to_vec(item).map_err(|e| failed(&path, e))?;
    fs::write(&path, text).map_err(|e| failed(&path, e))
}

/// False where there is no such list.
pub fn remove(session: &Session, list: &Reference) -> Result<bool, Failure> {
    let directory = directory(session, list);
    match fs::remove_dir_all(&directory) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed(&directory, e)),
    }
}
