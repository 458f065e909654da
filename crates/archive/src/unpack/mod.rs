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

pub use attributes::{copy_attributes, copy_entry, stat_times};
use directories::Directories;
pub use whiteout::{OPAQUE, is_opaque, is_whiteout};

use crate::{
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
const LEFT_TO_BELOW_MAX: usize = 1 << 18;

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
    let mut unpacking = Unpacking {
        directories: Directories::new(&root),
        root: &root,
        deletions,
        implied: HashSet::from([Vec::new()]),
        written: HashSet::new(),
        result: Unpacked::default(),
        buffer: vec![0; 128 << 10],
    };
    let mut reader = Reader::new(tar);
    while let Some(entry) = reader.next_entry()? {
        unpacking.entry(&entry, &mut reader)?;
    }
    let mut rest = reader.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink())?;
    unpacking.finish()
}

pub(crate) struct Unpacking<'a> {
    root: &'a Root,
    directories: Directories<'a>,
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
        } else {
            match whiteout::name(split(&path).1) {
                whiteout::Name::Plain => self.make(entry, &path, data),
                whiteout::Name::Opaque => self.opaque(split(&path).0),
                whiteout::Name::Reserved => Ok(()),
                whiteout::Name::Deleted(name) => self.delete(split(&path).0, name),
                whiteout::Name::Invalid => Err(Error::invalid("invalid whiteout").into()),
            }
        };
        done.during(|| shown(&path))?;
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
        Ok(self.directories.set(b"", entry)?)
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
