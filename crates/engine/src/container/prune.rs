//! `container prune`: every container that does not run, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::Filters;
use api::types::ContainersPruneResponse;
use values::{Error, Result};

use super::handle::Container;
use super::record::Record;
use super::remove;
use super::state::Phase;
use crate::prune::Wanted;
use crate::shared::{Shared, blocking};

/// Whether a prune is under way: two at once would only get in each other's way.
#[derive(Default)]
pub struct Pruning(AtomicBool);

struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Pruning {
    fn begin(&self) -> Result<Turn<'_>> {
        match self.0.swap(true, Ordering::AcqRel) {
            false => Ok(Turn(&self.0)),
            true => Err(Error::conflict("a prune operation is already running")),
        }
    }
}

/// # Errors
/// `InvalidArgument` for a filter that is none; `Conflict` while another prune goes on.
pub async fn prune(shared: &Arc<Shared>, filters: &Filters) -> Result<ContainersPruneResponse> {
    let _turn = shared.pruning.begin()?;
    let wanted = Wanted::by(filters, &[])?;
    let mut pruned = ContainersPruneResponse::default();
    for container in shared.registry.all() {
        if rests(&container) && is_wanted(&container.record(), &wanted) {
            let size = size(shared, &container).await;
            // one that was started or removed meanwhile is let be
            if let Err(e) = remove::remove(&container, container.id.as_str(), false, false).await {
                tracing::warn!("prune: {e}");
                continue;
            }
            pruned.space_reclaimed += size;
            pruned.containers_deleted.get_or_insert_default().push(container.id.to_string());
        }
    }
    let attributes = [("reclaimed".to_owned(), pruned.space_reclaimed.to_string())].into();
    shared.events.emit("container", "prune", "", attributes);
    Ok(pruned)
}

fn rests(container: &Container) -> bool {
    matches!(container.state().phase, Phase::Created | Phase::Exited | Phase::Dead)
}

fn is_wanted(record: &Record, wanted: &Wanted) -> bool {
    wanted.has(record.created, |key| record.config.labels.as_ref()?.get(key).map(String::as_str))
}

/// Bytes of its writable layer; unknown counts as none.
async fn size(shared: &Arc<Shared>, container: &Container) -> u64 {
    let (shared, id) = (shared.clone(), container.id.clone());
    blocking(move || shared.snapshots.usage(id.as_str())).await.map_or(0, |usage| usage.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let pruning = Pruning::default();
        let turn = pruning.begin();
        assert!(turn.is_ok());
        assert_eq!(pruning.begin().err().map(|e| e.message).as_deref(), Some("a prune operation is already running"));
        drop(turn);
        assert!(pruning.begin().is_ok());
    }
}
