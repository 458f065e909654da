use std::sync::atomic::{AtomicBool, Ordering};

/// Tells other threads that it is over, also where an assertion fails: a scope waits for them before it tells of the failure.
pub struct AtEnd<'a>(pub &'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
