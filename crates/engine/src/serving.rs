//! What this process does for running containers' networks: tasks, each of which ends with its container.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use network::{Networks, Passage, Relay};
use tokio::task::JoinHandle;
use values::Id;

use crate::relay;

#[derive(Default)]
pub struct Serving {
    served: Mutex<HashMap<Id, Served>>,
    /// Held by whoever changes other containers' files.
    following: Mutex<()>,
    /// Told to end; their sockets are closed when they have.
    ending: Mutex<Vec<JoinHandle<()>>>,
}

/// What is there for one container, from its start to its end. Who comes too late with more, because the container ended
/// while it was made, finds nothing here and leaves nothing behind.
#[derive(Default)]
struct Served {
    relays: Vec<JoinHandle<()>>,
    dns: Vec<JoinHandle<()>>,
    passages: Vec<Passage>,
}

impl Serving {
    /// The container starts, or was found running.
    pub fn begin(&self, container: &Id) {
        lock(&self.served).entry(container.clone()).or_default();
    }

    /// Runs `work` unless the container has ended; it does not end meanwhile. Answers whether it was run.
    pub fn while_live(&self, container: &Id, work: impl FnOnce()) -> bool {
        let served = lock(&self.served);
        let live = served.contains_key(container);
        if live {
            work();
        }
        live
    }

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
        match lock(&self.served).get_mut(container) {
            Some(served) => served.relays.extend(begun),
            None => self.finish(begun),
        }
    }

    /// Tells all tasks of the container to end, and closes the ways of its links.
    pub fn end(&self, networks: &Networks, container: &Id) {
        let mut all = lock(&self.served);
        let Some(served) = all.remove(container) else { return };
        close(networks, container, &served.passages);
        drop(all);
        self.finish(served.relays);
        served.dns.iter().for_each(JoinHandle::abort);
    }

    /// Keeps what serves the container's questions for names.
    pub fn dns(&self, container: &Id, tasks: Vec<JoinHandle<()>>) {
        let before = match lock(&self.served).get_mut(container) {
            Some(served) => std::mem::replace(&mut served.dns, tasks),
            None => tasks,
        };
        before.iter().for_each(JoinHandle::abort);
    }

    /// Two targets that start at once change the files of a container that is linked to both one after the other.
    pub fn following(&self) -> MutexGuard<'_, ()> {
        lock(&self.following)
    }

    pub fn has_dns(&self, container: &Id) -> bool {
        lock(&self.served).get(container).is_some_and(|served| !served.dns.is_empty())
    }

    /// Opens the ways of the container's links, in place of those that were open.
    pub fn open(&self, networks: &Networks, container: &Id, passages: Vec<Passage>) {
        // not let go until it is done: the container may end
        let mut all = lock(&self.served);
        let Some(served) = all.get_mut(container).filter(|served| served.passages != passages) else { return };
        close(networks, container, &served.passages);
        if let Err(e) = networks.open_passages(&passages) {
            tracing::error!("opening the links of container {container}: {e}");
        }
        served.passages = passages;
    }

    pub fn end_relays(&self, container: &Id) {
        let tasks = lock(&self.served).get_mut(container).map(|served| std::mem::take(&mut served.relays));
        self.finish(tasks.unwrap_or_default());
    }

    fn finish(&self, tasks: Vec<JoinHandle<()>>) {
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

fn close(networks: &Networks, container: &Id, passages: &[Passage]) {
    if !passages.is_empty()
        && let Err(e) = networks.close_passages(passages)
    {
        tracing::error!("closing the links of container {container}: {e}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
