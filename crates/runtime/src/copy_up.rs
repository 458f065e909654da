//! The mount option `tmpcopyup`: a tmpfs that begins with what the image has in its place.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use sys::path;

/// Deeper trees are no image's.
const DEPTH: usize = 128;
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies the directory at `place` below `root` into the new file system `to`: directories, files and links, with owners
/// and modes. Nothing there: nothing to do.
pub(crate) fn copy(root: BorrowedFd<'_>, place: &str, to: &OwnedFd) -> Result<(), Errno> {
    let from = match path::open_in_root(root, place, OFlags::RDONLY | OFlags::DIRECTORY) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let to = rustix::fs::openat(to, c".", DIRECTORY, Mode::empty())?;
    own(&to, &rustix::fs::fstat(&from)?)?;
    directory(&from, &to, DEPTH)
}

fn directory(from: &OwnedFd, to: &OwnedFd, depth: usize) -> Result<(), Errno> {
    if depth == 0 {
        return Err(Errno::LOOP);
    }
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                rustix::fs::mkdirat(to, name, Mode::RWXU)?;
                let inner = rustix::fs::openat(from, name, DIRECTORY, Mode::empty())?;
                let made = rustix::fs::openat(to, name, DIRECTORY, Mode::empty())?;
                directory(&inner, &made, depth - 1)?;
                own(&made, &stat)?;
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let inner = rustix::fs::openat(from, name, flags, Mode::empty())?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)?;
                let (mut inner, mut file) = (File::from(inner), File::from(made));
                std::io::copy(&mut inner, &mut file).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
                own(&file, &stat)?;
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                rustix::fs::symlinkat(target, to, name)?;
                let (uid, gid) = owner(&stat);
                rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            // Sockets, pipes and devices are no content.
            _ => {}
        }
    }
    Ok(())
}

fn own(fd: impl AsFd, stat: &Stat) -> Result<(), Errno> {
    let (uid, gid) = owner(stat);
    rustix::fs::fchown(&fd, uid, gid)?;
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(stat.st_mode & 0o7777))
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
}
