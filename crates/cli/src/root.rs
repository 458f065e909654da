//! The flags before the command: where the daemon is, and how much to say.

use std::path::PathBuf;

use crate::flags::Flag;
use crate::flags::parse::Parsed;

/// The rows. Defaults which hold the user's directory are filled in by help.
pub static FLAGS: &[Flag] = &[
    Flag::text("config", "Location of client config files").shows_default("\"{config}\""),
    Flag::text(
        "context",
        "Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with \"docker context use\")",
    )
    .short('c')
    .completes(crate::command::Complete::Contexts),
    Flag::bool("debug", "Enable debug mode").short('D'),
    Flag::list("host", "Daemon socket to connect to").short('H'),
    Flag::text("log-level", "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")")
        .short('l')
        .shows_default("\"info\"")
        .completes(crate::command::Complete::Words(&["debug", "info", "warn", "error", "fatal", "panic"])),
    Flag::bool("tls", "Use TLS; implied by --tlsverify"),
    Flag::text("tlscacert", "Trust certs signed only by this CA").shows_default("\"{config}/ca.pem\""),
    Flag::text("tlscert", "Path to TLS certificate file").shows_default("\"{config}/cert.pem\""),
    Flag::text("tlskey", "Path to TLS key file").shows_default("\"{config}/key.pem\""),
    Flag::bool("tlsverify", "Use TLS and verify the remote"),
    Flag::bool("version", "Print version information and quit").short('v'),
];

/// What was given before the command.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RootFlags {
    /// `--config`
    pub config: Option<String>,
    /// `--context`
    pub context: Option<String>,
    /// `--host`, each.
    pub hosts: Vec<String>,
    /// `--debug`
    pub debug: bool,
    /// `--log-level`
    pub log_level: Option<String>,
    /// Any of `--tls`, `--tlsverify`.
    pub tls: bool,
}

impl RootFlags {
    /// Reads them off a parsed list.
    pub fn from_parsed(parsed: &Parsed) -> Self {
        let last = |name: &str| parsed.given.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
        let on = |name: &str| last(name).is_some_and(|value| crate::flags::check::parse_bool(&value) == Some(true));
        Self {
            config: last("config"),
            context: last("context"),
            hosts: parsed.given.iter().filter(|(n, _)| *n == "host").map(|(_, value)| value.clone()).collect(),
            debug: on("debug"),
            log_level: last("log-level"),
            tls: on("tls") || on("tlsverify"),
        }
    }

    /// The directory of `config.json` and contexts: `--config`, `$DOCKER_CONFIG`, else `~/.docker`.
    pub fn config_dir(&self) -> PathBuf {
        match &self.config {
            Some(directory) => PathBuf::from(directory),
            None => default_config_dir(),
        }
    }
}

/// The configuration directory when no flag names one.
pub fn default_config_dir() -> PathBuf {
    match std::env::var_os("DOCKER_CONFIG").filter(|value| !value.is_empty()) {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".docker"),
    }
}
