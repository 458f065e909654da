//! One entry onto the disk.

use std::{
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    rc::Rc,
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};
use values::Error;

use super::{Deletions, Orphan, Unpacking, attributes, whiteout};
use crate::{
    HoleWriter,
    fault::Fault,
    remove::remove_tree,
    root::{clean, split},
    tar::{Entry, Extent, Kind},
};

impl Unpacking<'_> {
    pub(super) fn make(&mut self, entry: &Entry, path: &[u8], data: &mut impl Read) -> Result<(), Fault> {
        let (parent, name) = split(path);
        self.make_dirs(parent)?;
        self.wrote(path);
        if entry.kind == Kind::Directory {
            return self.directory(entry, path);
        }
        let dir = self.make_way(parent, name)?;
        let dir = dir.as_fd();
        match entry.kind {
            Kind::File => self.file(entry, dir, name, data),
            Kind::Symlink => {
                fs::symlinkat(&entry.link[..], dir, name)?;
                Ok(attributes::set_unopened(dir, name, entry, true)?)
            }
            Kind::HardLink => self.hard_link(entry, path, dir, name),
            Kind::CharDevice => Ok(node(dir, name, FileType::CharacterDevice, entry)?),
            Kind::BlockDevice => Ok(node(dir, name, FileType::BlockDevice, entry)?),
            Kind::Fifo => Ok(node(dir, name, FileType::Fifo, entry)?),
            Kind::Directory => Ok(()),
        }
    }

    /// The directory at `path`; what of it is missing is made, with attributes to be found out later.
    pub(super) fn make_dirs(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, Fault> {
        match self.directories.get(path) {
            Err(Errno::NOENT | Errno::NOTDIR) if !path.is_empty() => {}
            other => return Ok(other?),
        }
        let (parent, name) = split(path);
        let dir = self.make_dirs(parent)?;
        self.make_dir(dir.as_fd(), name, path)?;
        if self.deletions == Deletions::Mark {
            self.implied.insert(path.to_vec());
        }
        Ok(self.directories.get(path)?)
    }

    /// Makes a directory where there may be a deletion's mark of this layer, but nothing else.
    fn make_dir(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<(), Fault> {
        match fs::mkdirat(dir, name, Mode::from(0o755)) {
            Err(Errno::EXIST) if self.deletions == Deletions::Mark && is_mark(dir, name) => {
                // Deleted and made anew in one layer: what lies below must not shine through.
                fs::unlinkat(dir, name, AtFlags::empty())?;
                fs::mkdirat(dir, name, Mode::from(0o755))?;
                whiteout::mark_opaque(self.root.real_dir(path)?.as_fd())?;
            }
            other => other?,
        }
        // the umask may have taken bits away
        Ok(fs::chmodat(dir, name, Mode::from(0o755), AtFlags::empty())?)
    }

    fn directory(&mut self, entry: &Entry, path: &[u8]) -> Result<(), Fault> {
        let (parent, name) = split(path);
        let dir = self.directories.get(parent)?;
        let known = match fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(e) => return Err(e.into()),
        };
        match known {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
            Some(stat) if !(self.deletions == Deletions::Mark && whiteout::is_whiteout(&stat)) => {
                let dir = self.make_way(parent, name)?;
                self.make_dir(dir.as_fd(), name, path)?;
            }
            _ => self.make_dir(dir.as_fd(), name, path)?,
        }
        self.implied.remove(path);
        Ok(self.directories.set(path, entry)?)
    }

    /// Removes what is at `name` of the directory `parent`, which is returned. A directory goes with all in it, as when a
    /// layer puts a file in its place.
    fn make_way(&mut self, parent: &[u8], name: &[u8]) -> Result<Rc<OwnedFd>, Fault> {
        let dir = self.directories.get(parent)?;
        match fs::unlinkat(&*dir, name, AtFlags::empty()) {
            Err(Errno::NOENT) => return Ok(dir),
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => remove_tree(dir.as_fd(), name)?,
            Err(e) => return Err(e.into()),
        }
        // Open directories may have been below it, or reached through it if it was a symlink.
        self.directories.flush()?;
        Ok(self.directories.get(parent)?)
    }

    fn file(&mut self, entry: &Entry, dir: BorrowedFd<'_>, name: &[u8], data: &mut impl Read) -> Result<(), Fault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(fs::openat(dir, name, flags, Mode::from(0o600))?);
        match &entry.extents {
            None => self.write(&file, entry.size, data)?,
            Some(extents) => self.write_sparse(&file, entry.size, extents, data)?,
        }
        self.result.bytes = self.result.bytes.saturating_add(entry.size);
        attributes::set(file.as_fd(), entry)?;
        Ok(fs::futimens(&file, &attributes::times(entry))?)
    }

    fn write(&mut self, file: &File, mut left: u64, data: &mut impl Read) -> Result<(), Fault> {
        let mut file = HoleWriter::new(file);
        while left > 0 {
            let n = self.fill(left, data)?;
            file.write_all(&self.buffer[..n])?;
            left -= n as u64;
        }
        Ok(file.finish()?)
    }

    fn write_sparse(&mut self, file: &File, size: u64, extents: &[Extent], data: &mut impl Read) -> Result<(), Fault> {
        file.set_len(size)?;
        for extent in extents {
            let mut done = 0;
            while done < extent.len {
                let n = self.fill(extent.len - done, data)?;
                file.write_all_at(&self.buffer[..n], extent.offset + done)?;
                done += n as u64;
            }
        }
        Ok(())
    }

    /// The next `left` bytes of data into the buffer, or as many as it holds; how many.
    fn fill(&mut self, left: u64, data: &mut impl Read) -> Result<usize, Fault> {
        let wanted = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut filled = 0;
        while filled < wanted {
            match data.read(&mut self.buffer[filled..wanted]) {
                Ok(0) => return Err(Error::invalid("unexpected EOF").into()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(Error::invalid("unexpected EOF").into());
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(filled)
    }

    fn hard_link(&mut self, entry: &Entry, path: &[u8], dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Fault> {
        let target = self.placed(clean(&entry.link)?);
        let missing = || Error::invalid(format!("hard link to {:?}, which is not there", crate::root::shown(&target)));
        if target == path || target.is_empty() {
            return Err(missing().into());
        }
        let (parent, last) = split(&target);
        let linked = match self.directories.get(parent) {
            Ok(from) if self.deletions == Deletions::Mark && is_mark(from.as_fd(), last) => Err(Errno::NOENT),
            Ok(from) => fs::linkat(&*from, last, dir, name, AtFlags::empty()),
            Err(e) => Err(e),
        };
        match linked {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::NOTDIR) if self.deletions == Deletions::Mark => {
                self.result.orphans.push(Orphan { path: path.to_vec(), target });
                Ok(())
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Err(missing().into()),
            Err(e) => Err(e.into()),
        }
    }
}

fn is_mark(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| whiteout::is_whiteout(&stat))
}

fn node(dir: BorrowedFd<'_>, name: &[u8], kind: FileType, entry: &Entry) -> Result<(), Errno> {
    let device = if kind == FileType::Fifo { 0 } else { fs::makedev(entry.device.0, entry.device.1) };
    fs::mknodat(dir, name, kind, Mode::from(0o600), device)?;
    attributes::set_unopened(dir, name, entry, false)
}
