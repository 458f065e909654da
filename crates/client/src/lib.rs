//! The client of the Engine API: generic over [`api::Endpoint`], blocking, over unix sockets and TCP.
//!
//! Blocking, because a command makes a handful of requests and must cost less than a millisecond: no runtime is set up,
//! no thread is started. Many requests at once need neither: [`Client::send`] writes them all, each on its own
//! connection, and [`Pending::wait`] collects the answers. HTTP is the little of RFC 9112 that a client needs.
//!
//! Versions: requests are sent with the newest version we know; a daemon that refuses it says which it speaks
//! (`Api-Version`), and the request is repeated once with that. What must not be sent twice asks first (`HEAD /_ping`).

mod client;
mod connection;
mod error;
mod hijacked;
mod host;
mod objects;
mod reply;

pub use client::{Accepted, Client, Pending, Starter};
pub use connection::Socket;
pub use error::Error;
pub use hijacked::{Hijacked, ReadHalf, WriteHalf};
pub use host::Host;
pub use objects::Objects;
pub use reply::{Head, Reply};
