use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, ResolveFlags, Stat},
    io::{Errno, Result},
};
use values::Error;

/// A directory which is `/` for every path given here: the kernel resolves them (`RESOLVE_IN_ROOT`, openat2(2)), so that
/// neither `..` nor a symlink, planted before or exchanged meanwhile, leads out.
pub struct Root {
    fd: OwnedFd,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Root {
    /// `dir` itself is opened as any path is.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self { fd: fs::open(dir, DIRECTORY, Mode::empty())? })
    }

    /// The directory that `fd` is.
    pub fn of(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// The directory at `path`, symlinks followed within the root. An empty path is the root.
    pub fn dir(&self, path: &[u8]) -> Result<OwnedFd> {
        self.resolve(path, DIRECTORY, ResolveFlags::IN_ROOT)
    }

    /// The directory at `path`, no symlinks followed.
    pub fn real_dir(&self, path: &[u8]) -> Result<OwnedFd> {
        self.resolve(path, DIRECTORY, ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS)
    }

    fn resolve(&self, path: &[u8], flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd> {
        let path = if path.is_empty() { &b"."[..] } else { path };
        loop {
            match fs::openat2(&self.fd, path, flags, Mode::empty(), resolve | ResolveFlags::NO_MAGICLINKS) {
                // a rename somewhere on the machine while `..` was looked at: openat2(2) says to try again
                Err(Errno::AGAIN) => {}
                result => return result,
            }
        }
    }

    /// What is at `path` itself; the symlinks before its last component are followed only with `follow`.
    pub fn stat(&self, path: &[u8], follow: bool) -> Result<Stat> {
        let (parent, name) = split(path);
        if name.is_empty() {
            return fs::fstat(&self.fd);
        }
        let parent = if follow { self.dir(parent)? } else { self.real_dir(parent)? };
        fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Parent and last component of a path that [`clean`] made.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(i) => (&path[..i], &path[i + 1..]),
        None => (b"", path),
    }
}

/// A path of an archive as one relative to its root: no leading `/`, no `.`, no `..`; empty for the root itself.
///
/// # Errors
/// `InvalidArgument` where it leads out of the root, or no path could be made of it.
pub fn clean(path: &[u8]) -> values::Result<Vec<u8>> {
    let shown = || String::from_utf8_lossy(path).into_owned();
    if path.contains(&0) {
        return Err(Error::invalid(format!("invalid path in archive: {:?}", shown())));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if parts.pop().is_none() {
                    return Err(Error::invalid(format!("path leads out of the archive's root: {:?}", shown())));
                }
            }
            name => parts.push(name),
        }
    }
    Ok(parts.join(&b'/'))
}

/// For messages.
pub(crate) fn shown(path: &[u8]) -> std::path::Display<'_> {
    Path::new(OsStr::from_bytes(path)).display()
}

/// A path by which the kernel finds entry `name` of the open directory `dir`, for calls that take no descriptor.
pub(crate) fn by_descriptor(dir: BorrowedFd<'_>, name: &[u8]) -> PathBuf {
    use std::os::fd::AsRawFd;
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    path.push(OsStr::from_bytes(name));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_or_refused() {
        for (path, expected) in [
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("/etc/passwd", Some("etc/passwd")),
            ("a/../b", Some("b")),
            ("", Some("")),
            ("./", Some("")),
            ("..", None),
            ("a/../../b", None),
            ("/../etc", None),
            ("a\0b", None),
        ] {
            assert_eq!(clean(path.as_bytes()).ok(), expected.map(|e| e.as_bytes().to_vec()), "{path}");
        }
    }
}
