//! Contexts: named endpoints kept by the docker client below its configuration directory, in
//! `contexts/meta/<sha256 of the name>/meta.json`. They are read here; their commands write them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// What `meta.json` holds.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Context {
    /// The context's name.
    pub name: String,
    /// What the user says about it.
    pub metadata: Metadata,
    /// Its endpoints; only `docker` is known.
    pub endpoints: Endpoints,
}

/// The user's part of a context.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metadata {
    /// A line about it.
    pub description: String,
}

/// A context's endpoints.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    /// The daemon.
    pub docker: Endpoint,
}

/// A daemon's address in a context.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Endpoint {
    /// As `-H` takes it.
    pub host: String,
    /// Whether the server's certificate is checked.
    #[serde(rename = "SkipTLSVerify")]
    pub skip_tls_verify: bool,
}

/// The file of the context `name` below the configuration directory.
pub fn file(config_dir: &Path, name: &str) -> PathBuf {
    config_dir.join("contexts/meta").join(digest(name)).join("meta.json")
}

fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the context `name`.
///
/// # Errors
/// Docker's sentence when there is none, or it cannot be read.
pub fn load(config_dir: &Path, name: &str) -> Result<Context, Failure> {
    let path = file(config_dir, name);
    let text = std::fs::read(&path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!("context {name:?}: context not found: open {}: {why}", path.display()))
    })?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::new(format!("context {name:?}: {}: {error}", path.display())))
}

/// Every stored context, by name.
pub fn all(config_dir: &Path) -> Vec<Context> {
    let Ok(entries) = std::fs::read_dir(config_dir.join("contexts/meta")) else { return Vec::new() };
    let read = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("meta.json")).ok();
    let mut contexts: Vec<Context> =
        entries.flatten().filter_map(read).filter_map(|text| serde_json::from_slice(&text).ok()).collect();
    contexts.sort_by(|a: &Context, b| a.name.cmp(&b.name));
    contexts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_named_by_digest() {
        let path = file(Path::new("/c"), "foo");
        let digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        assert_eq!(path, Path::new("/c/contexts/meta").join(digest).join("meta.json"));
    }

    #[test]
    fn reads_dockers_file() {
        let context: Context = serde_json::from_str(
            r#"{"Name":"x","Metadata":{"Description":"d"},"Endpoints":{"docker":{"Host":"tcp://h:1","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        assert_eq!(context.endpoints.docker.host, "tcp://h:1");
        assert_eq!(context.metadata.description, "d");
    }
}
