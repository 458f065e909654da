//! What Docker can do and this engine cannot yet: each is refused by its flag's name.

use api::types::HostConfig;
use values::{Error, Result};

fn refuse(asked: bool, flag: &str) -> Result<()> {
    if asked { Err(Error::not_implemented(format!("{flag} is not supported yet"))) } else { Ok(()) }
}

/// The host's half.
///
/// # Errors
/// `NotImplemented` naming the flag.
pub fn host(host: &HostConfig) -> Result<()> {
    refuse(!host.cgroup.is_empty(), "sharing another container's cgroup")
}
