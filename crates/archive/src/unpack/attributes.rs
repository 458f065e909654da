//! Owner, mode, extended attributes and times.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags},
    io::Errno,
};
use values::Timestamp;

use crate::{root::by_descriptor, tar::Entry};

/// Sets all but the times of an open file or directory.
pub(super) fn set(fd: BorrowedFd<'_>, entry: &Entry) -> Result<(), Errno> {
    // in a set-group-id directory the kernel gave it the directory's group
    let stat = fs::fstat(fd)?;
    if (stat.st_uid, stat.st_gid) != (entry.uid, entry.gid) {
        fs::fchown(fd, Some(uid(entry.uid)), Some(gid(entry.gid)))?;
    }
    fs::fchmod(fd, Mode::from(entry.mode))?;
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_allowed(name)) {
        ignore_unsupported(fs::fsetxattr(fd, &name[..], value, XattrFlags::empty()))?;
    }
    Ok(())
}

/// Sets all, the times too, of what must not be opened: symlinks, devices, FIFOs.
pub(super) fn set_unopened(dir: BorrowedFd<'_>, name: &[u8], entry: &Entry, is_link: bool) -> Result<(), Errno> {
    fs::chownat(dir, name, Some(uid(entry.uid)), Some(gid(entry.gid)), AtFlags::SYMLINK_NOFOLLOW)?;
    if !is_link {
        fs::chmodat(dir, name, Mode::from(entry.mode), AtFlags::empty())?;
    }
    for (attribute, value) in entry.xattrs.iter().filter(|(name, _)| is_allowed(name)) {
        let path = by_descriptor(dir, name);
        ignore_unsupported(fs::lsetxattr(path, &attribute[..], value, XattrFlags::empty()))?;
    }
    fs::utimensat(dir, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn times(entry: &Entry) -> Timestamps {
    let spec = |t: Timestamp| Timespec { tv_sec: t.secs as _, tv_nsec: t.nanos as _ };
    Timestamps { last_access: spec(entry.atime.unwrap_or(entry.mtime)), last_modification: spec(entry.mtime) }
}

/// Labels of the machine a layer was made on stay there, and overlayfs' own marks are not an image's to set: a
/// `trusted.overlay.redirect` would show files of other layers.
fn is_allowed(name: &[u8]) -> bool {
    if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
        return false;
    }
    name == b"security.capability"
        || [&b"user."[..], b"trusted.", b"system.posix_acl_"].iter().any(|prefix| name.starts_with(prefix))
}

/// A filesystem without extended attributes, or a kind of file which cannot have this one, is no reason to refuse an
/// image.
fn ignore_unsupported(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOTSUP) => Ok(()),
        // user.* on anything but files and directories (xattr(7))
        Err(Errno::PERM) => Ok(()),
        other => other,
    }
}

fn uid(raw: u32) -> Uid {
    Uid::from_raw(raw)
}

fn gid(raw: u32) -> Gid {
    Gid::from_raw(raw)
}

/// The times of what `stat` was asked of, to be given to it again.
pub fn stat_times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime as _, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ },
    }
}

/// Gives `to` the owner, mode, extended attributes and times of `from`; both are open directories or files. overlayfs'
/// marks stay where they are.
pub fn copy_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let stat = fs::fstat(from)?;
    fs::fchown(to, Some(uid(stat.st_uid)), Some(gid(stat.st_gid)))?;
    fs::fchmod(to, Mode::from(stat.st_mode & 0o7777))?;
    let mut names = Vec::new();
    let known = match fs::flistxattr_query(from) {
        Err(Errno::NOTSUP) => 0,
        other => other?,
    };
    names.resize(known, 0);
    let n = if known == 0 { 0 } else { fs::flistxattr(from, &mut names[..])? };
    for name in names[..n].split(|b| *b == 0).filter(|name| is_carried(name)) {
        let mut value = vec![0; fs::fgetxattr_query(from, name)?];
        let len = fs::fgetxattr(from, name, &mut value[..])?;
        ignore_unsupported(fs::fsetxattr(to, name, &value[..len], XattrFlags::empty()))?;
    }
    Ok(fs::futimens(to, &stat_times(&stat))?)
}

/// Whether an attribute goes with a file from one place to another.
pub fn is_carried(name: &[u8]) -> bool {
    !name.is_empty() && is_allowed(name)
}

/// Copies the entry `name` of the directory `from` to `new` in `to`, where there is none: everything but a directory's
/// content.
pub fn copy_entry(from: BorrowedFd<'_>, name: &[u8], to: BorrowedFd<'_>, new: &[u8]) -> io::Result<()> {
    let stat = fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            fs::mkdirat(to, new, Mode::from(0o700))?;
            return copy_attributes(open_dir(from, name)?.as_fd(), open_dir(to, new)?.as_fd());
        }
        FileType::RegularFile => return copy_file(from, name, to, new),
        FileType::Symlink => fs::symlinkat(&*fs::readlinkat(from, name, Vec::new())?, to, new)?,
        kind => {
            fs::mknodat(to, new, kind, Mode::from(0o600), stat.st_rdev)?;
            fs::chmodat(to, new, Mode::from(stat.st_mode & 0o7777), AtFlags::empty())?;
        }
    }
    fs::chownat(to, new, Some(uid(stat.st_uid)), Some(gid(stat.st_gid)), AtFlags::SYMLINK_NOFOLLOW)?;
    copy_xattrs_unopened(&by_descriptor(from, name), &by_descriptor(to, new))?;
    Ok(fs::utimensat(to, new, &stat_times(&stat), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn open_dir(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    fs::openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn copy_file(from: BorrowedFd<'_>, name: &[u8], to: BorrowedFd<'_>, new: &[u8]) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let source = fs::openat(from, name, OFlags::RDONLY | OFlags::NONBLOCK | flags, Mode::empty())?;
    let target = fs::openat(to, new, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags, Mode::from(0o600))?;
    // shares the blocks where the filesystem can (btrfs, XFS), which also keeps holes
    if fs::ioctl_ficlone(&target, &source).is_err() {
        copy_data(&File::from(source.try_clone()?), &File::from(target.try_clone()?))?;
    }
    copy_attributes(source.as_fd(), target.as_fd())
}

/// Copies the runs of data and leaves the holes.
fn copy_data(source: &File, target: &File) -> io::Result<()> {
    use fs::SeekFrom;
    let size = source.metadata()?.len();
    target.set_len(size)?;
    let mut at = 0;
    while at < size {
        let start = match fs::seek(source, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let end = fs::seek(source, SeekFrom::Hole(start))?;
        fs::seek(source, SeekFrom::Start(start))?;
        fs::seek(target, SeekFrom::Start(start))?;
        io::copy(&mut io::Read::take(source, end - start), &mut &*target)?;
        at = end;
    }
    Ok(())
}

fn copy_xattrs_unopened(from: &Path, to: &Path) -> io::Result<()> {
    let known = match fs::llistxattr_query(from) {
        Err(Errno::NOTSUP) | Ok(0) => return Ok(()),
        other => other?,
    };
    let mut names = vec![0; known];
    let n = fs::llistxattr(from, &mut names[..])?;
    for name in names[..n].split(|b| *b == 0).filter(|name| is_carried(name)) {
        let mut value = vec![0; fs::lgetxattr_query(from, name)?];
        let len = fs::lgetxattr(from, name, &mut value[..])?;
        ignore_unsupported(fs::lsetxattr(to, name, &value[..len], XattrFlags::empty()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_attributes_an_image_may_set() {
        for (name, expected) in [
            ("security.capability", true),
            ("user.mime_type", true),
            ("trusted.thing", true),
            ("system.posix_acl_access", true),
            ("trusted.overlay.opaque", false),
            ("trusted.overlay.redirect", false),
            ("trusted.overlay.overlay.opaque", false),
            ("user.overlay.whiteout", false),
            ("security.selinux", false),
            ("security.ima", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(name.as_bytes()), expected, "{name}");
        }
    }
}
