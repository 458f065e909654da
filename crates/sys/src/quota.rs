//! Project quotas: limits on what lies below a directory.
//! <https://man7.org/linux/man-pages/man2/quotactl.2.html>, <https://man7.org/linux/man-pages/man2/ioctl_xfs_fsgetxattr.2.html>

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::{Result, check, last_error};

/// `struct fsxattr`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    padding: [u8; 8],
}

/// New entries of a directory belong to its project.
const INHERIT: u32 = 0x200;
const GET: libc::c_ulong = 0x801c_581f;
const SET: libc::c_ulong = 0x401c_5820;

const PROJECT: libc::c_int = 2;
const SET_QUOTA: libc::c_int = 0x80_0008;
/// Of `dqb_bhardlimit`, bytes.
const BLOCK: u64 = 1024;
const BLOCK_LIMITS: u32 = 1;

/// The project which a file or directory belongs to; 0: none.
pub fn project(fd: BorrowedFd<'_>) -> Result<u32> {
    attributes(fd).map(|attributes| attributes.project)
}

fn attributes(fd: BorrowedFd<'_>) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    // SAFETY: the kernel fills a struct of the size that the request's number says.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), GET, &raw mut attributes) };
    if result < 0 { Err(last_error()) } else { Ok(attributes) }
}

/// Makes a directory, and what will be made in it, a project's.
pub fn set_project(directory: BorrowedFd<'_>, project: u32) -> Result<()> {
    let attributes = attributes(directory)?;
    let attributes = Attributes { project, flags: attributes.flags | INHERIT, ..attributes };
    // SAFETY: the kernel reads a struct of the size that the request's number says.
    let result = unsafe { libc::ioctl(directory.as_raw_fd(), SET, &raw const attributes) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

/// Limits a project's bytes on the file system of `fd`. `ESRCH`: it has no project quotas in force; `ENOSYS` before Linux
/// 5.14.
pub fn limit_project(fd: BorrowedFd<'_>, project: u32, bytes: u64) -> Result<()> {
    // SAFETY: dqblk is plain data, all zero is its empty value.
    let mut limits: libc::dqblk = unsafe { std::mem::zeroed() };
    limits.dqb_bhardlimit = bytes.div_ceil(BLOCK);
    limits.dqb_bsoftlimit = limits.dqb_bhardlimit;
    limits.dqb_valid = BLOCK_LIMITS;
    let command = (SET_QUOTA << 8) | PROJECT;
    // SAFETY: the kernel reads a dqblk.
    check(unsafe {
        libc::syscall(libc::SYS_quotactl_fd, fd.as_raw_fd(), command, project as libc::c_int, &raw const limits)
    })
    .map(drop)
}
