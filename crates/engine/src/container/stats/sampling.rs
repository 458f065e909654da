//! Who measures, and when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cgroup::{Cgroup, Host};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use values::{Id, Result};

use super::sample::{Sample, Subject};
use crate::container::Container;
use crate::container::modes::NetworkMode;
use crate::container::state::Phase;
use crate::shared::{Shared, blocking};

/// Time between two samples of a watched container.
const INTERVAL: Duration = Duration::from_secs(1);
/// Over which the use of the processor is measured where a client wants one answer soon. As long as the usual period of a
/// quota: a throttled container shows what it gets, wherever in its period it is caught.
pub const WINDOW: Duration = Duration::from_millis(100);
/// So many samples are taken at once: reading is short, and a hundred threads for it would not make it shorter.
const AT_ONCE: usize = 2;

type Published = watch::Sender<Option<Arc<Sample>>>;

/// All samplers.
pub struct Sampling {
    /// The samplers' outlets: a container is here while it is watched.
    watched: Mutex<HashMap<Id, Arc<Published>>>,
    lane: Semaphore,
    host: OnceLock<Host>,
    /// All samplers keep the same step: one waking serves them all.
    epoch: Instant,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { watched: Mutex::default(), lane: Semaphore::new(AT_ONCE), host: OnceLock::new(), epoch: Instant::now() }
    }
}

impl Sampling {
    /// The last sample of a container that is watched.
    pub fn latest(&self, id: &Id) -> Option<Arc<Sample>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).get(id)?.borrow().clone()
    }

    fn next_step(&self) -> Instant {
        let steps = self.epoch.elapsed().as_nanos() / INTERVAL.as_nanos() + 1;
        self.epoch + INTERVAL * u32::try_from(steps).unwrap_or(u32::MAX)
    }

    fn host(&self) -> Result<&Host> {
        if self.host.get().is_none() {
            let _ = self.host.set(Host::detect()?);
        }
        self.host.get().ok_or_else(|| values::Error::internal("no control groups"))
    }

    /// Ends the sampler if nobody watches any more. Under the lock, where watchers come, too.
    fn end(&self, id: &Id, published: &Published) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let over = published.receiver_count() == 0;
        if over {
            watched.remove(id);
        }
        over
    }

    fn forget(&self, id: &Id) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// Joins those who watch a container; the first makes its sampler. The outlet closes when the container is removed.
pub fn watch(shared: &Arc<Shared>, container: &Arc<Container>) -> watch::Receiver<Option<Arc<Sample>>> {
    let mut watched = shared.sampling.watched.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(published) = watched.get(&container.id) {
        return published.subscribe();
    }
    let (published, samples) = watch::channel(None);
    let published = Arc::new(published);
    watched.insert(container.id.clone(), published.clone());
    tokio::spawn(sample(shared.clone(), container.clone(), published));
    samples
}

/// Measures a container every second while it exists and somebody watches.
async fn sample(shared: Arc<Shared>, container: Arc<Container>, published: Arc<Published>) {
    let sampling = &shared.sampling;
    loop {
        let sample = take(&shared, &container, Part::Whole).await.unwrap_or_else(|e| {
            tracing::warn!("statistics of container {}: {e}", container.id);
            None
        });
        published.send_replace(sample);
        tokio::select! {
            () = tokio::time::sleep_until(sampling.next_step()) => {}
            () = published.closed() => {}
            _ = container.until(|state| state.phase == Phase::Gone) => return sampling.forget(&container.id),
        }
        if sampling.end(&container.id, &published) {
            return;
        }
    }
}

/// How much of a sample is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// The use of the processor alone.
    Cpu,
}

/// One measurement; `None` while the container does not run.
pub async fn take(shared: &Arc<Shared>, container: &Arc<Container>, part: Part) -> Result<Option<Arc<Sample>>> {
    let state = container.state();
    if !state.is_running() {
        return Ok(None);
    }
    let _turn = shared.sampling.lane.acquire().await;
    let record = container.record();
    let network = !matches!(record.network(), NetworkMode::Host);
    let (shared, pid, path) = (shared.clone(), state.pid, shared.cgroup_path(&container.id));
    let sample = blocking(move || match Cgroup::open_on(shared.sampling.host()?, &path) {
        Ok(cgroup) => Subject { pid, cgroup, network, cpu_only: part == Part::Cpu }.measure(),
        Err(e) if e.kind == values::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    });
    Ok(sample.await?.map(Arc::new))
}
