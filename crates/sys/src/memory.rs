//! The allocator: <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>

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
