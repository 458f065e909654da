//! Archives: tar streams, their compression, and unpacking them where nothing can get out.
//!
//! - [`tar`]: a reader and a writer of tar (ustar, PAX, GNU; long names, sparse files, nanoseconds, extended attributes),
//!   streaming, with bounded memory whatever a header claims.
//! - [`Compression`]: told by the first bytes, not by a name.
//! - [`unpack`]: a tar into a directory. Every path is resolved by the kernel with the directory as its root.
//! - [`pack`]: a directory into a tar.
//! - [`gzip`]: on all processors.
//! - [`HoleWriter`]: long runs of zeros need no room on the disk.
//! - [`remove_tree`]: deletes a tree of any depth.
//! - [`Tee`]: keeps a stream while somebody reads it.

mod compression;
mod fault;
mod gzip;
mod holes;
mod ids;
pub mod pack;
mod remove;
mod root;
pub mod tar;
mod tee;
pub mod unpack;

pub use compression::{Compression, as_layer, decompress};
pub use fault::Fault;
pub use gzip::gzip;
pub use holes::HoleWriter;
pub use ids::{IdRange, Ids};
pub use remove::remove_tree;
pub use root::{Root, clean, split};
pub use tee::Tee;
