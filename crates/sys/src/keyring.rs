//! Kernel keyrings: <https://man7.org/linux/man-pages/man2/keyctl.2.html>

use std::ffi::CStr;

use crate::{Result, check};

/// A new session keyring for this process, instead of the one inherited; with a name, an existing one of
/// that name where there is one that may be searched.
pub fn join_session(name: Option<&CStr>) -> Result<()> {
    let name = name.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the string, if any, is NUL-terminated and outlives the call.
    check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name) }).map(drop)
}
