//! A procfs of our own, verified: <https://man7.org/linux/man-pages/man5/proc.5.html>
//!
//! What `/proc` is in a container's world is under the container's control (a bind mount, a symbolic link).
//! Here every access goes through a descriptor of a procfs that we made or checked, and may neither leave it nor
//! follow its magic links.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::path::Arg;

use crate::{Errno, Result};

/// `PROC_SUPER_MAGIC`
pub const MAGIC: i64 = 0x9fa0;
/// The root of a procfs has this inode number.
const ROOT_INODE: u64 = 1;

/// A checked procfs.
#[derive(Debug)]
pub struct Procfs(OwnedFd);

impl Procfs {
    /// A mount of its own that is attached nowhere, showing the caller's pid namespace; where that is not
    /// possible (no privilege), `/proc`, checked.
    pub fn private() -> Result<Self> {
        Self::detached().or_else(|_| Self::host())
    }

    /// `/proc` as it is mounted here, checked to be the root of a procfs.
    pub fn host() -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::checked(rustix::fs::open(c"/proc", flags, Mode::empty())?)
    }

    fn detached() -> Result<Self> {
        let context = rustix::mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(&context)?;
        let attributes =
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        Self::checked(rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
    }

    /// Takes a descriptor after having checked that it is the root of a procfs.
    pub fn checked(fd: OwnedFd) -> Result<Self> {
        is_procfs(&fd)?;
        if rustix::fs::fstat(&fd)?.st_ino != ROOT_INODE {
            return Err(Errno::XDEV);
        }
        Ok(Self(fd))
    }

    /// Opens a file below it. Neither other mounts nor magic links (`/proc/PID/fd/N`, `…/root`) are followed.
    pub fn open(&self, path: impl Arg, flags: OFlags) -> Result<OwnedFd> {
        open_below(&self.0, path, flags)
    }

    /// Writes `text` in one go.
    pub fn write(&self, path: impl Arg, text: &[u8]) -> Result<()> {
        write_below(&self.0, path, text)
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether this is on a procfs; EXDEV if not.
pub fn is_procfs(fd: impl AsFd) -> Result<()> {
    if rustix::fs::fstatfs(fd)?.f_type as i64 == MAGIC { Ok(()) } else { Err(Errno::XDEV) }
}

/// [`Procfs::open`] for a procfs root made by the caller.
pub fn open_below(procfs: impl AsFd, path: impl Arg, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let fd = rustix::fs::openat2(procfs, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty(), resolve)?;
    is_procfs(&fd)?;
    Ok(fd)
}

/// [`Procfs::write`] for a procfs root made by the caller.
pub fn write_below(procfs: impl AsFd, path: impl Arg, text: &[u8]) -> Result<()> {
    let fd = open_below(procfs, path, OFlags::WRONLY)?;
    if rustix::io::write(&fd, text)? == text.len() { Ok(()) } else { Err(Errno::IO) }
}
