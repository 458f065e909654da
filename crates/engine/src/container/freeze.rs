//! Pausing: the container's cgroup is frozen, its processes know nothing of it.

use std::sync::Arc;
use std::time::Duration;

use values::{Error, Result, ResultExt};

use super::handle::Container;
use crate::shared::Shared;

/// A process stuck in the kernel cannot be frozen: after this long the pause is taken back and refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// Freezes or thaws all processes of the container.
pub async fn set(shared: &Arc<Shared>, container: &Container, freeze: bool) -> Result<()> {
    let path = shared.cgroup_path(&container.id);
    let work = move || {
        let cgroup = cgroup::Cgroup::open(&path)?;
        if freeze { cgroup.freeze(PATIENCE) } else { cgroup.thaw() }
    };
    let outcome = tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal(e.to_string()))?;
    outcome.during(|| format!("Cannot {} container {}", if freeze { "pause" } else { "unpause" }, container.id))
}
