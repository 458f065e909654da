//! Removing everything of a container. Each step may have been done already by an earlier, interrupted try.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sys::crash;
use tokio::task::JoinHandle;
use values::{Error, Result};

use super::handle::{Container, Mail};
use super::state::{Ask, Fact, Phase, Refusal};
use crate::cgroup_parents;
use crate::shared::{Shared, blocking};

/// After a removal that failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Ends as `Removed` or `RemoveFailed`.
pub async fn delete(shared: Arc<Shared>, container: Arc<Container>, closing: Option<JoinHandle<()>>) {
    container.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    let fact = match erase(&shared, &container).await {
        Ok(()) => {
            if container.record().host.auto_remove {
                shared.departed.note(container.id.clone(), container.state().last_code);
            }
            shared.registry.remove(&container.id);
            shared.execs.container_removed(&container.id);
            Fact::Removed
        }
        Err(e) => {
            tracing::warn!("cannot remove container {}: {e}; it is tried again", container.id);
            try_again(container.clone());
            Fact::RemoveFailed
        }
    };
    let gone = matches!(fact, Fact::Removed);
    container.post(Mail::Fact(fact));
    if gone && cgroup_parents::has_own(&shared, &container.record()) {
        if let Some(closing) = closing {
            let _ = closing.await;
        }
        let tidied = blocking(move || shared.cgroup_parents.tidy(&shared)).await;
        if let Err(e) = tidied {
            tracing::warn!("control groups above that of container {} are left: {e}", container.id);
        }
    }
}

/// A full disk has room again some day, descriptors are given back.
fn try_again(container: Arc<Container>) {
    tokio::spawn(async move {
        tokio::time::sleep(AGAIN).await;
        // refused where somebody else does it already
        let _ = container.ask(Ask::Remove { force: false }).await;
    });
}

async fn erase(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<()> {
    // who is changing the record has done so first: written later, it would be there again
    let _turn = container.changing.lock().await;
    let (shared, id, record) = (shared.clone(), container.id.clone(), container.record());
    // a process that could not be set up nor killed then may have ended since
    let never_came_up = !container.state().error.is_empty();
    let takes_volumes = record.host.auto_remove || container.takes_volumes.load(Ordering::Relaxed);
    blocking(move || {
        crash::point("remove.begun");
        if never_came_up {
            super::lost::end_cgroup(&shared.cgroup_path(&id));
        }
        record.all_images().for_each(|image| shared.image_used(image));
        super::mounts::images::close(&shared, &id, &record.images)?;
        crash::point("remove.mounts-gone");
        shared.snapshots.remove(id.as_str())?;
        crash::point("remove.snapshot-gone");
        shared.remove_directories(&id)?;
        crash::point("remove.directories-gone");
        if takes_volumes {
            crate::volumes::remove_anonymous(&shared, &record)?;
            crash::point("remove.volumes-gone");
        }
        // last: until here a restarted daemon knows what it has to remove
        shared.records.delete(&id)?;
        crash::point("remove.record-gone");
        if let Err(e) = shared.images.release() {
            // the next removal of an image does it
            tracing::debug!("layers kept for container {id} are not released: {e}");
        }
        Ok(())
    })
    .await
}

/// `DELETE /containers/{id}`: waits until it is gone. `asked` is what the user called it; `volumes`: those that were made
/// for it go, too.
pub async fn remove(container: &Arc<Container>, asked: &str, force: bool, volumes: bool) -> Result<()> {
    if volumes {
        container.takes_volumes.store(true, Ordering::Relaxed);
    }
    let name = container.name();
    let refused = |what: &str| Error::conflict(format!("cannot remove container \"{name}\": {what}"));
    match container.ask(Ask::Remove { force }).await? {
        Ok(_) => {}
        Err(Refusal::RunningPaused) => {
            return Err(refused("container is paused and must be unpaused first"));
        }
        Err(Refusal::RunningRestarting) => {
            return Err(refused("container is restarting: stop the container before removing or force remove"));
        }
        Err(Refusal::Running) => {
            return Err(refused("container is running: stop the container before removing or force remove"));
        }
        Err(Refusal::RemovalInProgress) if force => {}
        Err(_) => return Err(Error::conflict(format!("removal of container {asked} is already in progress"))),
    }
    let ended = container.until(|s| matches!(s.phase, Phase::Gone | Phase::Dead));
    match tokio::time::timeout(Duration::from_secs(60), ended).await {
        Ok(state) if state.phase == Phase::Dead => Err(Error::internal(format!(
            "container {} could not be removed whole; the daemon's log says why",
            container.id
        ))),
        Ok(_) => Ok(()),
        Err(_) => Err(Error::internal(format!(
            "container {} has not ended for 60 seconds after SIGKILL{}; it is removed as soon as it does",
            container.id,
            container.waits_for().map_or_else(String::new, |w| format!(" ({})", w.text()))
        ))),
    }
}
