//! Links of containers that have ended, until they are gone.
//!
//! Links go with their namespace, unasked and for nothing. But that may live on: somebody else is in it (a container that
//! joined it, a debugger), or the kernel still tries to say goodbye on its connections, for minutes. The addresses are free, and
//! soon another's: after a while such links are taken away.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use network::{Endpoint, Networks};

use crate::shared::{Shared, blocking};

/// Within this a namespace that nobody is in has ended.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct Lingering(Mutex<BTreeSet<String>>);

impl Lingering {
    fn links(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the links of these places away if they are still there in a while.
pub fn sweep_later(shared: &Shared, endpoints: &[Endpoint]) {
    let names = endpoints.iter().map(|e| e.host_ifname.clone());
    let links: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    if links.is_empty() {
        return;
    }
    shared.lingering.links().extend(links.iter().cloned());
    let (networks, lingering) = (shared.networks.clone(), shared.lingering.clone());
    tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        lingering.links().retain(|link| !links.contains(link));
        sweep(networks, links).await;
    });
}

/// Takes away at once what would be taken later: the daemon ends.
pub async fn sweep_now(shared: &Shared) {
    let links: Vec<String> = std::mem::take(&mut *shared.lingering.links()).into_iter().collect();
    if !links.is_empty() {
        sweep(shared.networks.clone(), links).await;
    }
}

async fn sweep(networks: Arc<Networks>, links: Vec<String>) {
    if let Err(e) = blocking(move || networks.sweep(&links)).await {
        tracing::warn!("links of a container that has ended may be left: {e}");
    }
}
