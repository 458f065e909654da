//! The child's credentials.

use std::ffi::CStr;

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::capability::Sets;

pub(super) fn keyring(name: Option<&CStr>) -> Result<(), Errno> {
    match sys::keyring::join_session(name) {
        // A kernel without keyrings; and a full quota must not keep a container from starting: the keyring
        // inherited is the daemon's, which is empty.
        Err(Errno::NOSYS | Errno::DQUOT) => Ok(()),
        other => other,
    }
}

pub(super) fn bounding_set(keep: u64) -> Result<(), Errno> {
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if keep & 1 << bit != 0 {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            // Beyond the last one which the kernel knows.
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}

/// Keeps the permitted capabilities over the change: seccomp still needs one, and the final sets follow.
pub(super) fn set_ids(uid: u32, gid: u32) -> Result<(), Errno> {
    rustix::thread::set_keep_capabilities(true)?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    let now = rustix::thread::capabilities(None)?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: now.permitted, ..now })
}

pub(super) fn set_capabilities(sets: &Sets) -> Result<(), Errno> {
    let set = CapabilitySet::from_bits_retain;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: set(sets.effective),
            permitted: set(sets.permitted),
            inheritable: set(sets.inheritable),
        },
    )?;
    rustix::thread::clear_ambient_capability_set()?;
    for bit in (0..64).filter(|bit| sets.ambient & 1 << bit != 0) {
        rustix::thread::configure_capability_in_ambient_set(set(1 << bit), true)?;
    }
    Ok(())
}
