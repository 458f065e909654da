//! What this process does for running containers' networks: tasks, each of which ends with its container.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use network::Relay;
use tokio::task::JoinHandle;
use values::Id;

use crate::relay;

#[derive(Default)]
pub struct Serving {
    relays: Mutex<HashMap<Id, Vec<JoinHandle<()>>>>,
    /// Told to end; their sockets are closed when they have.
    ending: Mutex<Vec<JoinHandle<()>>>,
}

impl Serving {
    /// Serves what the kernel cannot pass on.
    pub fn relay(&self, container: &Id, relays: Vec<Relay>) {
        if relays.is_empty() {
            return;
        }
        let begun = relays.into_iter().filter_map(|relay| match relay::start(relay) {
            Ok(task) => Some(task),
            Err(e) => {
                tracing::error!("serving a port of container {container}: {e}");
                None
            }
        });
        let begun: Vec<_> = begun.collect();
        lock(&self.relays).entry(container.clone()).or_default().extend(begun);
    }

    /// Tells all tasks of the container to end.
    pub fn end(&self, container: &Id) {
        self.end_relays(container);
    }

    pub fn end_relays(&self, container: &Id) {
        let tasks = lock(&self.relays).remove(container).unwrap_or_default();
        tasks.iter().for_each(JoinHandle::abort);
        let mut ending = lock(&self.ending);
        ending.retain(|task| !task.is_finished());
        ending.extend(tasks);
    }

    /// Waits until the ports of those that were told to end are free.
    pub async fn settled(&self) {
        let ending = std::mem::take(&mut *lock(&self.ending));
        for task in ending {
            let _ = task.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
