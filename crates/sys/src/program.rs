//! `execve(2)`: <https://man7.org/linux/man-pages/man2/execve.2.html>

use std::ffi::{CStr, CString, NulError};

use crate::{Errno, last_error};

/// Arguments or an environment in the kernel's form, made before a fork.
#[derive(Debug)]
pub struct Strings {
    strings: Vec<CString>,
    /// Into `strings`, with a null at the end.
    pointers: Vec<*const libc::c_char>,
}

// SAFETY: the pointers point into heap memory which `strings` owns and never changes.
unsafe impl Send for Strings {}
// SAFETY: as above; nothing is mutable.
unsafe impl Sync for Strings {}

impl Strings {
    /// Allocates. An error when a string has a NUL in it.
    pub fn new<S: Into<Vec<u8>>>(strings: impl IntoIterator<Item = S>) -> Result<Self, NulError> {
        let strings = strings.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Self { strings, pointers })
    }

    pub fn as_slice(&self) -> &[CString] {
        &self.strings
    }
}

/// Replaces the program; comes back only with an error.
pub fn execve(path: &CStr, args: &Strings, env: &Strings) -> Errno {
    // SAFETY: NUL-terminated strings and null-terminated arrays that live until the call returns.
    unsafe { libc::execve(path.as_ptr(), args.pointers.as_ptr(), env.pointers.as_ptr()) };
    last_error()
}
