//! Whose the files are that a thread makes: <https://man7.org/linux/man-pages/man2/setfsuid.2.html>

use rustix::thread::CapabilitySets;

use crate::{Errno, Result};

/// Makes files of the calling *thread* this user's and group's, its capabilities staying as they are.
pub fn set_file_owner(uid: u32, gid: u32) -> Result<()> {
    // SAFETY: numbers only; raw calls act on the calling thread. An invalid id changes nothing, so the second call tells
    // what holds now.
    let now = unsafe {
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsuid, uid);
        (libc::syscall(libc::SYS_setfsuid, u32::MAX) as u32, libc::syscall(libc::SYS_setfsgid, u32::MAX) as u32)
    };
    if now != (uid, gid) {
        return Err(Errno::PERM);
    }
    // The change took those away which have to do with files.
    let sets = rustix::thread::capabilities(None)?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: sets.permitted, ..sets })
}
