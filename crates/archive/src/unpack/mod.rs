//! A layer's tar into a directory.
//!
//! Paths are cleaned, then resolved by the kernel with the directory as root ([`Root`]); the last component is never
//! followed. So an absolute name, `..`, a symlink to somewhere or a hard link to outside stays inside or is refused,
//! also when the archive makes the symlink itself.
//!
//! Deletions are OCI's (image-spec layer.md): `.wh.NAME` deletes NAME, `.wh..wh..opq` all that lies below a directory,
//! both only as far as it comes from lower layers. [`Deletions`] says how they are kept.
//!
//! Attributes set, in this order because each spoils those before it: owner, mode, extended attributes
//! (`security.capability`, `user.*`, `trusted.*`, ACLs; never overlayfs' own, which would change what a layer means),
//! times. Directories get their times when nothing more is written into them.

mod attributes;
mod directories;
mod entry;
mod whiteout;

use std::{collections::HashSet, io::Read, path::Path};

use values::{Error, Result, ResultExt};

pub use attributes::{copy_attributes, copy_entry, is_carried, stat_times};
use directories::Directories;
pub use whiteout::{Name, OPAQUE, is_opaque, is_whiteout, name};

use crate::{
    Ids,
    fault::Fault,
    root::{Root, clean, shown, split},
    tar::{Entry, Kind, Reader},
};

/// How deletions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletions {
    /// As overlayfs reads them: a 0:0 character device, the attribute `trusted.overlay.opaque`.
    Mark,
    /// Done, in a directory which holds what the lower layers made.
    Do,
    /// There are none: the archive is no layer, and `.wh.NAME` is a name like any other.
    None,
}

/// How an archive that is no layer is unpacked: a copy of files.
#[derive(Clone, Debug, Default)]
pub struct Copy {
    /// Where in the root it is unpacked; symlinks on the way are followed within the root.
    pub base: Vec<u8>,
    /// User and group of everything; `None`: what the archive says.
    pub owner: Option<(u32, u32)>,
    /// What owners are on the disk; the others here are those inside.
    pub ids: Ids,
    /// A directory does not take the place of anything else, nor anything else that of a directory.
    pub keep_kinds: bool,
    /// Where each path has the first of these (`b""`: at its beginning), it gets the second instead, once.
    pub rename: Option<(Vec<u8>, Vec<u8>)>,
}

impl Copy {
    fn renamed(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (old, new) = self.rename.as_ref()?;
        let at = if old.is_empty() { Some(0) } else { path.windows(old.len()).position(|part| part == old) };
        let at = at?;
        Some([&path[..at], new, &path[at + old.len()..]].concat())
    }
}

/// What came of unpacking.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of all files, holes included.
    pub bytes: u64,
    pub entries: u64,
    /// Directories that were made only because something lies in them (the root too, as the empty path): their attributes
    /// are those of the layers below. Only with [`Deletions::Mark`].
    pub implied: Vec<Vec<u8>>,
    /// Hard links to files this layer does not have: to be looked for below. Only with [`Deletions::Mark`].
    pub orphans: Vec<Orphan>,
}

/// Directories and links of these kinds at most: they are kept in memory, and a layer that needs more is not made to be
/// used.
pub const LEFT_TO_BELOW_MAX: usize = 1 << 18;

/// A hard link whose target is not in its own layer.
#[derive(Debug, PartialEq, Eq)]
pub struct Orphan {
    pub path: Vec<u8>,
    pub target: Vec<u8>,
}

/// Unpacks `tar` into the directory `dir` and reads it to its end.
///
/// # Errors
/// `InvalidArgument` where the archive is broken or hostile, `Internal` with the kernel's reason. What was written stays:
/// the directory is the caller's to throw away.
pub fn unpack(tar: impl Read, dir: &Path, deletions: Deletions) -> Result<Unpacked> {
    let root = Root::open(dir).map_err(std::io::Error::from).during(|| dir.display())?;
    run(tar, &root, deletions, &Copy::default())
}

/// Unpacks a copy of files below `root`, over what is there: directories keep what they hold, all else is replaced.
///
/// # Errors
/// As [`unpack`]; `InvalidArgument` where a kind would change that was to be kept.
pub fn unpack_copy(tar: impl Read, root: &Root, copy: &Copy) -> Result<Unpacked> {
    run(tar, root, Deletions::None, copy)
}

fn run(tar: impl Read, root: &Root, deletions: Deletions, copy: &Copy) -> Result<Unpacked> {
    let mut unpacking = Unpacking {
        directories: Directories::new(root),
        root,
        copy,
        deletions,
        implied: HashSet::from([Vec::new()]),
        written: HashSet::new(),
        result: Unpacked::default(),
        buffer: vec![0; 128 << 10],
    };
    let mut reader = Reader::new(tar);
    while let Some(mut entry) = reader.next_entry()? {
        if let Some((uid, gid)) = copy.owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        let owner = copy.ids.outside(entry.uid, entry.gid);
        (entry.uid, entry.gid) = owner.map_err(std::io::Error::from).during(|| shown(&entry.path))?;
        if let Some(path) = copy.renamed(&entry.path) {
            entry.path = path;
        }
        if let Some(link) = copy.renamed(&entry.link).filter(|_| entry.kind == Kind::HardLink) {
            entry.link = link;
        }
        unpacking.entry(&entry, &mut reader)?;
    }
    reader.drain()?;
    unpacking.finish()
}

pub(crate) struct Unpacking<'a> {
    root: &'a Root,
    directories: Directories<'a>,
    copy: &'a Copy,
    deletions: Deletions,
    implied: HashSet<Vec<u8>>,
    /// Paths of this layer, which an opaque directory's deletions spare. Kept with [`Deletions::Do`] only.
    written: HashSet<Vec<u8>>,
    result: Unpacked,
    buffer: Vec<u8>,
}

impl Unpacking<'_> {
    fn entry(&mut self, entry: &Entry, data: &mut impl Read) -> Result<()> {
        let path = clean(&entry.path)?;
        self.result.entries += 1;
        let done = if path.is_empty() {
            self.root_entry(entry)
        } else if self.deletions == Deletions::None {
            let path = self.placed(path);
            self.keep_kind(entry, &path).and_then(|()| self.make(entry, &path, data))
        } else {
            match whiteout::name(split(&path).1) {
                whiteout::Name::Plain => self.make(entry, &path, data),
                whiteout::Name::Opaque => self.opaque(split(&path).0),
                whiteout::Name::Reserved => Ok(()),
                whiteout::Name::Deleted(name) => self.delete(split(&path).0, name),
                whiteout::Name::Invalid => Err(Error::invalid("invalid whiteout").into()),
            }
        };
        done.during(|| shown(&entry.path))?;
        if self.implied.len().max(self.result.orphans.len()) > LEFT_TO_BELOW_MAX {
            return Err(Error::invalid("the archive leaves too many directories or links to lower layers"));
        }
        Ok(())
    }

    /// `./`: the attributes of the root itself.
    fn root_entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.kind != Kind::Directory {
            return Err(Error::invalid("the archive's root is not a directory").into());
        }
        self.implied.remove(&b""[..]);
        Ok(self.directories.set(&self.copy.base, entry)?)
    }

    /// A path of the archive as one of the root.
    fn placed(&self, path: Vec<u8>) -> Vec<u8> {
        if self.copy.base.is_empty() { path } else { [&self.copy.base[..], b"/", &path].concat() }
    }

    fn keep_kind(&mut self, entry: &Entry, path: &[u8]) -> Result<(), Fault> {
        if !self.copy.keep_kinds {
            return Ok(());
        }
        let Ok(there) = self.root.stat(path, true) else { return Ok(()) };
        let is_dir = rustix::fs::FileType::from_raw_mode(there.st_mode).is_dir();
        let (base, name) = (shown(&self.copy.base), shown(path));
        match (is_dir, entry.kind == Kind::Directory) {
            (true, false) => {
                Err(Error::invalid(format!("cannot overwrite directory \"/{name}\" with non-directory \"/{base}\""))
                    .into())
            }
            (false, true) => {
                Err(Error::invalid(format!("cannot overwrite non-directory \"/{name}\" with directory \"/{base}\""))
                    .into())
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Unpacked> {
        self.directories.flush().map_err(Fault::from)?;
        if self.deletions == Deletions::Mark {
            self.result.implied = self.implied.into_iter().collect();
            // parents come before what is in them
            self.result.implied.sort_unstable();
        }
        Ok(self.result)
    }
}
