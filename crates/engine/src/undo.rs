//! What takes back the steps of something that did not come to its end.

/// Steps to be undone, last first, unless [`Undo::commit`] is reached. Also runs when the caller goes away in between.
#[derive(Default)]
pub struct Undo(Vec<Box<dyn FnOnce() + Send>>);

impl Undo {
    pub fn push(&mut self, step: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(step));
    }

    /// Everything is done and owned by someone: nothing is undone any more.
    pub fn commit(mut self) {
        self.0.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        for step in self.0.drain(..).rev() {
            step();
        }
    }
}
