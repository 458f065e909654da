//! The kernel's edge: the only crate with `unsafe` in it.
//!
//! What `rustix` has, callers take from `rustix`; here are the calls it lacks, each with its man page, and two
//! things which all must share: [`path`], the one way to walk below a root we do not trust, and [`procfs`], a
//! procfs nobody can have tampered with.
//!
//! Nothing in here allocates unless it says so: most of it runs between clone and exec.

pub mod bpf;
pub mod clone;
pub mod crash;
pub mod erofs;
pub mod fd;
pub mod identity;
pub mod keyring;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod packet;
pub mod path;
pub mod procfs;
pub mod program;
pub mod quota;
pub mod schedule;
pub mod scm;
pub mod seccomp;
pub mod session;
pub mod signal;
pub mod socket;
pub mod stat;
pub mod tty;
pub mod user_namespace;
pub mod waiting;

pub use rustix::io::{Errno, Result};

/// Turns a raw result of `libc::syscall` into ours.
fn check(result: libc::c_long) -> Result<usize> {
    if result < 0 { Err(last_error()) } else { Ok(result as usize) }
}

fn last_error() -> Errno {
    // SAFETY: glibc's errno is a thread-local integer.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}
