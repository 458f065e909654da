//! Parts of volumes (`volume-subpath`): found so that no link which a container has left there leads out of the volume.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use values::{Error, Result};

use super::Resolved;

impl Resolved {
    /// What of the host is mounted, to be looked at (`O_PATH`).
    ///
    /// # Errors
    /// The kernel's, for the source; those of [`part_error`].
    pub fn open(&self) -> Result<OwnedFd> {
        if let Some(source) = self.runtime_source() {
            let options = runtime::SourceOptions { recursive: self.recursive, ..runtime::SourceOptions::default() };
            return source.open(options).map_err(|e| part_error(e.message));
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        Ok(rustix::fs::open(self.host_path(), flags, Mode::empty()).map_err(std::io::Error::from)?)
    }
}

/// `NotFound` for a part that cannot be reached, `InvalidArgument` for one outside; else `Internal`.
pub fn part_error(message: String) -> Error {
    match runtime::part_refused(&message) {
        Some(kind) => Error { kind, ..Error::internal(message) },
        None => Error::internal(message),
    }
}
