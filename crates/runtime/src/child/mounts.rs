//! The child's mounts, nodes and links: everything below the container's root goes through `sys::path`.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use rustix::process::{Gid, Uid};
use sys::mount::{Attributes, Propagation};
use sys::namespace::Kinds;
use sys::path;

use super::Child;
use crate::program::{Device, Mount, Slot, What};

/// Major and minor number of /dev/null.
const NULL: (u32, u32) = (1, 3);

impl Child<'_> {
    pub(super) fn mount(&mut self, mount: &Mount) -> Result<(), Errno> {
        let target = self.target(mount)?;
        let made;
        let tree = match &mount.what {
            What::Tree(slot) => self.fd(*slot)?,
            What::New { kind, options, attributes } => {
                made = new_mount(kind, options, *attributes)?;
                if mount.keep_mode
                    && let Some(mode) = target.1
                {
                    rustix::fs::fchmod(reopen(&made)?, mode)?;
                }
                made.as_fd()
            }
        };
        move_to(tree, target.0.as_fd())?;
        if let What::New { kind, .. } = &mount.what
            && kind.as_c_str() == c"proc"
        {
            self.procfs = Some(rustix::io::fcntl_dupfd_cloexec(tree, 3)?);
        }
        Ok(())
    }

    /// Where a mount goes, made if missing; and the mode of what was there before.
    fn target(&self, mount: &Mount) -> Result<(OwnedFd, Option<Mode>), Errno> {
        let (root, path) = (self.root()?, mount.target.as_c_str());
        let open = |path: &CStr| {
            if mount.ordinary {
                path::open_no_links(root, path, OFlags::PATH)
            } else {
                path::open_in_root(root, path, OFlags::PATH)
            }
        };
        let (place, existed) = match open(path) {
            Err(Errno::NOENT) if mount.file => {
                (path::create_file_in_root(root, path, Mode::from_raw_mode(0o644))?, false)
            }
            Err(Errno::NOENT) => {
                let place = path::mkdir_all_in_root(root, path, Mode::from_raw_mode(0o755))?;
                // What was made has no link at its end, but may have one on the way.
                (if mount.ordinary { open(path)? } else { place }, false)
            }
            other => (other?, true),
        };
        let stat = rustix::fs::fstat(&place)?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() == mount.file {
            // as mount(2) has it, both ways
            return Err(Errno::NOTDIR);
        }
        if !mount.in_proc && sys::procfs::is_procfs(&place).is_ok() {
            return Err(Errno::PERM);
        }
        Ok((place, existed.then(|| Mode::from_raw_mode(stat.st_mode & 0o7777))))
    }

    pub(super) fn symlink(&self, path: &CStr, target: &CStr) -> Result<(), Errno> {
        let root = self.root()?;
        let (directory, name) = split(path);
        let directory =
            with_c_str(directory, |directory| path::mkdir_all_in_root(root, directory, Mode::from_raw_mode(0o755)))?;
        match rustix::fs::symlinkat(target, &directory, name) {
            // What is there already is the image's choice.
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
    }

    pub(super) fn device(&self, device: &Device) -> Result<(), Errno> {
        let directory = path::mkdir_all_in_root(self.root()?, device.directory.as_c_str(), Mode::from_raw_mode(0o755))?;
        let name = device.name.as_c_str();
        match rustix::fs::mknodat(&directory, name, device.kind, device.mode, device.number) {
            Err(Errno::EXIST) => return same_device(&directory, device),
            other => other?,
        }
        let node = path::open_no_links(&directory, name, OFlags::PATH)?;
        rustix::fs::chownat(
            &node,
            c"",
            Some(Uid::from_raw(device.uid)),
            Some(Gid::from_raw(device.gid)),
            AtFlags::EMPTY_PATH,
        )
    }

    pub(super) fn console(&self, devpts: Slot, number: &CStr) -> Result<(), Errno> {
        let slave = clone_tree(self.fd(devpts)?, number, false)?;
        // Where /dev is somebody's volume, its `console` may be a link, to a file of procfs for one (CVE-2025-52565).
        path::create_file_in_root(self.root()?, c"/dev/console", Mode::from_raw_mode(0o644))?;
        let place = path::open_no_links(self.root()?, c"/dev/console", OFlags::PATH)?;
        if sys::procfs::is_procfs(&place).is_ok() {
            return Err(Errno::PERM);
        }
        move_to(slave.as_fd(), place.as_fd())
    }

    pub(super) fn reconfigure(&self, path: &CStr, options: &[(CString, Option<CString>)]) -> Result<(), Errno> {
        let place = path::open_in_root(self.root()?, path, OFlags::PATH)?;
        let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
        let context = rustix::mount::fspick(&place, c"", flags)?;
        set_options(&context, options)?;
        rustix::mount::fsconfig_reconfigure(&context)
    }

    pub(super) fn label(&self, path: &CStr, label: &CStr) -> Result<(), Errno> {
        let place = path::open_in_root(self.root()?, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        rustix::fs::fsetxattr(&place, c"security.selinux", label.to_bytes_with_nul(), rustix::fs::XattrFlags::empty())
    }

    pub(super) fn read_only(&self, path: &CStr) -> Result<(), Errno> {
        let place = match path::open_in_root(self.root()?, path, OFlags::PATH) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let tree = clone_tree(place.as_fd(), c"", true)?;
        let change = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
        sys::mount::set_attributes(tree.as_fd(), c"", true, &change)?;
        move_to(tree.as_fd(), place.as_fd())
    }

    pub(super) fn mask(&mut self, path: &CStr) -> Result<(), Errno> {
        let place = match path::open_in_root(self.root()?, path, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            other => other?,
        };
        if !FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode).is_dir() {
            let null = clone_tree(self.null()?.as_fd(), c"", false)?;
            return move_to(null.as_fd(), place.as_fd());
        }
        // One empty directory serves all: the first use attaches it, the others are clones.
        if let Some(empty) = &self.empty {
            return move_to(clone_tree(empty.as_fd(), c"", false)?.as_fd(), place.as_fd());
        }
        let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let empty = new_mount(c"tmpfs", &[], attributes.bits())?;
        move_to(empty.as_fd(), place.as_fd())?;
        self.empty = Some(empty);
        Ok(())
    }

    /// The container's /dev/null, checked to be it.
    fn null(&self) -> Result<OwnedFd, Errno> {
        let null = path::open_in_root(self.root()?, c"/dev/null", OFlags::PATH)?;
        check_null(&null)?;
        Ok(null)
    }

    pub(super) fn pivot(&mut self) -> Result<(), Errno> {
        let old = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::process::fchdir(self.root()?)?;
        rustix::process::pivot_root(c".", c".")?;
        rustix::process::fchdir(&old)?;
        rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")?;
        self.old_root = Some(old);
        Ok(())
    }

    /// A detached tree lives on as the root of its processes. There is no way out of it upwards, as there is of a directory
    /// that was made the root.
    pub(super) fn leave_mounts(&mut self, namespace: Slot) -> Result<(), Errno> {
        let tree = clone_tree(CWD, c"/", true)?;
        sys::namespace::join(self.fd(namespace)?, Kinds::MOUNT)?;
        rustix::process::fchdir(&tree)?;
        rustix::process::chroot(c".")?;
        self.root = Some(tree);
        Ok(())
    }
}

pub(super) fn private_mounts() -> Result<(), Errno> {
    let change = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
    sys::mount::set_attributes(CWD, c"/", true, &change)
}

fn new_mount(kind: &CStr, options: &[(CString, Option<CString>)], attributes: u32) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    set_options(&context, options)?;
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::from_bits_retain(attributes);
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn set_options(context: &OwnedFd, options: &[(CString, Option<CString>)]) -> Result<(), Errno> {
    options.iter().try_for_each(|(key, value)| match value {
        Some(value) => rustix::mount::fsconfig_set_string(context, key.as_c_str(), value.as_c_str()),
        None => rustix::mount::fsconfig_set_flag(context, key.as_c_str()),
    })
}

fn clone_tree(dir: BorrowedFd<'_>, path: &CStr, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(dir, path, flags)
}

fn move_to(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, c"", place, c"", flags)
}

/// A descriptor that can be changed, of the directory behind an `O_PATH` one.
fn reopen(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

pub(super) fn check_null(fd: impl AsFd) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(fd)?;
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    if FileType::from_raw_mode(stat.st_mode).is_char_device() && number == NULL { Ok(()) } else { Err(Errno::NODEV) }
}

/// A node that exists already must be the one wanted.
fn same_device(directory: &OwnedFd, device: &Device) -> Result<(), Errno> {
    let node = path::open_no_links(directory, device.name.as_c_str(), OFlags::PATH)?;
    let stat = rustix::fs::fstat(&node)?;
    let same = FileType::from_raw_mode(stat.st_mode) == device.kind && stat.st_rdev == device.number;
    if same { Ok(()) } else { Err(Errno::EXIST) }
}

/// After the pivot: a working directory that the image lacks is made.
pub(super) fn make_directory(path: &CStr) -> Result<(), Errno> {
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match path::mkdir_all_in_root(&root, path, Mode::from_raw_mode(0o755)) {
        // chdir says what is wrong with it.
        Ok(_) | Err(Errno::NOTDIR | Errno::ROFS | Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Directory and name of a path with at least one slash.
fn split(path: &CStr) -> (&[u8], &[u8]) {
    let bytes = path.to_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    (&bytes[..at], &bytes[at + 1..])
}

fn with_c_str<T>(bytes: &[u8], call: impl FnOnce(&CStr) -> Result<T, Errno>) -> Result<T, Errno> {
    rustix::path::Arg::into_with_c_str(bytes, call)
}
