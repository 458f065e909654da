//! What a container keeps others waiting for, and since when.

use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use values::{Error, ErrorKind, Result, Timestamp, duration};

use super::handle::Container;
use crate::shim_link;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// An answer of its shim.
    Answer,
    /// Its end, after it was killed.
    End,
    /// Something that its start needs.
    Start(Step),
}

/// What a start waits for, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Until its last life is cleaned up, or who copies files into it has finished.
    Place,
    Network,
    Files,
    /// The shim, or the runtime program that it runs, which make the container.
    Runtime,
}

/// A start that takes longer keeps somebody waiting.
const PROMPT: Duration = Duration::from_secs(1);

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

    /// A start has come to `step` at `since`; `pid` is the shim.
    pub fn for_start(step: Step, since: Timestamp, pid: i32) -> Self {
        Self { what: What::Start(step), since, pid }
    }

    /// `its shim has not answered since 2026-01-01T00:00:00Z: process 7 is stopped`
    pub fn text(&self) -> String {
        let since = self.since.to_rfc3339_nano();
        let what = match self.what {
            What::Answer => "its shim has not answered",
            What::End => "it was killed and has not ended",
            What::Start(step) => {
                let who = || match self.pid {
                    0 => String::new(),
                    pid => format!(": {}", sys::waiting::describe_family(pid)),
                };
                return match step {
                    Step::Place => format!("its start has waited for the place of its last life since {since}"),
                    Step::Network => format!("its start has waited for its network since {since}"),
                    Step::Files => format!("its start has waited for its files and mounts since {since}"),
                    Step::Runtime => format!("its start has waited for its runtime since {since}{}", who()),
                };
            }
        };
        let why = if self.pid > 0 { format!(": {}", sys::waiting::describe(self.pid)) } else { String::new() };
        format!("{what} since {since}{why}")
    }

    /// In a list: `(its shim has not answered for 20 seconds)`.
    pub fn brief(&self, now: Timestamp) -> String {
        let what = match self.what {
            What::Answer => "its shim has not answered",
            What::End => "killed and not ended",
            What::Start(Step::Place) => "waits for the place of its last life",
            What::Start(Step::Network) => "waits for its network",
            What::Start(Step::Files) => "waits for its files and mounts",
            What::Start(Step::Runtime) => "waits for its runtime",
        };
        format!("({what} for {})", duration::human(now.since(self.since).max(Duration::ZERO)).to_lowercase())
    }
}

impl Container {
    /// What somebody waits for now.
    pub fn waits_for(&self) -> Option<Waiting> {
        let waiting = *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.filter(|w| !matches!(w.what, What::Start(_)) || Timestamp::now().since(w.since) > PROMPT)
    }

    /// A start has come this far.
    pub fn start_waits_for(&self, step: Step, pid: i32) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_none_or(|w| matches!(w.what, What::Start(_))) {
            *waiting = Some(Waiting::for_start(step, Timestamp::now(), pid));
        }
    }

    /// A start has ended, well or not.
    pub fn start_waits_no_more(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take_if(|w| matches!(w.what, What::Start(_)));
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
            // it ended while it was asked
            Err(e) if e.kind == ErrorKind::Internal && shim_link::is_gone(directory).await => Err(self.not_running()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let (since, now) = (Timestamp { secs: 100, nanos: 0 }, Timestamp { secs: 130, nanos: 0 });
        for (waiting, text, brief) in [
            (
                Waiting::for_answer(since, 0),
                "its shim has not answered since 1970-01-01T00:01:40Z",
                "(its shim has not answered for 30 seconds)",
            ),
            (
                Waiting::for_end(since, 0),
                "it was killed and has not ended since 1970-01-01T00:01:40Z",
                "(killed and not ended for 30 seconds)",
            ),
            (
                Waiting::for_start(Step::Files, since, 0),
                "its start has waited for its files and mounts since 1970-01-01T00:01:40Z",
                "(waits for its files and mounts for 30 seconds)",
            ),
            (
                Waiting::for_start(Step::Runtime, since, 0),
                "its start has waited for its runtime since 1970-01-01T00:01:40Z",
                "(waits for its runtime for 30 seconds)",
            ),
        ] {
            assert_eq!((waiting.text().as_str(), waiting.brief(now).as_str()), (text, brief));
        }
        let ours = Waiting::for_start(Step::Runtime, since, std::process::id() as i32).text();
        assert!(ours.contains(": process "), "{ours}");
    }
}
