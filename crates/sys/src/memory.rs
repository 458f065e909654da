//! The allocator, and where memory is taken from: <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>

use std::ffi::{OsStr, OsString};

const VARIABLE: &str = "GLIBC_TUNABLES";
/// <https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html>
const KEY: &str = "glibc.malloc.tcache_count";

/// The variable and value of the environment with which a program's threads keep no freed blocks to themselves; `None` where
/// somebody has chosen already, and where the C library has no such thing. It counts only from a program's beginning on.
pub fn without_caches() -> Option<(&'static str, OsString)> {
    if !cfg!(target_env = "gnu") {
        return None;
    }
    tunables(std::env::var_os(VARIABLE).as_deref()).map(|value| (VARIABLE, value))
}

fn tunables(given: Option<&OsStr>) -> Option<OsString> {
    let given = given.unwrap_or_default();
    if given.to_string_lossy().contains(KEY) {
        return None;
    }
    let mut value = OsString::from(format!("{KEY}=0"));
    if !given.is_empty() {
        value.push(":");
        value.push(given);
    }
    Some(value)
}

/// Gives free heap memory back to the kernel; for a process that will now idle for long.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim only reorganises free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keeps the heap small: one arena, freed blocks above 64 KiB given back at once.
/// <https://man7.org/linux/man-pages/man3/mallopt.3.html>
pub fn stay_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt sets parameters.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 * 1024);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 * 1024);
        libc::mallopt(libc::M_TOP_PAD, 16 * 1024);
    }
}

/// The NUMA policy of the calling thread: a mode of `MPOL_…` with its flags, and nodes as bits, lowest first.
/// <https://man7.org/linux/man-pages/man2/set_mempolicy.2.html>
pub fn set_policy(mode: u32, nodes: &[u64]) -> crate::Result<()> {
    // The kernel takes one bit less than it is told.
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * 64 + 1 };
    let mask = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads `bits - 1` bits, which are there.
    crate::check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode as libc::c_int, mask, bits) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_made_once_and_others_are_kept() {
        for (given, expected) in [
            (None, Some("glibc.malloc.tcache_count=0")),
            (Some(""), Some("glibc.malloc.tcache_count=0")),
            (Some("glibc.malloc.perturb=1"), Some("glibc.malloc.tcache_count=0:glibc.malloc.perturb=1")),
            (Some("glibc.malloc.tcache_count=0"), None),
            (Some("a=b:glibc.malloc.tcache_count=3"), None),
        ] {
            assert_eq!(tunables(given.map(OsStr::new)).as_deref(), expected.map(OsStr::new), "{given:?}");
        }
    }
}
