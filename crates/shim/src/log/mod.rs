//! The container's log, in the json-file format of Docker, written by the shim: so it has no hole while the daemon is
//! away. The reading side is the crate `logging`.

pub mod compress;
mod escape;
mod file;
pub mod queue;
mod sink;
mod stamp;
mod writer;

pub use file::Bounds;
pub use writer::{ENTRY, LogWriter};
