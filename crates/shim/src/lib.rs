//! The shim: parent of one container.
//!
//! [`protocol`] is what it and the daemon say to each other; [`program`] is what the process does. It owns the
//! container's standard streams, its log, its exit status and its execs, so that a daemon may come and go.
//! One thread, one epoll loop ([`shim`]), no async; its memory is every container's memory, so buffers exist only while
//! there is something in them.

mod client;
mod control;
mod directory;
mod external;
mod facts;
pub mod frame;
mod input;
mod launch;
pub mod log;
mod outbox;
mod pipes;
mod poller;
mod probe;
pub mod program;
pub mod protocol;
mod requests;
#[cfg(test)]
mod scratch;
mod session;
mod shim;
pub mod stream;
