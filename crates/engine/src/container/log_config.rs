//! `--log-driver` and `--log-opt`, as the shim needs them.

use std::path::PathBuf;

use shim::protocol::Log;
use values::size;

use super::record::Record;

/// Docker's logs grow without end; these do not.
pub const DEFAULT_MAX_SIZE: u64 = 20_000_000;
pub const DEFAULT_MAX_FILES: u32 = 5;

/// Values were validated when the container was created.
pub fn for_shim(record: &Record, path: PathBuf) -> Log {
    let log = &record.host.log_config;
    if log.kind == "none" {
        return Log { max_files: 1, ..Log::default() };
    }
    let option = |key: &str| log.config.as_ref().and_then(|c| c.get(key)).map(String::as_str);
    let max_size = match option("max-size") {
        // docker's word for "never"
        Some("-1") => 0,
        Some(text) => size::parse_decimal(text).ok().and_then(|n| u64::try_from(n).ok()).unwrap_or(DEFAULT_MAX_SIZE),
        None => DEFAULT_MAX_SIZE,
    };
    Log {
        path: Some(path),
        max_size,
        max_files: option("max-file").and_then(|n| n.parse().ok()).unwrap_or(DEFAULT_MAX_FILES).max(1),
        compress: option("compress").is_some_and(|c| c == "true"),
        attrs: attributes(record),
    }
}

/// The labels and variables which `labels`, `env` and `tag` name, as a JSON object.
fn attributes(record: &Record) -> Option<String> {
    let options = record.host.log_config.config.as_ref()?;
    let listed = |key: &str| options.get(key).into_iter().flat_map(|v| v.split(',')).map(str::trim).filter(|k| !k.is_empty());
    let mut found = std::collections::BTreeMap::new();
    for key in listed("labels") {
        if let Some(value) = record.config.labels.as_ref().and_then(|l| l.get(key)) {
            found.insert(key, value.as_str());
        }
    }
    for key in listed("env") {
        let env = record.config.env.iter().flatten();
        if let Some((_, value)) = env.filter_map(|e| e.split_once('=')).find(|(k, _)| *k == key) {
            found.insert(key, value);
        }
    }
    if let Some(tag) = options.get("tag") {
        found.insert("tag", tag);
    }
    if found.is_empty() { None } else { serde_json::to_string(&found).ok() }
}
