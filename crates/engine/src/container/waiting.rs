//! What a container keeps others waiting for, and since when.

use std::path::Path;
use std::sync::PoisonError;

use values::{Error, ErrorKind, Result, Timestamp};

use super::handle::Container;
use crate::shim_link;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// An answer of its shim.
    Answer,
    /// Its end, after it was killed.
    End,
}

/// The oldest thing that did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    what: What,
    since: Timestamp,
    /// Whose doing it is; 0 where that is not known.
    pid: i32,
}

impl Waiting {
    /// The shim `pid` was asked something at `since`.
    pub fn for_answer(since: Timestamp, pid: i32) -> Self {
        Self { what: What::Answer, since, pid }
    }

    /// The process `pid` was killed at `since`.
    pub fn for_end(since: Timestamp, pid: i32) -> Self {
        Self { what: What::End, since, pid }
    }

    /// `its shim has not answered since 2026-01-01T00:00:00Z: process 7 is stopped`
    pub fn text(&self) -> String {
        let since = self.since.to_rfc3339_nano();
        let what = match self.what {
            What::Answer => "its shim has not answered",
            What::End => "it was killed and has not ended",
        };
        let why = if self.pid > 0 { format!(": {}", sys::waiting::describe(self.pid)) } else { String::new() };
        format!("{what} since {since}{why}")
    }
}

impl Container {
    /// What somebody waits for now.
    pub fn waits_for(&self) -> Option<Waiting> {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes it unless it is known since earlier; returns what is noted.
    pub fn wait_for(&self, new: Waiting) -> Waiting {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match *waiting {
            Some(old) if old.what == new.what => old,
            _ => *waiting.insert(new),
        }
    }

    /// Its shim has said something.
    pub fn heard(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take_if(|w| w.what == What::Answer);
    }

    /// It has ended, or begun anew.
    pub fn waits_no_more(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The outcome of a question asked of its shim at `asked`: where no answer came, with what the shim does instead.
    pub async fn answered<T>(&self, asked: Timestamp, directory: &Path, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(e) if e.kind == ErrorKind::Unavailable => {
                let pid = shim_link::peer(directory).await.unwrap_or(0);
                Err(self.unavailable(Waiting::for_answer(asked, pid)))
            }
            other => {
                self.heard();
                other
            }
        }
    }

    pub fn unavailable(&self, new: Waiting) -> Error {
        Error::unavailable(format!("container {}: {}", self.id, self.wait_for(new).text()))
    }
}
