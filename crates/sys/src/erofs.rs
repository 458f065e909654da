//! Mounts of EROFS in files, detached: no device is needed and nobody else sees them.
//!
//! <https://docs.kernel.org/filesystems/erofs.html>; the mount interface: fsopen(2), fsconfig(2), fsmount(2).

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::Result;

/// The longest string the kernel takes in one `fsconfig`.
const STRING_MAX: usize = 255;

/// Mounts the EROFS in the file `index`, whose data are in the files `devices` (in the order of its device table). Needs
/// Linux 6.12. Allocates.
///
/// The kernel reads the index through its file's page cache, which a tmpfs does not have: there, a copy in memory
/// is mounted.
///
/// # Errors
/// `ENOTBLK` where the kernel wants a block device, `EINVAL` for what is no EROFS or has another number of devices.
pub fn mount(index: &Path, devices: &[PathBuf]) -> Result<OwnedFd> {
    match mount_file(index, devices) {
        Err(Errno::NOTBLK) => {
            let copy = copy_in_memory(index)?;
            mount_file(&by_descriptor(&copy), devices)
        }
        other => other,
    }
}

fn mount_file(index: &Path, devices: &[PathBuf]) -> Result<OwnedFd> {
    let context = rustix::mount::fsopen(c"erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    // those with long paths, open until the kernel has opened them itself
    let mut open = Vec::new();
    set_path(&context, "source", index, &mut open)?;
    for device in devices {
        set_path(&context, "device", device, &mut open)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

fn set_path(context: &OwnedFd, key: &str, path: &Path, open: &mut Vec<OwnedFd>) -> Result<()> {
    if path.as_os_str().len() <= STRING_MAX {
        return rustix::mount::fsconfig_set_string(context, key, path);
    }
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let result = rustix::mount::fsconfig_set_string(context, key, by_descriptor(&fd));
    open.push(fd);
    result
}

fn by_descriptor(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// A copy in a ramfs that is gone with whoever uses it.
fn copy_in_memory(index: &Path) -> Result<OwnedFd> {
    let context = rustix::mount::fsopen(c"ramfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(&context)?;
    let memory = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(&memory, c"index", flags, Mode::RUSR)?;
    let from = File::from(rustix::fs::openat(CWD, index, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
    let copied = std::io::copy(&mut &from, &mut &File::from(copy.try_clone().map_err(errno)?));
    copied.map_err(errno)?;
    Ok(copy)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
