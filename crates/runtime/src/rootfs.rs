//! The root file system as a detached mount: nothing of it is ever in the host's mount table.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};
use sys::mount::{Attributes, Propagation};
use values::RootMount;

use crate::StartError;
use crate::failure::text;
use crate::private_mounts;
use crate::user_namespace::UserNamespace;

/// What overlayfs leaves in the work directory of a volatile mount.
const VOLATILE_MARK: &str = "work/incompat/volatile";
/// The longest string the kernel takes in one `fsconfig`.
const STRING_MAX: usize = 255;

/// Mounts it detached. The descriptor is all there is; who holds it, holds the file system.
pub fn mount_root(root: &RootMount) -> Result<OwnedFd, StartError> {
    match root {
        RootMount::Directory { path } => directory(path),
        RootMount::Stack { lower } => stack(lower)
            .map_err(|errno| StartError::other(format!("failed to mount a read-only overlay: {}", text(errno)))),
        RootMount::Overlay { lower, upper, work, volatile } => {
            overlay(lower, upper, work, *volatile).map_err(|errno| {
                let upper = upper.display();
                StartError::other(format!("failed to mount the overlay of {upper}: {}", text(errno)))
            })
        }
    }
}

/// [`mount_root`] with the ids on disk being those inside the user namespace. Nothing on disk changes: several
/// containers, with other mappings or none, can have the same layers. Needs Linux 5.19 for an overlay.
pub(crate) fn mount_mapped(root: &RootMount, user: &UserNamespace) -> Result<OwnedFd, StartError> {
    let failed = |what: &Path, errno| {
        let need = "id-mapped mounts need Linux 5.19 and a file system that has them";
        let hint = if errno == Errno::INVAL { format!(" ({need})") } else { String::new() };
        StartError::other(format!("map the ids of {}: {}{hint}", what.display(), text(errno)))
    };
    match root {
        RootMount::Directory { path } => {
            private_mounts::mapped(path, user.fd.as_fd()).map_err(|errno| failed(path, errno))
        }
        RootMount::Stack { .. } => Err(StartError::other("a read-only stack cannot be a container's root file system")),
        RootMount::Overlay { lower, upper, work, volatile } => {
            // overlayfs wants both of them on one mount
            let own = upper.parent().filter(|own| work.parent() == Some(own));
            let own =
                own.ok_or_else(|| StartError::other("the upper and work directories are not in one directory"))?;
            let owner = user.mapping.uid(0).zip(user.mapping.gid(0));
            let (uid, gid) = owner.ok_or_else(|| StartError::other("root is not mapped in the user namespace"))?;
            private_mounts::within(|| {
                for path in lower.iter().map(PathBuf::as_path).chain([own]) {
                    private_mounts::attach(&private_mounts::mapped(path, user.fd.as_fd())?, path)?;
                }
                // overlayfs works as who mounted it, and must be somebody in its own layers
                sys::identity::set_file_owner(uid, gid)?;
                overlay(lower, upper, work, *volatile)
            })
            .map_err(|errno| failed(upper, errno))
        }
    }
}

fn directory(path: &Path) -> Result<OwnedFd, StartError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let private = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
    let tree = rustix::mount::open_tree(CWD, path, flags)
        .and_then(|tree| sys::mount::set_attributes(tree.as_fd(), c"", true, &private).map(|()| tree))
        .map_err(|errno| StartError::other(format!("invalid rootfs: stat {}: {}", path.display(), text(errno))))?;
    let is_dir = rustix::fs::fstat(&tree).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
    if is_dir { Ok(tree) } else { Err(StartError::other(format!("root {:?} is not a directory", path.display()))) }
}

/// Where an overlay's changes go.
#[derive(Clone, Copy)]
struct Changes<'a> {
    upper: &'a Path,
    work: &'a Path,
    volatile: bool,
}

/// overlayfs wants two layers where it is to be read-only.
fn stack(lower: &[PathBuf]) -> Result<OwnedFd, Errno> {
    if let [only] = lower {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = rustix::mount::open_tree(CWD, only, flags)?;
        let read_only = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
        return sys::mount::set_attributes(tree.as_fd(), c"", false, &read_only).map(|()| tree);
    }
    match overlay_with(None, |context| append_lower(context, lower)) {
        Err(Errno::NOSYS) => overlay_short(lower, None),
        other => other,
    }
}

fn overlay(lower: &[PathBuf], upper: &Path, work: &Path, volatile: bool) -> Result<OwnedFd, Errno> {
    let changes = Some(Changes { upper, work, volatile });
    let mount = || match overlay_with(changes, |context| append_lower(context, lower)) {
        Err(Errno::NOSYS) => overlay_short(lower, changes),
        other => other,
    };
    match mount() {
        // A volatile overlay leaves a mark, so that nobody takes it for whole after a crash of the machine. Ours was
        // mounted before (a restart), and what it holds was to be thrown away anyway.
        Err(Errno::INVAL) if volatile && std::fs::remove_dir_all(work.join(VOLATILE_MARK)).is_ok() => mount(),
        other => other,
    }
}

fn overlay_with(
    changes: Option<Changes<'_>>,
    lower: impl FnOnce(&OwnedFd) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, c"source", c"overlay")?;
    lower(&context)?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_RDONLY;
    if let Some(Changes { upper, work, volatile }) = changes {
        set_path(&context, "upperdir", upper)?;
        set_path(&context, "workdir", work)?;
        if volatile {
            rustix::mount::fsconfig_set_flag(&context, c"volatile")?;
        }
        attributes = MountAttrFlags::empty();
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// ENOSYS before Linux 6.7, which has no `lowerdir+`.
fn append_lower(context: &OwnedFd, lower: &[PathBuf]) -> Result<(), Errno> {
    lower.iter().try_for_each(|path| match set_path(context, "lowerdir+", path) {
        Err(Errno::INVAL) => Err(Errno::NOSYS),
        other => other,
    })
}

/// A long path goes as a descriptor, which Linux 6.13 takes.
fn set_path(context: &OwnedFd, key: &str, path: &Path) -> Result<(), Errno> {
    if path.as_os_str().len() <= STRING_MAX {
        return rustix::mount::fsconfig_set_string(context, key, path);
    }
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::mount::fsconfig_set_fd(context, key, fd)
}

/// For older kernels: all layers in one string, made short by links with names of one or two letters in a tmpfs that is
/// attached nowhere and is our working directory for the moment.
fn overlay_short(lower: &[PathBuf], changes: Option<Changes<'_>>) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(&context)?;
    let links = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let mut names = Vec::with_capacity(lower.len());
    for (number, path) in lower.iter().enumerate() {
        let name = short_name(number);
        rustix::fs::symlinkat(path, &links, name.as_str())?;
        names.push(name);
    }
    let list = names.join(":");
    if list.len() > STRING_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let here = rustix::fs::open(c".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::process::fchdir(&links)?;
    let result =
        overlay_with(changes, |context| rustix::mount::fsconfig_set_string(context, c"lowerdir", OsStr::new(&list)));
    rustix::process::fchdir(&here)?;
    result
}

fn short_name(mut number: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = String::new();
    loop {
        name.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
        if number == 0 {
            return name;
        }
        number -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_different() {
        let names: std::collections::BTreeSet<String> = (0..4000).map(short_name).collect();
        assert_eq!(names.len(), 4000);
        assert_eq!(short_name(61), "Z");
        assert_eq!(short_name(62).len(), 2);
    }
}
