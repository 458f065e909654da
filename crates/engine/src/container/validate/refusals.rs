//! What Docker can do and this engine cannot yet: each is refused by its flag's name.

use api::types::{ContainerConfig, HostConfig};
use values::{Error, Result};

use crate::container::mounts::{Resolved, clean};

fn refuse(asked: bool, flag: &str) -> Result<()> {
    if asked { Err(Error::not_implemented(format!("{flag} is not supported yet"))) } else { Ok(()) }
}

fn filled<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

/// Anonymous volumes. Where something is mounted there is none: docker-py names the targets of its binds here too.
///
/// # Errors
/// `NotImplemented` naming the first.
pub fn volumes(config: &ContainerConfig, mounts: &[Resolved]) -> Result<()> {
    let is_mounted = |path: &str| mounts.iter().any(|mount| mount.destination == clean(path));
    match config.volumes.iter().flatten().find(|(path, _)| !is_mounted(path)) {
        Some((path, _)) => Err(Error::not_implemented(format!(
            "volumes are not supported yet: -v {path} (a bind mount is -v /HOST/PATH:{path})"
        ))),
        None => Ok(()),
    }
}

/// The host's half.
///
/// # Errors
/// `NotImplemented` naming the flag.
pub fn host(host: &HostConfig) -> Result<()> {
    refuse(filled(&host.volumes_from), "--volumes-from")?;
    refuse(!host.cgroup.is_empty(), "sharing another container's cgroup")?;
    Ok(())
}
