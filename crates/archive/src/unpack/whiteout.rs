//! Deletions: names in a tar, marks on a disk.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, Stat, XattrFlags},
    io::Errno,
};

use super::{Deletions, Unpacking};
use crate::{fault::Fault, remove::remove_tree, root::split};

/// overlayfs' attribute of a directory that hides those below it; its value is `y`.
pub const OPAQUE: &str = "trusted.overlay.opaque";

/// What the last component of a path in a layer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// Nothing of deletions.
    Plain,
    /// `.wh..wh..opq`: what is lower in the directory is gone.
    Opaque,
    /// Other `.wh..wh.*`: AUFS' own files, no part of a layer.
    Reserved,
    /// That name of the directory is gone, as far as lower layers have it.
    Deleted(&'a [u8]),
    Invalid,
}

/// Reads the last component of a path in a layer (image-spec layer.md).
pub fn name(last: &[u8]) -> Name<'_> {
    match last.strip_prefix(b".wh.") {
        None => Name::Plain,
        Some(b".wh..opq") => Name::Opaque,
        Some(rest) if rest.starts_with(b".wh.") => Name::Reserved,
        Some(b"" | b"." | b"..") => Name::Invalid,
        Some(rest) => Name::Deleted(rest),
    }
}

/// Whether this is overlayfs' mark for a deleted name.
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether the directory hides what lies below it.
pub fn is_opaque(dir: BorrowedFd<'_>) -> bool {
    let mut value = [0u8; 2];
    matches!(fs::fgetxattr(dir, OPAQUE, &mut value[..]), Ok(1) if value[0] == b'y')
}

impl Unpacking<'_> {
    /// Everything lower in `dir` is gone.
    pub(super) fn opaque(&mut self, dir: &[u8]) -> Result<(), Fault> {
        let fd = self.make_dirs(dir)?;
        match self.deletions {
            Deletions::None => {}
            Deletions::Mark => mark_opaque(fd.as_fd())?,
            Deletions::Do => {
                self.remove_lower(fd.as_fd(), dir)?;
                self.directories.flush()?;
            }
        }
        Ok(())
    }

    /// `name` in `dir` is gone, unless this layer has it.
    pub(super) fn delete(&mut self, dir: &[u8], name: &[u8]) -> Result<(), Fault> {
        let path = if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() };
        match self.deletions {
            Deletions::None => Ok(()),
            Deletions::Mark => {
                let fd = self.make_dirs(dir)?;
                let device = fs::makedev(0, 0);
                match fs::mknodat(&*fd, name, FileType::CharacterDevice, Mode::empty(), device) {
                    Ok(()) => Ok(()),
                    // This layer's own: a directory then stands for itself alone, a file hides the lower one anyway.
                    Err(Errno::EXIST) => match self.root.real_dir(&path) {
                        Ok(own) => Ok(mark_opaque(own.as_fd())?),
                        Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
                        Err(e) => Err(e.into()),
                    },
                    Err(e) => Err(e.into()),
                }
            }
            Deletions::Do => {
                let Ok(fd) = self.directories.get(dir) else { return Ok(()) };
                if !self.written.contains(&path) {
                    remove_tree(fd.as_fd(), name)?;
                    self.directories.flush()?;
                }
                Ok(())
            }
        }
    }

    /// Deletes what of `dir` is not of this layer, itself or as a way to something that is.
    fn remove_lower(&self, dir: BorrowedFd<'_>, path: &[u8]) -> Result<(), Fault> {
        let names: Vec<Vec<u8>> = Dir::read_from(dir)?
            .map(|entry| entry.map(|e| e.file_name().to_bytes().to_vec()))
            .collect::<Result<_, Errno>>()?;
        for name in names.iter().filter(|n| !matches!(&n[..], b"." | b"..")) {
            let inner = if path.is_empty() { name.clone() } else { [path, b"/", name].concat() };
            if !self.written.contains(&inner) {
                remove_tree(dir, name)?;
                continue;
            }
            let stat = fs::statat(dir, &name[..], AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                self.remove_lower(self.root.real_dir(&inner)?.as_fd(), &inner)?;
            }
        }
        Ok(())
    }

    /// Remembers that `path`, and with it the way there, is this layer's.
    pub(super) fn wrote(&mut self, path: &[u8]) {
        if self.deletions != Deletions::Do {
            return;
        }
        let mut path = path;
        while !path.is_empty() && self.written.insert(path.to_vec()) {
            path = split(path).0;
        }
    }
}

pub(super) fn mark_opaque(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    fs::fsetxattr(dir, OPAQUE, b"y", XattrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("file", Name::Plain),
            (".wh", Name::Plain),
            (".wh.file", Name::Deleted(b"file")),
            (".wh..hidden", Name::Deleted(b".hidden")),
            (".wh..wh..opq", Name::Opaque),
            (".wh..wh.plnk", Name::Reserved),
            (".wh.", Name::Invalid),
            (".wh..", Name::Invalid),
            (".wh...", Name::Invalid),
        ] {
            assert_eq!(name(text.as_bytes()), expected, "{text}");
        }
    }
}
