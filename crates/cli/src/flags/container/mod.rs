//! The flags of `create` and `run`, a file for each subject: its rows, and what they become in the API.

pub mod devices;
pub mod files;
pub mod health;
pub mod lifecycle;
pub mod logging;
pub mod mounts;
pub mod network;
pub mod ports;
pub mod process;
pub mod resources;
pub mod security;

use api::types::{ContainerConfig, ContainerCreateRequest, HostConfig, NetworkingConfig};

use super::Flag;
use crate::failure::Failure;
use crate::{Invocation, Session};

/// All rows which `create` and `run` share.
pub static GROUPS: &[&[Flag]] = &[
    lifecycle::FLAGS,
    process::FLAGS,
    network::FLAGS,
    ports::FLAGS,
    mounts::FLAGS,
    security::FLAGS,
    resources::FLAGS,
    devices::FLAGS,
    health::FLAGS,
    logging::FLAGS,
];

/// A request in the making.
#[derive(Debug, Default)]
pub struct Draft {
    /// The portable half.
    pub config: ContainerConfig,
    /// The host's half.
    pub host: HostConfig,
    /// The networks.
    pub network: Option<NetworkingConfig>,
}

/// Everything a command line of `create` or `run` says, as the body of the request. The order of the checks is
/// Docker's, so that of two mistakes the same one is told.
///
/// # Errors
/// Docker's sentence for what the client itself can see to be wrong.
pub fn translate(session: &Session, call: &Invocation) -> Result<ContainerCreateRequest, Failure> {
    let mut draft = Draft::default();
    network::translate(call, &mut draft).and_then(|()| {
        resources::translate(call, &mut draft)?;
        mounts::translate(call, &mut draft)?;
        ports::translate(call, &mut draft)?;
        devices::translate(call, &mut draft)?;
        process::translate(session, call, &mut draft)?;
        lifecycle::translate(call, &mut draft)?;
        security::translate(call, &mut draft)?;
        logging::translate(call, &mut draft)?;
        health::translate(call, &mut draft)
    })?;
    if draft.host.auto_remove && lifecycle::restarts(&draft.host.restart_policy) {
        return Err(Failure::new("conflicting options: cannot specify both --restart and --rm"));
    }
    Ok(ContainerCreateRequest { config: draft.config, host_config: Some(draft.host), networking_config: draft.network })
}

fn list(call: &Invocation, name: &str) -> Vec<String> {
    call.all(name).map(str::to_owned).collect()
}

/// A path without `.`, `..` and doubled slashes, by its text alone (Go's `path.Clean`).
fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".into(),
        (false, path) => path,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cleans() {
        for (path, expected) in
            [("/a/./b//c/..", "/a/b"), ("/..", "/"), ("../a", "../a"), ("a/..", "."), ("", "."), ("/", "/")]
        {
            assert_eq!(super::clean_path(path), expected, "{path}");
        }
    }
}
