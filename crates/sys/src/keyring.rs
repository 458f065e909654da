//! Kernel keyrings: <https://man7.org/linux/man-pages/man2/keyctl.2.html>

use std::ffi::CStr;

use crate::{Result, check};

/// A new session keyring of this name for this process, instead of the one inherited.
pub fn join_session(name: &CStr) -> Result<()> {
    // SAFETY: the string is NUL-terminated and outlives the call.
    check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) }).map(drop)
}
