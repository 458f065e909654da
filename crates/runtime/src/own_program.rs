//! Our own program must not be written by way of a container.
//!
//! A process that is about to become a container's is still us: `/proc/PID/exe` in there is our file on the host, and root
//! in a container could open it for writing (CVE-2019-5736). So we run from a detached mount of that file which is
//! read-only and belongs to no mount namespace: whoever opens the link gets it read-only, and cannot change that.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags};
use rustix::mount::{MountAttrFlags, OpenTreeFlags};
use sys::mount::Attributes;

use crate::StartError;
use crate::failure::text;

/// Opens a program on a read-only mount of its own. Execute it as `/proc/self/fd/N` (the descriptor is
/// close-on-exec, which `execve` does not mind for a binary).
pub fn read_only_program(path: &Path) -> Result<OwnedFd, StartError> {
    let failed = |errno| StartError::other(format!("protect {}: {}", path.display(), text(errno)));
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, path, flags).map_err(failed)?;
    let set = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let change = Attributes { set: Some(set), ..Attributes::default() };
    sys::mount::set_attributes(tree.as_fd(), c"", false, &change).map_err(failed)?;
    // The file, without the mount's own descriptor: with that closed the mount is dissolved, and nobody can change it any
    // more, whatever his capabilities (`mount_setattr` wants a mount that is part of some tree).
    let link = format!("/proc/self/fd/{}", tree.as_raw_fd());
    rustix::fs::open(link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed)
}

/// To be called first in `main` of a program that creates containers: goes on when our program is on a read-only
/// mount already (its starter saw to it), else executes it again from one. Without the privilege to mount it goes on, too:
/// then it cannot create containers either.
pub fn protect_own_program() -> Result<(), StartError> {
    let link = Path::new("/proc/self/exe");
    let failed = |what: &str| StartError::other(format!("protect our own program: {what}"));
    let flags = rustix::fs::statvfs(link).map_err(|errno| failed(&text(errno)))?.f_flag;
    if flags.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let Ok(program) = read_only_program(link) else { return Ok(()) };
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| OsStr::new("lighter-runtime").to_owned());
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let error = std::process::Command::new(path).arg0(name).args(words).exec();
    Err(failed(&error.to_string()))
}
