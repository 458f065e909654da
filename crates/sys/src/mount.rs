//! `mount_setattr(2)`, which rustix lacks: <https://man7.org/linux/man-pages/man2/mount_setattr.2.html>

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::mount::MountAttrFlags;

use crate::{Result, check};

/// How mount events travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    Private,
    Slave,
    Shared,
    Unbindable,
}

/// A change of a mount's attributes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes {
    pub set: Option<MountAttrFlags>,
    pub clear: Option<MountAttrFlags>,
    pub propagation: Option<Propagation>,
}

impl Attributes {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_none_or(|flags| flags.is_empty())
            && self.clear.is_none_or(|flags| flags.is_empty())
            && self.propagation.is_none()
    }
}

/// Changes the mount at `path` below `dir` (empty path: the one `dir` is), and those below it when `recursive`.
pub fn set_attributes(dir: BorrowedFd<'_>, path: &CStr, recursive: bool, change: &Attributes) -> Result<()> {
    let mut set = change.set.map_or(0, |flags| u64::from(flags.bits()));
    let mut clear = change.clear.map_or(0, |flags| u64::from(flags.bits()));
    // The access time is a field of three values, not three bits: what is set must be cleared first.
    let atime = u64::from(MountAttrFlags::MOUNT_ATTR__ATIME.bits());
    if (set | clear) & atime != 0 {
        clear |= atime;
    }
    set &= !u64::from(MountAttrFlags::MOUNT_ATTR_IDMAP.bits());
    let attr = libc::mount_attr {
        attr_set: set,
        attr_clr: clear,
        propagation: match change.propagation {
            None => 0,
            Some(Propagation::Private) => libc::MS_PRIVATE,
            Some(Propagation::Slave) => libc::MS_SLAVE,
            Some(Propagation::Shared) => libc::MS_SHARED,
            Some(Propagation::Unbindable) => libc::MS_UNBINDABLE,
        },
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the string is NUL-terminated, `attr` is of the size told; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}

/// Maps the ids of a detached mount by a user namespace (`MOUNT_ATTR_IDMAP`).
pub fn map_ids(mount: BorrowedFd<'_>, user_namespace: BorrowedFd<'_>, recursive: bool) -> Result<()> {
    let attr = libc::mount_attr {
        attr_set: u64::from(MountAttrFlags::MOUNT_ATTR_IDMAP.bits()),
        attr_clr: 0,
        propagation: 0,
        userns_fd: user_namespace.as_raw_fd() as u64,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: as above.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}
