//! Who is about to mount layers, and which are being exchanged: never both.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use values::{Digest, Error, Result};

use crate::images::Images;

#[derive(Default)]
pub(crate) struct Traffic {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    exchanged: HashSet<Digest>,
    /// How many are inside a layer.
    inside: HashMap<Digest, usize>,
}

/// Layers that are not exchanged while this lives.
pub struct Inside {
    images: Arc<Images>,
    layers: Vec<Digest>,
}

/// A layer that nobody enters while this lives.
pub(crate) struct Exchange<'a> {
    traffic: &'a Traffic,
    layer: Digest,
}

/// An exchange is two renames and a sync.
const PATIENCE: Duration = Duration::from_secs(30);

impl Traffic {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` while somebody is inside, or another exchanges it.
    pub(crate) fn exchange(&self, layer: &Digest) -> Option<Exchange<'_>> {
        let mut state = self.state();
        let is_free = !state.inside.contains_key(layer) && state.exchanged.insert(layer.clone());
        is_free.then(|| Exchange { traffic: self, layer: layer.clone() })
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.traffic.state().exchanged.remove(&self.layer);
        self.traffic.changed.notify_all();
    }
}

impl Images {
    /// To be held while layers are mounted and, where that mount is not a running container's, as long as it is used.
    ///
    /// # Errors
    /// `Unavailable` where one of them has been in repair for half a minute.
    pub fn enter(self: &Arc<Self>, layers: &[Digest]) -> Result<Inside> {
        let state = self.traffic.state();
        let busy = |state: &mut State| layers.iter().any(|layer| state.exchanged.contains(layer));
        let waited = self.traffic.changed.wait_timeout_while(state, PATIENCE, busy);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(Error::unavailable("a layer is being repaired: try again"));
        }
        for layer in layers {
            *state.inside.entry(layer.clone()).or_default() += 1;
        }
        drop(state);
        Ok(Inside { images: self.clone(), layers: layers.to_vec() })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut state = self.images.traffic.state();
        for layer in &self.layers {
            if let Some(count) = state.inside.get_mut(layer) {
                *count -= 1;
                if *count == 0 {
                    state.inside.remove(layer);
                }
            }
        }
    }
}
