//! `container prune`: every container that does not run, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::Filters;
use api::types::ContainersPruneResponse;
use values::{Error, Result, Timestamp};

use super::handle::Container;
use super::record::Record;
use super::remove;
use super::state::Phase;
use crate::prune::until;
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
    filters.validate(&["label", "label!", "until"])?;
    let until = until(filters, Timestamp::now())?;
    let mut pruned = ContainersPruneResponse::default();
    for container in shared.registry.all() {
        if rests(&container) && wanted(&container.record(), filters, until) {
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

fn wanted(record: &Record, filters: &Filters, until: Option<Timestamp>) -> bool {
    let label = |key: &str| record.config.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let spared = filters.contains("label!") && filters.matches_labels("label!", label);
    until.is_none_or(|until| record.created <= until) && filters.matches_labels("label", label) && !spared
}

/// Bytes of its writable layer; unknown counts as none.
async fn size(shared: &Arc<Shared>, container: &Container) -> u64 {
    let (shared, id) = (shared.clone(), container.id.clone());
    blocking(move || shared.snapshots.usage(id.as_str())).await.map_or(0, |usage| usage.bytes)
}
