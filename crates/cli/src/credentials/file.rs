//! `auths` in `config.json`. All else in the file is kept.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};

use crate::Failure;

/// Writes an entry. Empty secrets: the entry only says that a helper has them. With `store`, that is the helper from now on.
pub fn put(path: &Path, key: &str, auth: &str, identity_token: &str, store: Option<&str>) -> Result<(), Failure> {
    let mut config = read(path)?;
    let mut entry = Map::new();
    for (name, value) in [("auth", auth), ("identitytoken", identity_token)] {
        if !value.is_empty() {
            entry.insert(name.into(), value.into());
        }
    }
    let auths = config.entry("auths").or_insert_with(|| json!({}));
    if !auths.is_object() {
        *auths = json!({});
    }
    auths[key] = Value::Object(entry);
    if let Some(store) = store {
        config.insert("credsStore".into(), store.into());
    }
    write(path, &config)
}

/// Takes entries away; a file that has none of them is not touched.
pub fn erase(path: &Path, keys: &[&String]) -> Result<(), Failure> {
    let mut config = read(path)?;
    let Some(auths) = config.get_mut("auths").and_then(Value::as_object_mut) else { return Ok(()) };
    let before = auths.len();
    auths.retain(|key, _| !keys.contains(&key));
    if auths.len() == before {
        return Ok(());
    }
    write(path, &config)
}

fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::new(format!("{}: {why}", path.display()));
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| failed(&e)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Map::new()),
        Err(e) => Err(failed(&e)),
    }
}

/// Whole or not at all, and for its owner only.
fn write(path: &Path, config: &Map<String, Value>) -> Result<(), Failure> {
    // a link to where the file really is stays one
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let failed = |e: std::io::Error| Failure::new(format!("{}: {e}", path.display()));
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    config.serialize(&mut serializer).map_err(|e| Failure::new(e.to_string()))?;
    if let Some(directory) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    let fresh = path.with_extension(format!("json.{}", std::process::id()));
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_keys_stay() {
        let path = std::env::temp_dir().join(format!("lighter-cli-config-{}/config.json", std::process::id()));
        put(&path, "r:1", "dTpw", "", None).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\n\t\"auths\": {\n\t\t\"r:1\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}");
        fs::write(&path, r#"{"auths":{"r:1":{"auth":"x"}},"psFormat":"y"}"#).unwrap();
        erase(&path, &[&"r:1".to_owned()]).unwrap();
        put(&path, "s", "", "token", Some("pass")).unwrap();
        let config = read(&path).unwrap();
        assert_eq!(
            Value::Object(config),
            json!({"auths": {"s": {"identitytoken": "token"}}, "credsStore": "pass", "psFormat": "y"})
        );
        fs::write(&path, "no json").unwrap();
        assert!(put(&path, "s", "", "", None).is_err());
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
