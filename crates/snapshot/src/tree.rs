//! Whole trees: how large they are, copies of them.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use archive::unpack::{copy_attributes, copy_entry};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

/// What a tree takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Lengths of all files, each counted once however many names it has.
    pub bytes: u64,
    /// Bytes allocated on the disk, directories included.
    pub disk: u64,
    /// Files, directories and all else; the tree's own directory not counted.
    pub inodes: u64,
}

/// Deeper than that is not counted: a container may nest directories without end.
const DEPTH_MAX: usize = 256;

/// What lies below a directory.
///
/// # Errors
/// What the kernel says of the directory itself; entries that vanish meanwhile are passed over.
pub fn usage(dir: &Path) -> io::Result<Usage> {
    let mut usage = Usage::default();
    let mut seen = HashSet::new();
    count(open(dir)?.as_fd(), 0, &mut usage, &mut seen)?;
    Ok(usage)
}

fn count(dir: BorrowedFd<'_>, depth: usize, usage: &mut Usage, seen: &mut HashSet<u64>) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 && !seen.insert(stat.st_ino) {
            continue;
        }
        usage.inodes += 1;
        usage.disk += stat.st_blocks as u64 * 512;
        match kind {
            FileType::RegularFile => usage.bytes += stat.st_size as u64,
            FileType::Directory if depth < DEPTH_MAX => {
                if let Ok(inner) = open_at(dir, name.to_bytes()) {
                    count(inner.as_fd(), depth + 1, usage, seen)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Brings a small tree onto the disk, file by file.
pub(crate) fn sync(dir: &Path) -> io::Result<()> {
    sync_in(open(dir)?.as_fd())
}

fn sync_in(dir: BorrowedFd<'_>) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        match entry.file_type() {
            _ if matches!(name, b"." | b"..") => {}
            FileType::Directory => sync_in(open_at(dir, name)?.as_fd())?,
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                fs::fsync(fs::openat(dir, name, flags, Mode::empty())?)?;
            }
            // links, devices and the like are their directory's
            _ => {}
        }
    }
    Ok(fs::fsync(dir)?)
}

/// Copies all that is in `from` into the empty directory `to`, and its attributes: hard links, holes, devices, times.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (open(from)?, open(to)?);
    copy_into(from.as_fd(), to.as_fd(), &to, b"", &mut HashMap::new())
}

/// Names of files that have several, by inode: the path of the copy.
type Links = HashMap<u64, Vec<u8>>;

fn copy_into(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    top: &OwnedFd,
    path: &[u8],
    links: &mut Links,
) -> io::Result<()> {
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let stat = fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let inner = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_dir && stat.st_nlink > 1 {
            if let Some(first) = links.get(&stat.st_ino) {
                fs::linkat(top, &first[..], to, name, AtFlags::empty())?;
                continue;
            }
            links.insert(stat.st_ino, inner.clone());
        }
        copy_entry(from, name, to, name)?;
        if is_dir {
            copy_into(open_at(from, name)?.as_fd(), open_at(to, name)?.as_fd(), top, &inner, links)?;
        }
    }
    // last: writing into it has changed its times
    copy_attributes(from, to)
}

fn open(dir: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn open_at(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(dir, name, flags, Mode::empty())?)
}
