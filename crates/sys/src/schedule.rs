//! Scheduling and personality of the calling process.

use crate::{Result, check};

/// `struct sched_attr`: <https://man7.org/linux/man-pages/man2/sched_setattr.2.html>
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Attributes {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    /// Nanoseconds, as the next two.
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// Sets policy and priority.
pub fn set(attributes: &Attributes) -> Result<()> {
    let attributes = Attributes { size: size_of::<Attributes>() as u32, ..*attributes };
    // SAFETY: the structure's size is in its first field; it outlives the call.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) }).map(drop)
}

/// I/O class and level, `class << 13 | level`.
/// <https://man7.org/linux/man-pages/man2/ioprio_set.2.html>
pub fn set_io_priority(value: u32) -> Result<()> {
    const WHO_PROCESS: libc::c_int = 1;
    // SAFETY: takes no memory.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, value) }).map(drop)
}

/// Execution domain: <https://man7.org/linux/man-pages/man2/personality.2.html>
pub fn set_personality(value: u64) -> Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::syscall(libc::SYS_personality, value) }).map(drop)
}
