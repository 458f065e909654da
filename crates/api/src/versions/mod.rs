//! Shifts between the newest version of the API and older ones, one noun a file.
//!
//! Everything inside speaks the newest shape. At the edge a reply is *lowered* to what a client of an older version
//! expects ([`Lower`]), and a request of an older version is *raised* ([`raise_create`]). All of it is pure. Source: the
//! Engine API's version history, and the replies of Docker 28.5 at each version.

mod container_create;
mod container_inspect;
mod container_summary;
mod container_update;
mod disk_usage;
mod event;
mod image_inspect;
mod image_summary;
mod network;
mod stats;
mod system_info;
mod unchanged;

pub use container_create::raise_create;
pub use container_update::raise_update;

use crate::version::Version;

/// A reply of the newest shape that can become an older one.
pub trait Lower {
    /// Changes the reply to what a client of `version` expects. The default changes nothing.
    fn lower(&mut self, version: Version) {
        let _ = version;
    }
}

impl<T: Lower> Lower for Vec<T> {
    fn lower(&mut self, version: Version) {
        for item in self {
            item.lower(version);
        }
    }
}

#[cfg(test)]
mod tests;
