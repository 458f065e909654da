//! What this process does for running containers' networks: tasks, each of which ends with its container.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use network::{Networks, Passage, Relay};
use values::Id;

use crate::dns;
use crate::relay::{Group, Relays};

#[derive(Default)]
pub struct Serving {
    served: Mutex<HashMap<Id, Served>>,
    relays: Relays,
    /// Held by whoever changes other containers' files.
    following: Mutex<()>,
}

/// What is there for one container, from its start to its end. Who comes too late with more, because the container ended
/// while it was made, finds nothing here and leaves nothing behind.
#[derive(Default)]
struct Served {
    relays: Option<Group>,
    dns: Option<dns::Served>,
    passages: Vec<Passage>,
    /// Where it is on the default bridge, once that was told.
    place: Option<Ipv4Addr>,
}

impl Serving {
    /// The container starts, or was found running.
    pub fn begin(&self, container: &Id) {
        lock(&self.served).entry(container.clone()).or_default();
    }

    /// It has been told where those are that it is linked to, or who is linked to it where it is: from now on it is found there.
    pub fn is_at(&self, container: &Id, ip: Ipv4Addr) {
        if let Some(served) = lock(&self.served).get_mut(container) {
            served.place = Some(ip);
        }
    }

    pub fn place(&self, container: &Id) -> Option<Ipv4Addr> {
        lock(&self.served).get(container)?.place
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

    /// Serves what the kernel cannot pass on, and nothing else of the container.
    pub fn relay(&self, container: &Id, relays: Vec<Relay>) {
        if relays.is_empty() {
            return;
        }
        match self.relays.begin(relays) {
            // of one that has ended it is dropped here
            Ok(group) => drop(lock(&self.served).get_mut(container).map(|served| served.relays.replace(group))),
            Err(e) => tracing::error!("serving the ports of container {container}: {e}"),
        }
    }

    /// Ends what is served for the container, and closes the ways of its links.
    pub fn end(&self, networks: &Networks, container: &Id) {
        let mut all = lock(&self.served);
        let Some(served) = all.remove(container) else { return };
        close(networks, container, &served.passages);
        drop(all);
    }

    /// Keeps what serves the container's questions for names.
    pub fn dns(&self, container: &Id, dns: dns::Served) {
        if let Some(served) = lock(&self.served).get_mut(container) {
            served.dns = Some(dns);
        }
    }

    /// Two targets that start at once change the files of a container that is linked to both one after the other.
    pub fn following(&self) -> MutexGuard<'_, ()> {
        lock(&self.following)
    }

    pub fn has_dns(&self, container: &Id) -> bool {
        lock(&self.served).get(container).is_some_and(|served| served.dns.is_some())
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

    /// From now on the ports are free.
    pub fn end_relays(&self, container: &Id) {
        let ended = lock(&self.served).get_mut(container).and_then(|served| served.relays.take());
        drop(ended);
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
