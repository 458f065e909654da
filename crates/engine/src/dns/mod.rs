//! Names of containers for containers: a server at 127.0.0.11 in each that is on a network of its own.
//!
//! The sockets are made in the container's namespace (`network::dns`) and served here. What is no container's name is
//! asked of the servers outside.

mod datagrams;
mod lines;
pub mod message;
pub mod names;
mod server;
mod share;
mod threads;
mod upstream;

pub use names::Names;
pub use server::{Served, serve};
pub use threads::Threads;
pub use upstream::{Upstream, probe};
