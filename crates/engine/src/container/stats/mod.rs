//! `stats`: what a container uses, once or every second.
//!
//! - [`Sample`](sample::Sample) is what was measured at one moment; [`report`](report::report) makes of two of them what the
//!   API says.
//! - [`Sampling`](sampling::Sampling) has one sampler for each container that is watched, however many watch it; where
//!   nobody watches, nothing runs.

mod interfaces;
mod report;
mod sample;
mod sampling;

use std::sync::Arc;

use api::types::Stats;
use tokio::sync::watch;
use values::Result;

use super::handle::Container;
use crate::shared::Shared;
use report::report;
use sample::Sample;
use sampling::Part;
pub use sampling::Sampling;

/// The state of a container at one moment, without waiting for a second sample: `one-shot`.
///
/// # Errors
/// `Internal` when nothing can be read.
pub async fn now(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<Stats> {
    let sample = sampling::take(shared, container, Part::Whole).await?;
    Ok(report(shared, container, sample.as_deref(), None))
}

/// The same with the use of the processor over the last moments.
///
/// # Errors
/// As [`now`].
pub async fn lately(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<Stats> {
    let earlier = match shared.sampling.latest(&container.id) {
        Some(sample) => Some(sample),
        None => sampling::take(shared, container, Part::Cpu).await?,
    };
    if let Some(earlier) = &earlier {
        tokio::time::sleep(sampling::WINDOW.saturating_sub(earlier.taken.elapsed())).await;
    }
    let sample = sampling::take(shared, container, Part::Whole).await?;
    // it may have been started anew between the two
    let earlier = earlier.filter(|earlier| sample.as_ref().is_some_and(|s| s.pid == earlier.pid));
    Ok(report(shared, container, sample.as_deref(), earlier.as_deref()))
}

/// One report a second until the container is removed; zeros while it does not run.
pub struct StatsStream {
    shared: Arc<Shared>,
    container: Arc<Container>,
    samples: watch::Receiver<Option<Arc<Sample>>>,
    earlier: Option<Arc<Sample>>,
}

impl StatsStream {
    pub fn new(shared: &Arc<Shared>, container: &Arc<Container>) -> Self {
        let mut samples = sampling::watch(shared, container);
        // an old sample is no news: without one the first is waited for
        if samples.borrow().is_some() {
            samples.mark_changed();
        }
        Self { shared: shared.clone(), container: container.clone(), samples, earlier: None }
    }

    /// `None` once the container is removed.
    pub async fn next(&mut self) -> Option<Stats> {
        self.samples.changed().await.ok()?;
        let sample = self.samples.borrow_and_update().clone();
        let earlier = self.earlier.take();
        self.earlier.clone_from(&sample);
        Some(report(&self.shared, &self.container, sample.as_deref(), earlier.as_deref()))
    }
}
