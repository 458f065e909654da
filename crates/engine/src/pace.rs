//! Starts that nobody waits for (restart policies, the daemon's own start) go a few at a time: hundreds at once would take
//! the machine from those who do wait, and would be done no sooner.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::container::state::{Fact, Phase};
use crate::container::{Container, Mail};

/// One that is still starting after this waits for something, and holds nobody else up.
const HOLD: Duration = Duration::from_millis(300);

pub struct Pace(Semaphore);

impl Default for Pace {
    /// As many at a time as there are processors.
    fn default() -> Self {
        Self(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)))
    }
}

impl Pace {
    /// Begins a start when its turn comes, and keeps that turn until it has started, failed, or taken long.
    pub async fn start(&self, container: &Container, begin: impl Future<Output = ()>) {
        let settled = async {
            container.has_read().await;
            container.until(|s| !matches!(s.phase, Phase::Starting { .. })).await;
        };
        self.turn(begin, settled).await;
    }

    /// The same for one that waits for its turn to be restarted: the wait since its end is over.
    pub async fn restart(&self, container: &Container, generation: u64) {
        let begin = async { container.post(Mail::Fact(Fact::BackoffElapsed { generation })) };
        self.start(container, begin).await;
    }

    async fn turn(&self, begin: impl Future<Output = ()>, settled: impl Future<Output = ()>) {
        let Ok(_turn) = self.0.acquire().await else { return };
        begin.await;
        let _ = tokio::time::timeout(HOLD, settled).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_few_at_a_time_and_none_for_ever() {
        let (pace, begun) = (Pace(Semaphore::new(2)), Cell::new(0));
        let begin = || async { begun.set(begun.get() + 1) };
        // two that never settle, and a third
        let turns = async {
            tokio::join!(
                pace.turn(begin(), std::future::pending()),
                pace.turn(begin(), std::future::pending()),
                pace.turn(begin(), async {})
            )
        };
        let look = async {
            tokio::time::sleep(HOLD / 10).await;
            begun.get()
        };
        let (_, early) = tokio::join!(turns, look);
        assert_eq!((early, begun.get()), (2, 3));
    }
}
