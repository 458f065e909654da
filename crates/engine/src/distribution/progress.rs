//! What Docker's clients are told while layers move: a message for each change, figures not too often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::progress::{JsonMessage, ProgressDetail};
use tokio::sync::mpsc::UnboundedSender;
use values::Digest;

/// Between two figures of one layer.
const EVERY: Duration = Duration::from_millis(100);

/// Messages about one layer.
#[derive(Clone)]
pub struct Layer {
    id: String,
    messages: UnboundedSender<JsonMessage>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Layer {
    pub fn new(digest: &Digest, messages: &UnboundedSender<JsonMessage>) -> Self {
        Self { id: digest.short().into(), messages: messages.clone(), last: Arc::default() }
    }

    pub fn status(&self, status: impl Into<String>) {
        // a client that left is noticed elsewhere
        let _ = self.messages.send(JsonMessage::progress(&self.id, status, ProgressDetail::default()));
    }

    /// Tells how far it is, unless it was told just now.
    pub fn figure(&self, status: &str, current: u64, total: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        *last = Some(Instant::now());
        self.exactly(status, current, total);
    }

    pub fn exactly(&self, status: &str, current: u64, total: u64) {
        let (current, total) = (current as i64, total as i64);
        let detail = ProgressDetail { current, total, ..ProgressDetail::default() };
        let _ = self.messages.send(JsonMessage::progress(&self.id, status, detail));
    }

    pub fn retrying(&self, pause: Duration) {
        let seconds = pause.as_secs_f64().ceil().max(1.0) as u64;
        self.status(format!("Retrying in {seconds} second{}", if seconds == 1 { "" } else { "s" }));
    }
}
