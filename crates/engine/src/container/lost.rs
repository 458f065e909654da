//! When a shim is gone without a word: find out how its container ended, and end what is left of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shim::protocol::{EXIT_FILE, Exited};
use values::Timestamp;

use super::handle::{Container, Mail};
use super::state::Fact;
use crate::shared::{Shared, blocking};

/// Posts how the container ended. The shim wrote the exit down before it told of it, so a file there is the truth.
pub async fn recover(shared: Arc<Shared>, container: Arc<Container>, directory: PathBuf) {
    let path = shared.cgroup_path(&container.id);
    let id = container.id.clone();
    let fact = blocking(move || {
        end_cgroup(&path);
        let fact = recorded_exit(&directory);
        let _ = std::fs::remove_dir_all(&directory);
        Ok(fact)
    })
    .await
    .ok()
    .flatten();
    if fact.is_none() {
        tracing::warn!("container {id}: its shim ended unexpectedly; the container was killed");
    }
    container.post(Mail::Fact(fact.unwrap_or(Fact::Lost { at: Timestamp::now() })));
}

/// The exit which the shim in `directory` wrote down.
pub fn recorded_exit(directory: &Path) -> Option<Fact> {
    let text = std::fs::read(directory.join(EXIT_FILE)).ok()?;
    let exited: Exited = serde_json::from_slice(&text).ok()?;
    Some(Fact::Exited { code: exited.code, oom: exited.oom, at: exited.at })
}

/// Kills what is in a container's cgroup and removes it.
pub fn end_cgroup(path: &str) {
    let Ok(cgroup) = cgroup::Cgroup::open(path) else { return };
    if let Err(e) = cgroup.kill_all().and_then(|()| cgroup.remove()) {
        tracing::warn!("cgroup {path}: {e}");
    }
}
