//! A tree from a layer's tar, entry by entry.
//!
//! What comes out is what [`archive::unpack`] would make of the tar on a disk with [`Deletions::Mark`]: the same paths are
//! refused or contained, later entries replace earlier ones, deletions become overlayfs' marks, and what the layer leaves to
//! those below is told. The steps are the same, on a tree instead of the kernel's; nothing is written.
//!
//! [`Deletions::Mark`]: archive::unpack::Deletions::Mark

mod acl;
mod attributes;

use std::io::BufRead;

use archive::{
    Fault, clean, split,
    tar::{Entry, Kind, Reader},
    unpack::{LEFT_TO_BELOW_MAX, Name, name},
};
use rustix::io::Errno;
use values::{Error, Result, ResultExt};

use crate::{
    device::Device,
    format::{device_number, major_minor},
    resolve::{PATH_MAX, Way, check_length},
    tree::{Content, Extent, File, Id, Meta, OPAQUE, Tree},
};

/// Names, targets, extended attributes and extents of all entries together, in bytes: they are kept in memory.
const KEPT_MAX: usize = 512 << 20;

/// Names looked up for all entries together: half a minute of it. Long paths through long symlinks take many.
const LOOKUPS_MAX: u64 = if cfg!(test) { 1 << 20 } else { 1 << 28 };

/// What became of a layer's tar.
#[derive(Clone, Debug)]
pub struct Layer {
    /// With deletions as overlayfs reads them; what lower layers have to say is open yet ([`Tree::merge`],
    /// [`Tree::settle`]).
    pub tree: Tree,
    /// Bytes of all files, holes included.
    pub bytes: u64,
    pub entries: u64,
}

/// Makes a tree of a layer's plain tar and reads it to its end. `device` is the file that the tar is in; its length becomes
/// that of the stream.
///
/// # Errors
/// `InvalidArgument` where the tar is broken or hostile; `Internal` with what the kernel would say to such an entry.
pub fn index(tar: impl BufRead, device: Device) -> Result<Layer> {
    let mut builder = TreeBuilder::new(device);
    let mut reader = Reader::new(tar);
    while let Some(entry) = reader.next_entry()? {
        builder.entry(&entry, reader.position())?;
        reader.skip_data().during(|| String::from_utf8_lossy(&entry.path).into_owned())?;
    }
    let at = reader.position();
    let rest = reader.drain()?;
    builder.finish(at + rest)
}

/// Makes a tree of a layer's entries in one device. See [`index`] for all in one.
pub struct TreeBuilder {
    tree: Tree,
    entries: u64,
    bytes: u64,
    /// Directories and links left to lower layers.
    implied: usize,
    orphans: usize,
    kept: usize,
    lookups: u64,
}

impl TreeBuilder {
    pub fn new(device: Device) -> Self {
        let mut tree = Tree::new(Meta::new(0o755));
        tree.devices.push(device);
        tree.set_implied(Tree::ROOT, true);
        Self { tree, entries: 0, bytes: 0, implied: 1, orphans: 0, kept: 0, lookups: 0 }
    }

    /// Takes the next entry; a file's data is at byte `at` of the device ([`Reader::position`]).
    ///
    /// # Errors
    /// As [`index`]; the builder is of no use then.
    pub fn entry(&mut self, entry: &Entry, at: u64) -> Result<()> {
        let path = clean(&entry.path)?;
        self.entries += 1;
        let done = if path.is_empty() {
            self.root_entry(entry)
        } else {
            match name(split(&path).1) {
                Name::Plain => self.make(entry, &path, at),
                Name::Opaque => self.opaque(split(&path).0),
                Name::Reserved => Ok(()),
                Name::Deleted(name) => self.delete(split(&path).0, name),
                Name::Invalid => Err(Error::invalid("invalid whiteout").into()),
            }
        };
        done.during(|| String::from_utf8_lossy(&entry.path).into_owned())?;
        if self.implied.max(self.orphans) > LEFT_TO_BELOW_MAX {
            return Err(Error::invalid("the archive leaves too many directories or links to lower layers"));
        }
        Ok(())
    }

    /// Ends the layer; `len` is the length of the tar.
    ///
    /// # Errors
    /// `InvalidArgument` for more than a device can have.
    pub fn finish(mut self, len: u64) -> Result<Layer> {
        self.tree.devices[0].set_len(len)?;
        Ok(Layer { tree: self.tree, bytes: self.bytes, entries: self.entries })
    }

    /// `./`: the attributes of the root itself.
    fn root_entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.kind != Kind::Directory {
            return Err(Error::invalid("the archive's root is not a directory").into());
        }
        self.set(Tree::ROOT, entry)
    }

    fn make(&mut self, entry: &Entry, path: &[u8], at: u64) -> Result<(), Fault> {
        let (parent, name) = split(path);
        self.keep(name.len() + entry.link.len())?;
        let dir = self.make_dirs(parent)?;
        if entry.kind == Kind::Directory {
            return self.directory(entry, path, dir);
        }
        let dir = self.make_way(parent, dir, name)?;
        let content = match entry.kind {
            Kind::File => self.file(entry, at)?,
            Kind::Symlink => symlink(&entry.link)?,
            Kind::CharDevice => device(entry, Content::CharDevice),
            Kind::BlockDevice => device(entry, Content::BlockDevice),
            Kind::Fifo => Content::Fifo,
            Kind::HardLink | Kind::Directory => return self.hard_link(entry, path, dir, name),
        };
        let meta = self.attributes(entry)?;
        self.tree.add(dir, name, meta, content)?;
        Ok(())
    }

    /// The directory at `path`; what of it is missing is made, with attributes to be found out below.
    fn make_dirs(&mut self, path: &[u8]) -> Result<Id, Fault> {
        check_length(path)?;
        let mut dir = Tree::ROOT;
        let mut way = Way::default();
        let mut end = 0;
        for name in path.split(|b| *b == b'/').filter(|name| !name.is_empty()) {
            end += name.len() + usize::from(end > 0);
            dir = match self.tree.follow(dir, name, &mut way) {
                Ok(there) => there,
                Err(Errno::NOENT | Errno::NOTDIR) => {
                    self.keep(name.len())?;
                    let made = self.make_dir(dir, name, &path[..end])?;
                    self.tree.set_implied(made, true);
                    self.implied += 1;
                    made
                }
                Err(other) => return Err(other.into()),
            };
        }
        self.looked_up(&way)?;
        Ok(dir)
    }

    /// [`Tree::resolve`]
    fn resolve(&mut self, path: &[u8]) -> Result<Result<Id, Errno>, Fault> {
        check_length(path)?;
        let mut way = Way::default();
        let found = self.tree.follow(Tree::ROOT, path, &mut way);
        self.looked_up(&way)?;
        Ok(found)
    }

    fn looked_up(&mut self, way: &Way) -> Result<(), Error> {
        self.lookups += way.names;
        if self.lookups > LOOKUPS_MAX {
            return Err(Error::invalid("the archive's paths are too long to be followed"));
        }
        Ok(())
    }

    /// Makes a directory where there may be a deletion's mark of this layer, but nothing else.
    fn make_dir(&mut self, dir: Id, name: &[u8], path: &[u8]) -> Result<Id, Fault> {
        let there = self.tree.visible(dir, name)?;
        if there.is_some_and(|id| !self.tree.inode(id).is_whiteout()) {
            return Err(Errno::EXIST.into());
        }
        self.tree.remove(dir, name);
        let made = self.tree.add_directory(dir, name, Meta::new(0o755))?;
        if there.is_some() {
            // Deleted and made anew in one layer: what lies below must not shine through.
            let made = self.tree.real_directory(path)?;
            self.mark_opaque(made);
        }
        Ok(made)
    }

    fn directory(&mut self, entry: &Entry, path: &[u8], dir: Id) -> Result<(), Fault> {
        let (parent, name) = split(path);
        let id = match self.tree.visible(dir, name)? {
            Some(id) if self.tree.inode(id).is_directory() => id,
            Some(id) if !self.tree.inode(id).is_whiteout() => {
                let dir = self.make_way(parent, dir, name)?;
                self.make_dir(dir, name, path)?
            }
            _ => self.make_dir(dir, name, path)?,
        };
        self.set(id, entry)
    }

    /// Removes what is at `name` of the directory `dir`, whose path is `parent`. A directory goes with all in it, as when a
    /// layer puts a file in its place. The directory, once more: the way to it may have led through what is gone.
    fn make_way(&mut self, parent: &[u8], dir: Id, name: &[u8]) -> Result<Id, Fault> {
        let is_there = self.tree.visible(dir, name)?.is_some();
        self.tree.remove(dir, name);
        Ok(if is_there { self.resolve(parent)?? } else { dir })
    }

    fn file(&mut self, entry: &Entry, at: u64) -> Result<Content, Fault> {
        if i64::try_from(entry.size).is_err() {
            return Err(Errno::FBIG.into());
        }
        let mut at = at;
        let mut place = |offset, len| {
            let extent = Extent { offset, len, device: 0, at };
            at = at.saturating_add(len);
            extent
        };
        let file = match &entry.extents {
            None if entry.size == 0 => File::default(),
            None => File::new(entry.size, [place(0, entry.size)])?,
            Some(extents) => {
                self.keep(extents.len() * size_of::<Extent>())?;
                let filled = extents.iter().filter(|extent| extent.len > 0);
                File::new(entry.size, filled.map(|extent| place(extent.offset, extent.len)))?
            }
        };
        self.bytes = self.bytes.saturating_add(entry.size);
        Ok(Content::File(file))
    }

    fn hard_link(&mut self, entry: &Entry, path: &[u8], dir: Id, name: &[u8]) -> Result<(), Fault> {
        let target = clean(&entry.link)?;
        if target == path || target.is_empty() {
            let shown = String::from_utf8_lossy(&target);
            return Err(Error::invalid(format!("hard link to {shown:?}, which is not there")).into());
        }
        check_length(&target)?;
        let (parent, last) = split(&target);
        let linked = match self.resolve(parent)? {
            Ok(from) => {
                self.tree.visible(from, last)?;
                // an orphan too: both are the same file then
                self.tree.child(from, last).filter(|id| !self.tree.inode(*id).is_whiteout())
            }
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(e) => return Err(e.into()),
        };
        match linked {
            Some(id) => self.tree.link(dir, name, id)?,
            None => {
                self.orphans += 1;
                self.tree.add(dir, name, Meta::new(0), Content::Orphan(target.into()))?;
            }
        }
        Ok(())
    }

    /// Everything lower in the directory is gone.
    fn opaque(&mut self, path: &[u8]) -> Result<(), Fault> {
        let dir = self.make_dirs(path)?;
        self.mark_opaque(dir);
        Ok(())
    }

    /// `name` in the directory is gone, unless this layer has it.
    fn delete(&mut self, parent: &[u8], name: &[u8]) -> Result<(), Fault> {
        self.keep(name.len())?;
        let dir = self.make_dirs(parent)?;
        self.tree.visible(dir, name)?;
        if self.tree.child(dir, name).is_none() {
            self.tree.add(dir, name, Meta::new(0), Content::CharDevice(0, 0))?;
            return Ok(());
        }
        // This layer's own: a directory then stands for itself alone, a file hides the lower one anyway.
        let path = if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() };
        match self.tree.real_directory(&path) {
            Ok(own) => self.mark_opaque(own),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }

    fn mark_opaque(&mut self, dir: Id) {
        self.tree.meta_mut(dir).xattrs.insert(OPAQUE.into(), (*b"y").into());
    }

    /// The directory is the layer's own from now on.
    fn set(&mut self, dir: Id, entry: &Entry) -> Result<(), Fault> {
        if self.tree.is_implied(dir) {
            self.tree.set_implied(dir, false);
            self.implied -= 1;
        }
        self.keep_xattrs(entry)?;
        attributes::set_directory(self.tree.meta_mut(dir), entry)?;
        Ok(())
    }

    fn attributes(&mut self, entry: &Entry) -> Result<Meta, Fault> {
        self.keep_xattrs(entry)?;
        Ok(attributes::of(entry)?)
    }

    fn keep_xattrs(&mut self, entry: &Entry) -> Result<()> {
        self.keep(entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum())
    }

    fn keep(&mut self, bytes: usize) -> Result<()> {
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > KEPT_MAX {
            return Err(Error::invalid("the archive's names and attributes are too many to be kept"));
        }
        Ok(())
    }
}

fn symlink(target: &[u8]) -> Result<Content, Errno> {
    match target.len() {
        0 => Err(Errno::NOENT),
        len if len >= PATH_MAX => Err(Errno::NAMETOOLONG),
        _ if target.contains(&0) => Err(Errno::INVAL),
        _ => Ok(Content::Symlink(target.into())),
    }
}

/// Numbers that do not fit are cut as by mknod(2).
fn device(entry: &Entry, content: fn(u32, u32) -> Content) -> Content {
    let (major, minor) = major_minor(device_number(entry.device.0, entry.device.1));
    content(major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_cannot_ask_for_endless_time() {
        let mut builder = TreeBuilder::new(Device::new("tar", 0).unwrap());
        let mut add = |kind, path: String, link: String| {
            builder.entry(&Entry { link: link.into_bytes(), ..Entry::new(kind, path) }, 0)
        };
        add(Kind::Directory, "d".to_owned(), String::new()).unwrap();
        for i in 0..39 {
            // hundreds of times in and out before it comes to the next
            let next = if i == 0 { "d".to_owned() } else { format!("l{}", i - 1) };
            add(Kind::Symlink, format!("l{i}"), "d/../".repeat(800) + &next).unwrap();
        }
        let refused = (0..1000).find_map(|i| add(Kind::Fifo, format!("l38/{i}"), String::new()).err());
        assert_eq!(refused.unwrap().message, "l38/16: the archive's paths are too long to be followed");
    }

    #[test]
    fn a_link_to_an_endless_path_is_refused() {
        let mut builder = TreeBuilder::new(Device::new("tar", 0).unwrap());
        let link = [&b"nothing/"[..], &[b'x'; 70_000]].concat();
        let e = builder.entry(&Entry { link, ..Entry::new(Kind::HardLink, *b"h") }, 0).unwrap_err();
        assert_eq!(e.message, "h: file name too long");
    }
}
