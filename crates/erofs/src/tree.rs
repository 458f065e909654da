//! A tree of files in memory: what an index is written from and read into.

use std::collections::{BTreeMap, btree_map};

use rustix::io::Errno;
use values::{Error, Result, Timestamp};

use crate::device::Device;

/// An inode of one [`Tree`]. It stays the same for as long as the inode has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub(crate) u32);

/// Extended attributes by their full names.
pub type Xattrs = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// What `chown`, `chmod`, `utimensat` and `setxattr` set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission, set-id and sticky bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Timestamp,
    pub xattrs: Xattrs,
}

impl Meta {
    /// Root's, of 1970, without extended attributes.
    pub fn new(mode: u16) -> Self {
        Self { mode, uid: 0, gid: 0, mtime: Timestamp { secs: 0, nanos: 0 }, xattrs: Xattrs::new() }
    }
}

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Directory(Directory),
    File(File),
    /// Its target, as written.
    Symlink(Box<[u8]>),
    /// Major and minor number.
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    /// A hard link to a file that only a lower layer has: its cleaned path. To be settled with the tree below
    /// ([`Tree::merge`], [`Tree::settle`]); until then nobody finds it under its name.
    Orphan(Box<[u8]>),
}

/// The names in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    pub(crate) names: BTreeMap<Box<[u8]>, Id>,
    pub(crate) parent: Id,
    /// Levels below the root.
    depth: u32,
    /// See [`Tree::is_implied`].
    pub(crate) is_implied: bool,
}

impl Directory {
    /// Names in bytewise order, without `.` and `..`.
    pub fn names(&self) -> impl ExactSizeIterator<Item = (&[u8], Id)> {
        self.names.iter().map(|(name, id)| (&name[..], *id))
    }

    pub fn get(&self, name: &[u8]) -> Option<Id> {
        self.names.get(name).copied()
    }
}

/// A regular file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    size: u64,
    extents: Vec<Extent>,
}

impl File {
    /// A file whose data lies in those places. Neighbours that continue each other become one.
    ///
    /// # Errors
    /// `InvalidArgument` where extents are empty, out of order, over one another or past the file's end.
    pub fn new(size: u64, extents: impl IntoIterator<Item = Extent>) -> Result<Self> {
        let invalid = || Error::invalid("invalid extents of a file");
        let mut file = Self { size, extents: Vec::new() };
        let mut end = 0;
        for extent in extents {
            if extent.len == 0 || extent.offset < end {
                return Err(invalid());
            }
            extent.at.checked_add(extent.len).ok_or_else(invalid)?;
            end = extent.offset.checked_add(extent.len).filter(|end| *end <= size).ok_or_else(invalid)?;
            match file.extents.last_mut() {
                Some(last) if last.continues_in(&extent) => last.len += extent.len,
                _ => file.extents.push(extent),
            }
        }
        Ok(file)
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ascending, none empty, none over another, all below the size; between them are holes.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }
}

/// A run of a file's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where in the file, in bytes.
    pub offset: u64,
    pub len: u64,
    /// Position in [`Tree::devices`].
    pub device: u16,
    /// Where in the device, in bytes.
    pub at: u64,
}

impl Extent {
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.len
    }

    pub(crate) fn continues_in(&self, next: &Self) -> bool {
        self.device == next.device && self.end() == next.offset && self.at + self.len == next.at
    }
}

#[derive(Clone, Debug)]
pub struct Inode {
    pub meta: Meta,
    pub(crate) content: Content,
    /// Names; of a directory, one.
    names: u32,
}

impl Inode {
    pub fn content(&self) -> &Content {
        &self.content
    }

    pub fn as_directory(&self) -> Option<&Directory> {
        match &self.content {
            Content::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub fn is_directory(&self) -> bool {
        self.as_directory().is_some()
    }

    /// overlayfs' mark of a deleted name.
    pub fn is_whiteout(&self) -> bool {
        matches!(self.content, Content::CharDevice(0, 0))
    }

    /// Whether the directory hides what lies below it.
    pub fn is_opaque(&self) -> bool {
        self.is_directory() && self.meta.xattrs.get(OPAQUE).is_some_and(|value| **value == *b"y")
    }

    /// A link to something only lower layers have ([`Content::Orphan`]).
    pub fn is_orphan(&self) -> bool {
        matches!(self.content, Content::Orphan(_))
    }
}

/// overlayfs' attribute of a directory that hides those below it.
pub(crate) const OPAQUE: &[u8] = archive::unpack::OPAQUE.as_bytes();

/// Longest name of an entry (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;
/// Deeper directories cannot be named by any path (`PATH_MAX`).
const DEPTH_MAX: u32 = 2048;
const INODES_MAX: usize = 1 << 22;

/// A tree of files. Each inode has as many names as were given it; directories have one.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What extents are in.
    pub devices: Vec<Device>,
    inodes: Vec<Option<Inode>>,
    /// Empty places in `inodes`.
    free: Vec<Id>,
}

impl Tree {
    /// A root directory and nothing in it.
    pub fn new(root: Meta) -> Self {
        let directory = Directory { names: BTreeMap::new(), parent: Self::ROOT, depth: 0, is_implied: false };
        let root = Inode { meta: root, content: Content::Directory(directory), names: 1 };
        Self { devices: Vec::new(), inodes: vec![Some(root)], free: Vec::new() }
    }

    pub const ROOT: Id = Id(0);

    /// # Panics
    /// Where the inode lost its last name.
    pub fn inode(&self, id: Id) -> &Inode {
        self.inodes[id.0 as usize].as_ref().expect("an inode of this tree")
    }

    /// What can be changed of an inode by itself.
    pub fn meta_mut(&mut self, id: Id) -> &mut Meta {
        &mut self.inode_mut(id).meta
    }

    pub(crate) fn inode_mut(&mut self, id: Id) -> &mut Inode {
        self.inodes[id.0 as usize].as_mut().expect("an inode of this tree")
    }

    /// How many inodes there are.
    pub fn len(&self) -> usize {
        self.inodes.len() - self.free.len()
    }

    /// One past the largest number of an id.
    pub(crate) fn ids(&self) -> usize {
        self.inodes.len()
    }

    /// Whether only the root is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// What `stat` says: names; of a directory, those of its own and its subdirectories'.
    pub fn links(&self, id: Id) -> u32 {
        let inode = self.inode(id);
        match &inode.content {
            Content::Directory(directory) => {
                2 + directory.names().filter(|(_, child)| self.inode(*child).is_directory()).count() as u32
            }
            _ => inode.names,
        }
    }

    /// A directory that is there only because something lies in it: its attributes are those of the layer below.
    pub fn is_implied(&self, id: Id) -> bool {
        self.inode(id).as_directory().is_some_and(|directory| directory.is_implied)
    }

    pub fn set_implied(&mut self, id: Id, is_implied: bool) {
        if let Content::Directory(directory) = &mut self.inode_mut(id).content {
            directory.is_implied = is_implied;
        }
    }

    /// What is under `name` in the directory `dir`; no symlink is followed.
    pub fn child(&self, dir: Id, name: &[u8]) -> Option<Id> {
        self.inode(dir).as_directory()?.get(name)
    }

    /// What is at a path like `etc/passwd`; no symlink is followed. The empty one is the root.
    pub fn find(&self, path: &[u8]) -> Option<Id> {
        path.split(|b| *b == b'/')
            .filter(|part| !part.is_empty())
            .try_fold(Self::ROOT, |dir, name| self.child(dir, name))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As [`Tree::add`].
    pub fn add_directory(&mut self, dir: Id, name: &[u8], meta: Meta) -> Result<Id, Errno> {
        let depth = self.inode(dir).as_directory().ok_or(Errno::NOTDIR)?.depth + 1;
        if depth > DEPTH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let directory = Directory { names: BTreeMap::new(), parent: dir, depth, is_implied: false };
        self.insert(dir, name, meta, Content::Directory(directory))
    }

    /// Makes anything but a directory.
    ///
    /// # Errors
    /// As the kernel's: `EEXIST`, `ENOTDIR`, `ENAMETOOLONG`, `EINVAL` for a name that cannot be or a directory as
    /// content, `ENOSPC` for more inodes than a tree holds.
    pub fn add(&mut self, dir: Id, name: &[u8], meta: Meta, content: Content) -> Result<Id, Errno> {
        match content {
            Content::Directory(_) => Err(Errno::INVAL),
            content => self.insert(dir, name, meta, content),
        }
    }

    fn insert(&mut self, dir: Id, name: &[u8], meta: Meta, content: Content) -> Result<Id, Errno> {
        let id = match self.free.last() {
            Some(id) => *id,
            None if self.inodes.len() < INODES_MAX => Id(self.inodes.len() as u32),
            None => return Err(Errno::NOSPC),
        };
        self.name(dir, name, id)?;
        let inode = Some(Inode { meta, content, names: 1 });
        if self.free.pop().is_some() {
            self.inodes[id.0 as usize] = inode;
        } else {
            self.inodes.push(inode);
        }
        Ok(id)
    }

    /// Gives an inode, no directory, another name.
    ///
    /// # Errors
    /// As [`Tree::add`]; `EPERM` for a directory.
    pub fn link(&mut self, dir: Id, name: &[u8], id: Id) -> Result<(), Errno> {
        if self.inode(id).is_directory() {
            return Err(Errno::PERM);
        }
        let names = self.inode(id).names.checked_add(1).ok_or(Errno::MLINK)?;
        self.name(dir, name, id)?;
        self.inode_mut(id).names = names;
        Ok(())
    }

    fn name(&mut self, dir: Id, name: &[u8], id: Id) -> Result<(), Errno> {
        if name.is_empty() || matches!(name, b"." | b"..") || name.iter().any(|b| matches!(b, 0 | b'/')) {
            return Err(Errno::INVAL);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let Content::Directory(directory) = &mut self.inode_mut(dir).content else { return Err(Errno::NOTDIR) };
        match directory.names.entry(name.into()) {
            btree_map::Entry::Occupied(_) => Err(Errno::EXIST),
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(id);
                Ok(())
            }
        }
    }

    /// Removes a name and, with its last one, what it names; a directory with all in it. False where it is not there.
    pub fn remove(&mut self, dir: Id, name: &[u8]) -> bool {
        let Content::Directory(directory) = &mut self.inode_mut(dir).content else { return false };
        let Some(id) = directory.names.remove(name) else { return false };
        self.release(vec![id]);
        true
    }

    /// Removes all that is in the directory.
    pub(crate) fn clear(&mut self, dir: Id) {
        let Content::Directory(directory) = &mut self.inode_mut(dir).content else { return };
        let names = std::mem::take(&mut directory.names);
        self.release(names.into_values().collect());
    }

    /// Keeps an inode whatever becomes of its names, until [`Tree::unpin`].
    pub(crate) fn pin(&mut self, id: Id) -> Result<(), Errno> {
        let inode = self.inode_mut(id);
        inode.names = inode.names.checked_add(1).ok_or(Errno::MLINK)?;
        Ok(())
    }

    pub(crate) fn unpin(&mut self, id: Id) {
        self.release(vec![id]);
    }

    /// Takes one name away from each.
    fn release(&mut self, mut ids: Vec<Id>) {
        while let Some(id) = ids.pop() {
            let inode = self.inode_mut(id);
            inode.names -= 1;
            if inode.names > 0 {
                continue;
            }
            if let Some(Inode { content: Content::Directory(directory), .. }) = self.inodes[id.0 as usize].take() {
                ids.extend(directory.names.into_values());
            }
            self.free.push(id);
        }
    }

    /// All names, each directory before what is in it, in bytewise order of their names.
    pub fn walk(&self) -> Walk<'_> {
        Walk { tree: self, path: Vec::new(), open: Vec::new(), next: Some(Self::ROOT) }
    }
}

/// The rest of a directory's names.
type Names<'a> = btree_map::Iter<'a, Box<[u8]>, Id>;

/// A walk through a tree, see [`Tree::walk`].
pub struct Walk<'a> {
    tree: &'a Tree,
    path: Vec<u8>,
    /// The directories the walk is in: what is still to come of each, and the length of its path.
    open: Vec<(Names<'a>, usize)>,
    /// What was visited last, if something may lie in it.
    next: Option<Id>,
}

impl Walk<'_> {
    /// The next name's inode, or `None` at the end. The root itself is left out.
    pub fn step(&mut self) -> Option<Id> {
        if let Some(id) = self.next.take()
            && let Some(directory) = self.tree.inode(id).as_directory()
        {
            self.open.push((directory.names.iter(), self.path.len()));
        }
        loop {
            let (names, base) = self.open.last_mut()?;
            self.path.truncate(*base);
            let Some((name, id)) = names.next() else {
                self.open.pop();
                continue;
            };
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name);
            self.next = Some(*id);
            return Some(*id);
        }
    }

    /// The path of the name [`Walk::step`] came to, without a leading `/`.
    pub fn path(&self) -> &[u8] {
        &self.path
    }
}

/// The same names, kinds, attributes, contents and hard links, in the same devices.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        let meta = |tree: &Self| tree.inode(Self::ROOT).meta.clone();
        if self.devices != other.devices || self.len() != other.len() || meta(self) != meta(other) {
            return false;
        }
        if self.is_implied(Self::ROOT) != other.is_implied(Self::ROOT) {
            return false;
        }
        let (mut ours, mut theirs) = (self.walk(), other.walk());
        let mut same: BTreeMap<Id, Id> = BTreeMap::new();
        loop {
            let (a, b) = match (ours.step(), theirs.step()) {
                (None, None) => return true,
                (Some(a), Some(b)) => (a, b),
                _ => return false,
            };
            let (one, two) = (self.inode(a), other.inode(b));
            let is_same = match (&one.content, &two.content) {
                (Content::Directory(x), Content::Directory(y)) => x.is_implied == y.is_implied,
                (x, y) => x == y,
            };
            if !is_same || ours.path() != theirs.path() || one.meta != two.meta || one.names != two.names {
                return false;
            }
            if *same.entry(a).or_insert(b) != b {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64) -> Content {
        Content::File(File { size, extents: Vec::new() })
    }

    fn paths(tree: &Tree) -> Vec<String> {
        let mut walk = tree.walk();
        let mut out = Vec::new();
        while walk.step().is_some() {
            out.push(String::from_utf8(walk.path().to_vec()).unwrap());
        }
        out
    }

    #[test]
    fn names_come_and_go() {
        let mut tree = Tree::new(Meta::new(0o755));
        let a = tree.add_directory(Tree::ROOT, b"a", Meta::new(0o700)).unwrap();
        let b = tree.add_directory(a, b"b", Meta::new(0o700)).unwrap();
        let f = tree.add(b, b"f", Meta::new(0o644), file(1)).unwrap();
        tree.link(Tree::ROOT, b"g", f).unwrap();
        assert_eq!(tree.add(a, b"b", Meta::new(0), file(0)), Err(Errno::EXIST));
        assert_eq!(tree.add(f, b"x", Meta::new(0), file(0)), Err(Errno::NOTDIR));
        assert_eq!(tree.link(a, b"c", b), Err(Errno::PERM));
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0"] {
            assert_eq!(tree.add(a, bad, Meta::new(0), file(0)), Err(Errno::INVAL));
        }
        assert_eq!(tree.add(a, &[b'x'; 256], Meta::new(0), file(0)), Err(Errno::NAMETOOLONG));
        assert_eq!(paths(&tree), ["a", "a/b", "a/b/f", "g"]);
        assert_eq!((tree.links(Tree::ROOT), tree.links(a), tree.links(b), tree.links(f)), (3, 3, 2, 2));
        assert_eq!(tree.find(b"a/b/f"), tree.find(b"g"));
        assert!(tree.remove(Tree::ROOT, b"a") && !tree.remove(Tree::ROOT, b"a"));
        assert_eq!((paths(&tree), tree.len(), tree.links(f)), (vec!["g".to_owned()], 2, 1));
        let again = tree.add_directory(Tree::ROOT, b"h", Meta::new(0o700)).unwrap();
        assert_eq!((tree.ids(), tree.links(again)), (4, 2));
    }

    #[test]
    fn the_same_trees_are_equal() {
        let make = |linked: bool, size| {
            let mut tree = Tree::new(Meta::new(0o755));
            let f = tree.add(Tree::ROOT, b"f", Meta::new(0o644), file(size)).unwrap();
            if linked {
                tree.link(Tree::ROOT, b"g", f).unwrap();
            } else {
                tree.add(Tree::ROOT, b"g", Meta::new(0o644), file(size)).unwrap();
            }
            tree
        };
        assert_eq!(make(true, 1), make(true, 1));
        assert_ne!(make(true, 1), make(false, 1));
        assert_ne!(make(false, 1), make(false, 2));
    }

    #[test]
    fn a_deep_tree_needs_no_stack() {
        let mut tree = Tree::new(Meta::new(0o755));
        let mut dir = Tree::ROOT;
        for _ in 0..DEPTH_MAX {
            dir = tree.add_directory(dir, b"d", Meta::new(0o755)).unwrap();
        }
        assert_eq!(tree.add_directory(dir, b"d", Meta::new(0o755)), Err(Errno::NAMETOOLONG));
        assert_eq!(paths(&tree).len(), DEPTH_MAX as usize);
        tree.remove(Tree::ROOT, b"d");
        assert!(tree.is_empty());
    }

    #[test]
    fn extents_are_checked() {
        let extent = |offset, len, at| Extent { offset, len, device: 0, at };
        for (size, extents, expected) in [
            (10, vec![], Some(0)),
            (10, vec![extent(0, 10, 512)], Some(1)),
            (10, vec![extent(0, 5, 512), extent(5, 5, 517)], Some(1)),
            (10, vec![extent(0, 5, 512), extent(5, 5, 1024)], Some(2)),
            (10, vec![extent(0, 5, 512), extent(6, 4, 517)], Some(2)),
            (10, vec![extent(0, 11, 512)], None),
            (10, vec![extent(0, 0, 512)], None),
            (10, vec![extent(5, 5, 512), extent(0, 5, 1024)], None),
            (10, vec![extent(0, 6, 512), extent(5, 5, 1024)], None),
            (u64::MAX, vec![extent(5, u64::MAX, 512)], None),
            (10, vec![extent(0, 5, u64::MAX)], None),
        ] {
            assert_eq!(File::new(size, extents.clone()).ok().map(|f| f.extents.len()), expected, "{size} {extents:?}");
        }
    }
}
