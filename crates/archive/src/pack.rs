//! A directory into a tar.
//!
//! Everything is reached by descriptors from the directory down, no link is followed, and what is no regular file is never
//! opened: who owns the tree may change it meanwhile, and gets nothing but a muddled archive. Sockets are left out, as tar
//! has no entry for them. The order is that of the names, so that the same tree makes the same archive.
//!
//! A file that shrinks while it is read is filled up with zeros: its size stands in the archive already.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Stat},
    io::Errno,
};
use values::Timestamp;

use crate::{
    Ids,
    root::by_descriptor,
    tar::{Entry, Kind, Writer},
    unpack::{is_carried, is_opaque, is_whiteout},
};

/// What overlayfs' marks of deletion become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// OCI's whiteouts (image-spec layer.md): `.wh.NAME`, `.wh..wh..opq`.
    Whiteouts,
    /// Nothing is a mark: the entries are as they are.
    Plain,
}

/// Directories in each other at most. Each is open while what lies in it is packed; a path that a program could name
/// has half of `PATH_MAX` at most.
const DEPTH_MAX: usize = 2048;
const BUFFER: usize = 128 << 10;
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Packs trees and single entries into one tar.
pub struct Packer<W> {
    writer: Writer<W>,
    marks: Marks,
    ids: Ids,
    /// Names in the archive of files that have several, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
}

/// A directory whose entries are being packed.
struct Level {
    fd: OwnedFd,
    /// Its name in the archive.
    name: Vec<u8>,
    /// Names of what is still to be packed, the next one last.
    left: Vec<Vec<u8>>,
}

impl<W: Write> Packer<W> {
    pub fn new(inner: W, marks: Marks) -> Self {
        Self::with_ids(inner, marks, Ids::default())
    }

    /// Owners are written as they are inside.
    pub fn with_ids(inner: W, marks: Marks, ids: Ids) -> Self {
        Self { writer: Writer::new(inner), marks, ids, links: HashMap::new(), buffer: vec![0; BUFFER] }
    }

    /// All that is in the directory `dir`, below `name` in the archive; the directory itself too unless `name` is empty.
    pub fn tree(&mut self, dir: OwnedFd, name: &[u8]) -> io::Result<()> {
        let stat = fs::fstat(&dir)?;
        if !name.is_empty() {
            self.directory(dir.as_fd(), name, &stat)?;
        }
        let mut levels = vec![self.level(dir, name.to_vec())?];
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.left.pop() else {
                levels.pop();
                continue;
            };
            let path = join(&level.name, &entry);
            let Some(inner) = self.entry(level.fd.as_fd(), &entry, &path)? else { continue };
            if levels.len() == DEPTH_MAX {
                return Err(io::Error::other("directories lie too deep in each other"));
            }
            levels.push(self.level(inner, path)?);
        }
        Ok(())
    }

    /// The entry `entry` of the directory `dir` as `name`, with all that is in it.
    pub fn one(&mut self, dir: BorrowedFd<'_>, entry: &[u8], name: &[u8]) -> io::Result<()> {
        match open_directory(dir, entry) {
            Ok(inner) => self.tree(inner, name),
            Err(Errno::NOTDIR | Errno::LOOP) => self.entry(dir, entry, name).map(drop),
            Err(e) => Err(e.into()),
        }
    }

    /// The entry `entry` of the directory `dir` as `name`, without what is in it.
    pub fn single(&mut self, dir: impl AsFd, entry: &[u8], name: &[u8]) -> io::Result<()> {
        self.entry(dir.as_fd(), entry, name).map(drop)
    }

    /// An entry without data that stands for nothing in a directory.
    pub fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.writer.entry(entry)
    }

    /// Ends the archive.
    pub fn finish(self) -> io::Result<W> {
        self.writer.finish()
    }

    fn level(&mut self, fd: OwnedFd, name: Vec<u8>) -> io::Result<Level> {
        if self.marks == Marks::Whiteouts && is_opaque(fd.as_fd()) {
            self.writer.entry(&Entry::new(Kind::File, join(&name, b".wh..wh..opq")))?;
        }
        let mut left = Vec::new();
        for entry in Dir::read_from(&fd)? {
            let entry = entry?.file_name().to_bytes().to_vec();
            if !matches!(&entry[..], b"." | b"..") {
                left.push(entry);
            }
        }
        left.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Level { fd, name, left })
    }

    /// Packs an entry; a directory is returned, open. One that has vanished meanwhile is passed over.
    fn entry(&mut self, dir: BorrowedFd<'_>, entry: &[u8], name: &[u8]) -> io::Result<Option<OwnedFd>> {
        match self.present(dir, entry, name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other,
        }
    }

    fn present(&mut self, dir: BorrowedFd<'_>, entry: &[u8], name: &[u8]) -> io::Result<Option<OwnedFd>> {
        let stat = fs::statat(dir, entry, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            let inner = open_directory(dir, entry)?;
            self.directory(inner.as_fd(), name, &fs::fstat(&inner)?)?;
            return Ok(Some(inner));
        }
        if self.marks == Marks::Whiteouts && is_whiteout(&stat) {
            let (parent, last) = crate::split(name);
            self.writer.entry(&Entry::new(Kind::File, join(parent, &[b".wh.", last].concat())))?;
            return Ok(None);
        }
        if self.link(name, &stat)? {
            return Ok(None);
        }
        match kind {
            FileType::RegularFile => self.file(dir, entry, name)?,
            FileType::Symlink => {
                let link = fs::readlinkat(dir, entry, Vec::new())?.into_bytes();
                let described = Entry { link, ..self.described(Kind::Symlink, name, &stat) };
                self.unopened(dir, entry, described)?;
            }
            FileType::CharacterDevice => {
                let described = self.described(Kind::CharDevice, name, &stat);
                self.unopened(dir, entry, described)?;
            }
            FileType::BlockDevice => {
                let described = self.described(Kind::BlockDevice, name, &stat);
                self.unopened(dir, entry, described)?;
            }
            FileType::Fifo => {
                let described = self.described(Kind::Fifo, name, &stat);
                self.unopened(dir, entry, described)?;
            }
            _ => {}
        }
        Ok(None)
    }

    /// A further name of a file that is in the archive already.
    fn link(&mut self, name: &[u8], stat: &Stat) -> io::Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let key = (stat.st_dev, stat.st_ino);
        let Some(first) = self.links.get(&key) else {
            self.links.insert(key, name.to_vec());
            return Ok(false);
        };
        let entry = Entry { link: first.clone(), ..self.described(Kind::HardLink, name, stat) };
        self.writer.entry(&entry)?;
        Ok(true)
    }

    fn described(&self, kind: Kind, name: &[u8], stat: &Stat) -> Entry {
        described(kind, name, stat, &self.ids)
    }

    fn directory(&mut self, fd: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> io::Result<()> {
        let slash: &[u8] = if name.ends_with(b"/") { b"" } else { b"/" };
        let path = [name, slash].concat();
        let entry = Entry { xattrs: xattrs_of(fd)?, ..self.described(Kind::Directory, &path, stat) };
        self.writer.entry(&entry)
    }

    fn unopened(&mut self, dir: BorrowedFd<'_>, entry: &[u8], described: Entry) -> io::Result<()> {
        self.writer.entry(&Entry { xattrs: xattrs_at(dir, entry)?, ..described })
    }

    fn file(&mut self, dir: BorrowedFd<'_>, entry: &[u8], name: &[u8]) -> io::Result<()> {
        // what was looked at may have been exchanged: a FIFO must not hold us up
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = std::fs::File::from(fs::openat(dir, entry, flags, Mode::empty())?);
        let stat = fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let size = stat.st_size as u64;
        let xattrs = xattrs_of(file.as_fd())?;
        let described = Entry { size, xattrs, ..self.described(Kind::File, name, &stat) };
        self.writer.entry(&described)?;
        if stat.st_blocks as u64 * 512 < size && self.runs(&file, size)? {
            return Ok(());
        }
        let copied = self.copy(file.take(size))?;
        self.zeros(size - copied)
    }

    /// A file with holes, which need not be read; false where its filesystem does not tell of them.
    fn runs(&mut self, file: &std::fs::File, size: u64) -> io::Result<bool> {
        let mut at = 0;
        while at < size {
            let data = match fs::seek(file, SeekFrom::Data(at)) {
                Ok(data) => data.min(size),
                Err(Errno::NXIO) => size,
                Err(_) if at == 0 => return Ok(false),
                Err(e) => return Err(e.into()),
            };
            self.zeros(data - at)?;
            // one that is truncated meanwhile has nothing there
            let hole = fs::seek(file, SeekFrom::Hole(data)).unwrap_or(size).min(size);
            fs::seek(file, SeekFrom::Start(data))?;
            let copied = self.copy(file.take(hole - data))?;
            self.zeros(hole - data - copied)?;
            at = hole;
        }
        Ok(true)
    }

    fn copy(&mut self, mut from: impl Read) -> io::Result<u64> {
        let mut copied = 0;
        loop {
            match from.read(&mut self.buffer) {
                Ok(0) => return Ok(copied),
                Ok(n) => {
                    self.writer.write_all(&self.buffer[..n])?;
                    copied += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.buffer.fill(0);
        let mut zeros = io::repeat(0).take(count);
        self.copy(&mut zeros).map(drop)
    }
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    match parent {
        b"" => name.to_vec(),
        b"/" => [b"/", name].concat(),
        _ => [parent, b"/", name].concat(),
    }
}

fn open_directory(dir: BorrowedFd<'_>, entry: &[u8]) -> Result<OwnedFd, Errno> {
    fs::openat(dir, entry, DIRECTORY, Mode::empty())
}

fn described(kind: Kind, name: &[u8], stat: &Stat, ids: &Ids) -> Entry {
    let (uid, gid) = ids.inside(stat.st_uid, stat.st_gid);
    let device = match kind {
        Kind::CharDevice | Kind::BlockDevice => (fs::major(stat.st_rdev), fs::minor(stat.st_rdev)),
        _ => (0, 0),
    };
    Entry {
        mode: stat.st_mode & 0o7777,
        uid,
        gid,
        mtime: Timestamp { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
        device,
        ..Entry::new(kind, name)
    }
}

type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

fn xattrs_of(fd: BorrowedFd<'_>) -> io::Result<Xattrs> {
    collect(|buffer| fs::flistxattr(fd, buffer), |name, buffer| fs::fgetxattr(fd, name, buffer))
}

fn xattrs_at(dir: BorrowedFd<'_>, entry: &[u8]) -> io::Result<Xattrs> {
    let path = by_descriptor(dir, entry);
    collect(|buffer| fs::llistxattr(&path, buffer), |name, buffer| fs::lgetxattr(&path, name, buffer))
}

/// The attributes an archive carries. One that vanishes or grows meanwhile is left out.
fn collect(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
) -> io::Result<Xattrs> {
    let size = match list(&mut []) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(vec![]),
        other => other?,
    };
    let mut names = vec![0; size];
    let size = list(&mut names)?;
    let mut found = vec![];
    for name in names[..size].split(|b| *b == 0).filter(|name| is_carried(name)) {
        let Ok(size) = get(name, &mut []) else { continue };
        let mut value = vec![0; size];
        if let Ok(size) = get(name, &mut value) {
            value.truncate(size);
            found.push((name.to_vec(), value));
        }
    }
    Ok(found)
}
