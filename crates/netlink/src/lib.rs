//! Netlink, as much of it as a container engine needs: links, addresses and routes (rtnetlink(7)), one private
//! nftables table, and the flows that the kernel follows. Nothing is configured by calling `ip`, `iptables` or `nft`.
//!
//! Three layers, each pure but the middle one:
//! - [`batch`] encodes requests into one buffer, [`parse`] takes answers apart; neither touches the kernel.
//! - [`Socket`] sends a whole batch with one system call and reads the answers.
//! - [`route`], [`nft`] and [`conntrack`] give the messages names: [`route::Veth`], [`nft::Table`].
//!
//! A batch is *not* a transaction for rtnetlink: the kernel goes through all of its messages, also after one failed,
//! and the first error is reported with the label of the step it belongs to. For nftables it is one: all or nothing.
//!
//! A socket belongs for ever to the network namespace of the thread that opened it (network_namespaces(7)), so a
//! socket opened inside a namespace by a dedicated thread can be used from anywhere.
//!
//! ```no_run
//! use netlink::{Batch, Socket, route};
//! # fn main() -> netlink::Result<()> {
//! let mut socket = Socket::route()?;
//! let mut batch = Batch::new();
//! route::set_link(&mut batch, &route::LinkChange { up: Some(true), ..route::LinkChange::index(1) });
//! socket.execute(batch)?;
//! # Ok(())
//! # }
//! ```

pub mod batch;
pub mod conntrack;
mod error;
pub mod nft;
pub mod parse;
pub mod route;
mod socket;

pub use batch::Batch;
pub use error::{Error, Result};
pub use rustix::io::Errno;
pub use socket::Socket;
