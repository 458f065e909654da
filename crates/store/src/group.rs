//! Group commit: of the threads that wait for the disk, one syncs for all.

use std::sync::{Condvar, Mutex, PoisonError};

#[derive(Default)]
struct State {
    /// All commits up to this number are on the disk.
    synced: u64,
    running: bool,
}

#[derive(Default)]
pub(crate) struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

impl Group {
    /// Waits until commit `number` is on the disk. `sync` syncs whatever is written when it is called and says up to
    /// which commit that was; it is called by one thread at a time.
    pub(crate) fn wait<E>(&self, number: u64, sync: impl Fn() -> Result<u64, E>) -> Result<(), E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.synced < number {
            if state.running {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            drop(state);
            let result = sync();
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            self.changed.notify_all();
            state.synced = state.synced.max(result?);
        }
        Ok(())
    }

    /// Commits up to `number` came to the disk in another way.
    pub(crate) fn reached(&self, number: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.synced = state.synced.max(number);
        self.changed.notify_all();
    }
}
