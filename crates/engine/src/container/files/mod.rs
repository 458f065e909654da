//! A container's files, for the work of others on them: copying in and out, exporting, listing what changed.
//!
//! [`root`] gets hold of the container's root directory by a descriptor, whether it runs or not, and nothing of it appears
//! in the host's mount table. From there every path the caller or the image names goes through the one path module, so that
//! neither a link planted in the container nor one exchanged in the middle of a copy leads out.

pub mod changes;
pub mod copy_in;
pub mod copy_out;
pub mod export;
mod path;
mod root;
pub mod stat;

pub use root::{PATIENCE, ids, unstarted};
