//! What this process does for running containers' networks: tasks, each of which ends with its container.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use network::{Networks, Passage, Relay};
use tokio::task::JoinHandle;
use values::Id;

use crate::relay;

#[derive(Default)]
pub struct Serving {
    relays: Mutex<HashMap<Id, Vec<JoinHandle<()>>>>,
    dns: Mutex<HashMap<Id, Vec<JoinHandle<()>>>>,
    passages: Mutex<HashMap<Id, Vec<Passage>>>,
    /// Held by whoever changes other containers' files.
    following: Mutex<()>,
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
        let tasks = lock(&self.dns).remove(container).unwrap_or_default();
        tasks.iter().for_each(JoinHandle::abort);
    }

    /// Keeps what serves the container's questions for names.
    pub fn dns(&self, container: &Id, tasks: Vec<JoinHandle<()>>) {
        let before = lock(&self.dns).insert(container.clone(), tasks);
        before.iter().flatten().for_each(JoinHandle::abort);
    }

    /// Two targets that start at once change the files of a container that is linked to both one after the other.
    pub fn following(&self) -> MutexGuard<'_, ()> {
        lock(&self.following)
    }

    pub fn has_dns(&self, container: &Id) -> bool {
        lock(&self.dns).contains_key(container)
    }

    /// Opens the ways of the container's links, in place of those that were open.
    pub fn open(&self, networks: &Networks, container: &Id, passages: Vec<Passage>) {
        if passages.is_empty() && !lock(&self.passages).contains_key(container) {
            return;
        }
        self.close(networks, container);
        if let Err(e) = networks.open_passages(&passages) {
            tracing::error!("opening the links of container {container}: {e}");
        }
        lock(&self.passages).insert(container.clone(), passages);
    }

    pub fn close(&self, networks: &Networks, container: &Id) {
        let Some(passages) = lock(&self.passages).remove(container) else { return };
        if let Err(e) = networks.close_passages(&passages) {
            tracing::error!("closing the links of container {container}: {e}");
        }
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
