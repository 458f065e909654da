//! Reads the logs which the shims write: json-file lines in a file and its rotated generations `<path>.1`, `<path>.2`, …
//!
//! [`LogReader`] gives what `GET /containers/ID/logs` answers: chunks of bytes, already framed and prefixed. The
//! decoding is plain synchronous code over byte slices ([`Scan`](scan::Scan)); the async part only moves it to a
//! blocking thread and waits for inotify. One [`Watcher`] (one inotify instance) serves all readers of a process.

mod chain;
mod encoder;
mod entry;
mod options;
mod reader;
mod scan;
mod watcher;

pub use options::Options;
pub use reader::LogReader;
pub use watcher::{Subscription, Watcher};
