//! Parts of volumes (`volume-subpath`): found so that no link which a container has left there leads out of the volume.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use values::{Error, Result, system_words};

use super::Resolved;

impl Resolved {
    /// What of the host is mounted, to be looked at (`O_PATH`).
    ///
    /// # Errors
    /// The kernel's, for the source; in Docker's words `NotFound` for a part that cannot be reached, `InvalidArgument` for
    /// one outside.
    pub fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let whole = rustix::fs::open(self.host_path(), flags, Mode::empty()).map_err(std::io::Error::from)?;
        if self.part.is_empty() {
            return Ok(whole);
        }
        let open = |part: &str| sys::path::open_beneath(&whole, part, flags);
        open(&self.part).map_err(|errno| {
            let (base, part) = (&self.source, &self.part);
            if errno == Errno::XDEV {
                let why = "path concatenation escapes the base directory";
                return Error::invalid(format!("{why}, base: {base}, subpath: {part}"));
            }
            let ends = part.match_indices('/').map(|(end, _)| end).chain([part.len()]);
            let first = ends.map(|end| &part[..end]).find(|part| open(part).is_err()).unwrap_or(part);
            Error::not_found(format!(
                "cannot access path {base}/{part}: lstat {base}/{first}: {}",
                system_words(&errno)
            ))
        })
    }
}
