//! The allocator, and where memory is taken from: <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>

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
