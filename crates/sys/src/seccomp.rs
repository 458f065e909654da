//! System call filters: <https://man7.org/linux/man-pages/man2/seccomp.2.html>

use std::os::fd::{FromRawFd, OwnedFd};

use crate::{Errno, Result, check};

/// One instruction of classic BPF, `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// Hands over a listener when asked for (`SECCOMP_FILTER_FLAG_NEW_LISTENER`).
pub const NEW_LISTENER: u32 = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;

/// Installs a filter for the calling thread. Needs CAP_SYS_ADMIN or no_new_privs.
/// The listener's descriptor comes back when `flags` ask for one.
pub fn install(filter: &[Instruction], flags: u32) -> Result<Option<OwnedFd>> {
    let len = u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?;
    // The two structures are the same in memory: u16, u8, u8, u32.
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel reads `len` instructions; they outlive the call.
    let result =
        check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) })?;
    if flags & NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: with this flag the result is a new descriptor.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(result as i32) }))
}

/// Whether the kernel has x86_64's x32 calls (numbers with bit 30); asked by its `getpid`.
pub fn has_x32() -> bool {
    const GETPID: libc::c_long = 0x4000_0000 | 39;
    // SAFETY: takes no memory, whether it exists or not.
    cfg!(target_arch = "x86_64") && unsafe { libc::syscall(GETPID) } > 0
}
