//! What long calls say while they work and when they are done.

use values::{Digest, Reference};

/// One message of a progress stream (spec, wire formats §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A line for people, with its newline: the field `stream`.
    Stream(String),
    /// `status`, of the thing `id` (12 hex digits, may be empty), with how far it is in bytes.
    Status { id: String, status: String, current: u64, total: u64 },
}

/// An image which [`Images::load`](crate::Images::load) brought in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub id: Digest,
    /// The name it now has; `None` where the archive gave it none.
    pub reference: Option<Reference>,
    /// The image which had that name before.
    pub replaced: Option<Digest>,
}

/// One thing which [`Images::remove`](crate::Images::remove) did, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name in Docker's short form.
    Untagged(String),
    /// An image's id.
    Deleted(Digest),
}

/// A container that stands on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The container's full id.
    pub container: String,
    /// Where it is mounted in the container, if it is not the container's own; empty: it is.
    pub mount: String,
    pub running: bool,
}

impl Use {
    /// What layers are held for, and a view of them is called. It lasts as long as the container's root filesystem: see
    /// [`owner`].
    pub fn holder(&self) -> String {
        if self.mount.is_empty() { self.container.clone() } else { format!("{}-{}", self.container, self.mount) }
    }
}

/// The container of a [`Use::holder`], or of its root filesystem.
pub fn owner(holder: &str) -> &str {
    holder.split('-').next().unwrap_or_default()
}

/// One row of an image's history, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    /// The image's id on the newest row, else `<missing>`.
    pub id: String,
    /// Seconds since the epoch; 0 where it is not said.
    pub created: i64,
    pub created_by: String,
    /// Names, on the newest row.
    pub tags: Vec<String>,
    /// Bytes of the step's layer unpacked.
    pub size: u64,
    pub comment: String,
}
