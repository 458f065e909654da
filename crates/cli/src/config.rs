//! The user's `config.json` (and where it lies). Unknown keys are other programs' business and are let be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use crate::root::default_config_dir as default_dir;

/// What the client reads of `config.json`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// Credentials by registry.
    pub auths: BTreeMap<String, AuthEntry>,
    /// The helper program for all registries: `docker-credential-NAME`.
    pub creds_store: String,
    /// Helper programs by registry.
    pub cred_helpers: BTreeMap<String, String>,
    /// Header fields for every request.
    #[serde(rename = "HttpHeaders")]
    pub http_headers: BTreeMap<String, String>,
    /// `--detach-keys` where it is not given.
    pub detach_keys: String,
    /// The context in use; empty is `default`.
    pub current_context: String,
    /// `--format` of `ps`, where it is not given; the others alike.
    pub ps_format: String,
    /// Of `images`.
    pub images_format: String,
    /// Of `network ls`.
    pub networks_format: String,
    /// Of `volume ls`.
    pub volumes_format: String,
    /// Of `stats`.
    pub stats_format: String,
    /// Filters of every prune, `key=value`.
    pub prune_filters: Vec<String>,
    /// More directories of plugins.
    pub cli_plugins_extra_dirs: Vec<String>,
    /// Proxy variables for containers: by daemon address, or `default`.
    pub proxies: BTreeMap<String, Proxy>,
}

/// One entry of `auths`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", default)]
pub struct AuthEntry {
    /// Base64 of `user:password`.
    pub auth: String,
    /// A token in place of a password.
    pub identitytoken: String,
    /// A bearer token.
    pub registrytoken: String,
}

/// Proxies of containers.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Proxy {
    /// `HTTP_PROXY` and `http_proxy`.
    pub http_proxy: String,
    /// `HTTPS_PROXY` and `https_proxy`.
    pub https_proxy: String,
    /// `NO_PROXY` and `no_proxy`.
    pub no_proxy: String,
    /// `FTP_PROXY` and `ftp_proxy`.
    pub ftp_proxy: String,
    /// `ALL_PROXY` and `all_proxy`.
    pub all_proxy: String,
}

impl Config {
    /// Reads `DIRECTORY/config.json`. None there: all defaults. One that cannot be read is reported on stderr and
    /// counts as none, as Docker has it.
    pub fn load(directory: &Path) -> Config {
        let path: PathBuf = directory.join("config.json");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Config::default(),
            Err(error) => return Self::unusable(&path, &error.to_string()),
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| Self::unusable(&path, &error.to_string()))
    }

    fn unusable(path: &Path, why: &str) -> Config {
        eprintln!("WARNING: Error loading config file: {}: {why}", path.display());
        Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_knows() {
        let config: Config = serde_json::from_str(
            r#"{"auths":{"r:5000":{"auth":"dTpw"}},"detachKeys":"ctrl-e","psFormat":"table {{.ID}}","HttpHeaders":{"X":"y"},
                "proxies":{"default":{"httpProxy":"http://p"}},"plugins":{"x":{"y":1}},"currentContext":"c"}"#,
        )
        .unwrap();
        assert_eq!(config.auths["r:5000"].auth, "dTpw");
        assert_eq!((config.detach_keys.as_str(), config.current_context.as_str()), ("ctrl-e", "c"));
        assert_eq!(config.ps_format, "table {{.ID}}");
        assert_eq!(config.http_headers["X"], "y");
        assert_eq!(config.proxies["default"].http_proxy, "http://p");
    }

    #[test]
    fn absent_is_default() {
        assert_eq!(Config::load(Path::new("/nonexistent")), Config::default());
    }
}
