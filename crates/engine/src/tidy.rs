//! Gives memory back that a burst of work has left free, once it is quiet again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// Quiet is: no container ended for so long. By then the threads that worked are gone, and with them what they cached.
const QUIET: Duration = Duration::from_secs(4);

/// To be told when something ended that took memory.
#[derive(Clone, Default)]
pub struct Tidy(Arc<Notify>);

impl Tidy {
    /// Begins to tidy, in a task that sleeps while nothing happens.
    pub fn start() -> Self {
        let tidy = Self::default();
        let told = tidy.0.clone();
        tokio::spawn(async move {
            loop {
                told.notified().await;
                while tokio::time::timeout(QUIET, told.notified()).await.is_ok() {}
                // a page of a free chunk in the middle of the heap goes back, too
                sys::memory::trim();
            }
        });
        tidy
    }

    pub fn soon(&self) {
        self.0.notify_one();
    }
}
