//! A layer's tree on top of what lies below.

use std::collections::HashMap;

use archive::Fault;
use rustix::io::Errno;
use values::{Error, Result};

use crate::{
    device::Device,
    tree::{Content, Extent, File, Id, Inode, Meta, OPAQUE, Tree},
};

/// What becomes of deletions in [`Tree::merge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteouts {
    /// They are done: below the lower tree there is nothing.
    Apply,
    /// They are done and stay: the tree is to lie on top of others.
    Keep,
}

impl Tree {
    /// What overlayfs would show of `upper` on top of `lower`. Attributes of directories that `upper` only implies are those
    /// below; its hard links to files of lower layers become links to those. Devices with the same tag become one; those of
    /// `lower` come first.
    ///
    /// The lowest tree of all, which may have deletions of nothing, goes on top of an empty one ([`Tree::flatten`]).
    ///
    /// # Errors
    /// `InvalidArgument` where a hard link's target is nowhere, or there are too many devices or inodes.
    pub fn merge(lower: Self, upper: &Self, whiteouts: Whiteouts) -> Result<Self> {
        let mut lower = lower;
        let devices = lower.take_devices(upper)?;
        let mut merger = Merger {
            lower,
            upper,
            devices,
            whiteouts,
            made: HashMap::new(),
            targets: HashMap::new(),
            inherited: HashMap::new(),
        };
        merger.find_targets()?;
        merger.find_attributes();
        merger.merge()?;
        Ok(merger.lower)
    }

    /// All layers, lowest first, as one tree without deletions.
    ///
    /// # Errors
    /// As [`Tree::merge`].
    pub fn flatten<'a>(layers: impl IntoIterator<Item = &'a Self>) -> Result<Self> {
        let bottom = Self::new(Meta::new(0o755));
        layers.into_iter().try_fold(bottom, |lower, upper| Self::merge(lower, upper, Whiteouts::Apply))
    }

    /// Takes what the layer leaves to those below (a tree without deletions): attributes of implied directories; files which
    /// its hard links are to, and which it then has itself, as overlayfs copies them up. Its deletions stay.
    ///
    /// # Errors
    /// As [`Tree::merge`].
    pub fn settle(&mut self, below: &Self) -> Result<()> {
        let devices = self.take_devices(below)?;
        let mut copies: HashMap<Id, Id> = HashMap::new();
        for orphan in self.orphans() {
            self.adopt(&orphan, below, &devices, &mut copies).map_err(|fault| orphan.error(fault))?;
        }
        let mut pairs = vec![(Self::ROOT, Some(Self::ROOT))];
        while let Some((dir, lower)) = pairs.pop() {
            if self.is_implied(dir) {
                self.set_implied(dir, false);
                if let Some(lower) = lower {
                    inherit(self.meta_mut(dir), &below.inode(lower).meta);
                }
            }
            let Some(directory) = self.inode(dir).as_directory() else { continue };
            for (name, id) in directory.names().filter(|(_, id)| self.inode(*id).is_directory()) {
                let lower = lower.and_then(|lower| below.child(lower, name));
                pairs.push((id, lower.filter(|id| below.inode(*id).is_directory())));
            }
        }
        Ok(())
    }

    /// Every name of every hard link that waits for a lower layer.
    fn orphans(&self) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        let mut walk = self.walk();
        while let Some(id) = walk.step() {
            if let Content::Orphan(target) = self.inode(id).content() {
                orphans.push(Orphan { id, path: walk.path().into(), target: target.clone() });
            }
        }
        orphans
    }

    fn adopt(
        &mut self,
        orphan: &Orphan,
        below: &Self,
        devices: &[u16],
        copies: &mut HashMap<Id, Id>,
    ) -> Result<(), Fault> {
        let (parent, name) = archive::split(&orphan.path);
        let dir = self.find(parent).ok_or(Errno::NOENT)?;
        let (lower, copied_up) = match self.source(&orphan.target, below)? {
            Source::Upper(own) => {
                self.remove(dir, name);
                return Ok(self.link(dir, name, own)?);
            }
            Source::Lower(lower, path) => (lower, path),
        };
        self.remove(dir, name);
        if let Some(copy) = copies.get(&lower) {
            return Ok(self.link(dir, name, *copy)?);
        }
        let inode = below.inode(lower);
        let copy = self.add(dir, name, inode.meta.clone(), moved(inode, devices)?)?;
        copies.insert(lower, copy);
        match copied_up {
            Some(path) => self.copy_up(&path, copy),
            None => Ok(()),
        }
    }

    /// Gives the inode the name it has below; directories on the way are implied.
    fn copy_up(&mut self, path: &[u8], id: Id) -> Result<(), Fault> {
        let (parent, name) = archive::split(path);
        let mut dir = Self::ROOT;
        for part in parent.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
            dir = match self.child(dir, part) {
                Some(there) => there,
                None => {
                    let made = self.add_directory(dir, part, Meta::new(0o755))?;
                    self.set_implied(made, true);
                    made
                }
            };
        }
        Ok(self.link(dir, name, id)?)
    }

    /// What an orphan's target is in the end: it may be an orphan too.
    fn source(&self, target: &[u8], below: &Self) -> Result<Source, Fault> {
        let mut path = target;
        for _ in 0..CHAIN_MAX {
            let is_hidden = match self.own_target(path)? {
                Target::Own(id) => match self.inode(id).content() {
                    Content::Orphan(next) => {
                        path = next;
                        continue;
                    }
                    _ => return Ok(Source::Upper(id)),
                },
                Target::Hidden => true,
                Target::Below => false,
            };
            let found = below.find(path).filter(|id| {
                let inode = below.inode(*id);
                !inode.is_directory() && !inode.is_whiteout()
            });
            return match found {
                Some(id) => Ok(Source::Lower(id, (!is_hidden).then(|| path.into()))),
                None => break,
            };
        }
        Err(Error::invalid(format!("its target {:?} is not there", String::from_utf8_lossy(target))).into())
    }

    /// What this layer says of a path.
    fn own_target(&self, path: &[u8]) -> Result<Target, Errno> {
        let mut dir = Self::ROOT;
        let mut parts = path.split(|b| *b == b'/').peekable();
        let mut hides = self.inode(dir).is_opaque();
        while let Some(part) = parts.next() {
            let Some(id) = self.child(dir, part) else { break };
            let inode = self.inode(id);
            if inode.is_whiteout() {
                return Ok(Target::Hidden);
            }
            if parts.peek().is_none() {
                return if inode.is_directory() { Err(Errno::PERM) } else { Ok(Target::Own(id)) };
            }
            if !inode.is_directory() {
                return Ok(Target::Hidden);
            }
            hides |= inode.is_opaque();
            dir = id;
        }
        Ok(if hides { Target::Hidden } else { Target::Below })
    }

    /// Adds the other's devices; where each is now.
    fn take_devices(&mut self, other: &Self) -> Result<Vec<u16>> {
        other
            .devices
            .iter()
            .map(|device| {
                let is_same = |known: &Device| known.tag == device.tag && known.is_index == device.is_index;
                let place = match self.devices.iter().position(is_same) {
                    Some(place) if self.devices[place] == *device => place,
                    Some(_) => return Err(Error::invalid("two devices of different sizes with the same tag")),
                    None => {
                        self.devices.push(device.clone());
                        self.devices.len() - 1
                    }
                };
                u16::try_from(place).map_err(|_| Error::invalid("too many layers for an index"))
            })
            .collect()
    }
}

/// A name whose file is below.
struct Orphan {
    id: Id,
    path: Box<[u8]>,
    target: Box<[u8]>,
}

impl Orphan {
    fn error(&self, fault: Fault) -> Error {
        Error::from(fault).context(format_args!("hard link {}", String::from_utf8_lossy(&self.path)))
    }
}

/// Orphans that are links to orphans, and so on.
const CHAIN_MAX: usize = 40;

/// What a layer says of a path.
enum Target {
    /// It has it.
    Own(Id),
    /// It shows what is below.
    Below,
    /// It deletes it, or has something in its way.
    Hidden,
}

/// Where the file of an orphan is.
enum Source {
    Upper(Id),
    /// And where the layer itself would show it, if it does.
    Lower(Id, Option<Box<[u8]>>),
}

/// A directory's attributes are those below, but for overlayfs' marks.
fn inherit(meta: &mut Meta, below: &Meta) {
    let opaque = meta.xattrs.remove_entry(OPAQUE);
    *meta = below.clone();
    meta.xattrs.remove(OPAQUE);
    meta.xattrs.extend(opaque);
}

/// The same with other device numbers.
fn moved(inode: &Inode, devices: &[u16]) -> Result<Content> {
    Ok(match inode.content() {
        Content::File(file) => {
            let moved = |extent: &Extent| {
                let device = devices.get(usize::from(extent.device)).copied();
                let device = device.ok_or_else(|| Error::invalid("a file's data is in no device"))?;
                Ok(Extent { device, ..*extent })
            };
            let extents: Vec<Extent> = file.extents().iter().map(moved).collect::<Result<_>>()?;
            Content::File(File::new(file.size(), extents)?)
        }
        other => other.clone(),
    })
}

/// What the lower tree has in a directory's place.
#[derive(Clone, Copy)]
struct Below {
    dir: Option<Id>,
    /// Nothing lower still shows through.
    is_final: bool,
}

impl Below {
    fn child(self, lower: &Tree, name: &[u8]) -> Self {
        let Some(parent) = self.dir else { return self };
        let there = lower.child(parent, name);
        let dir = there.filter(|id| lower.inode(*id).is_directory());
        let is_hidden = lower.inode(parent).is_opaque() || there.is_some() && dir.is_none();
        Self { dir, is_final: self.is_final || is_hidden }
    }
}

struct Merger<'a> {
    lower: Tree,
    upper: &'a Tree,
    /// Where the upper tree's devices are in the lower one's.
    devices: Vec<u16>,
    whiteouts: Whiteouts,
    /// What of the upper tree's inodes, directories aside, is in the lower one.
    made: HashMap<Id, Id>,
    /// What the upper tree's orphans are.
    targets: HashMap<Id, Source>,
    /// What the upper tree's implied directories are in the lower one, even where deletions hide it, and whether that is
    /// implied too.
    inherited: HashMap<Id, (Meta, bool)>,
}

impl Merger<'_> {
    /// Before anything is changed. What is found below is kept even if it loses its last name.
    fn find_targets(&mut self) -> Result<()> {
        for orphan in self.upper.orphans() {
            if self.targets.contains_key(&orphan.id) {
                continue;
            }
            let found = match self.upper.source(&orphan.target, &self.lower) {
                Ok(found) => found,
                Err(Fault::Said(_)) if self.whiteouts == Whiteouts::Keep => continue,
                Err(fault) => return Err(orphan.error(fault)),
            };
            if let Source::Lower(id, _) = found {
                self.lower.pin(id).map_err(|e| orphan.error(e.into()))?;
            }
            self.targets.insert(orphan.id, found);
        }
        Ok(())
    }

    fn find_attributes(&mut self) {
        let root = Below { dir: Some(Tree::ROOT), is_final: false };
        let mut pairs = vec![(root, Tree::ROOT)];
        while let Some((below, upper)) = pairs.pop() {
            if self.upper.is_implied(upper) {
                match below.dir.map(|lower| (self.lower.inode(lower).meta.clone(), self.lower.is_implied(lower))) {
                    None if !below.is_final => {}
                    found => {
                        self.inherited.insert(upper, found.unwrap_or_else(|| (Meta::new(0o755), false)));
                    }
                }
            }
            let Some(directory) = self.upper.inode(upper).as_directory() else { continue };
            let directories = directory.names().filter(|(_, id)| self.upper.inode(*id).is_directory());
            pairs.extend(directories.map(|(name, id)| (below.child(&self.lower, name), id)));
        }
    }

    fn merge(&mut self) -> Result<()> {
        self.take_attributes(Tree::ROOT, Tree::ROOT);
        let mut pairs = vec![(Tree::ROOT, Tree::ROOT)];
        while let Some((lower, upper)) = pairs.pop() {
            if self.upper.inode(upper).is_opaque() {
                self.lower.clear(lower);
            }
            let Some(directory) = self.upper.inode(upper).as_directory() else { continue };
            for (name, id) in directory.names() {
                let done = self.entry(lower, name, id);
                let done = done.map_err(|fault| Error::from(fault).context(String::from_utf8_lossy(name)));
                if let Some(dir) = done? {
                    pairs.push((dir, id));
                }
            }
        }
        for source in std::mem::take(&mut self.targets).into_values() {
            if let Source::Lower(id, _) = source {
                self.lower.unpin(id);
            }
        }
        Ok(())
    }

    /// Puts the upper tree's `id` under `name` of `dir`; a directory that has to be merged with it.
    fn entry(&mut self, dir: Id, name: &[u8], id: Id) -> Result<Option<Id>, Fault> {
        let inode = self.upper.inode(id);
        let there = self.lower.child(dir, name);
        if inode.is_directory() {
            let lower = match there.filter(|there| self.lower.inode(*there).is_directory()) {
                Some(there) => there,
                None => {
                    self.lower.remove(dir, name);
                    let made = self.lower.add_directory(dir, name, Meta::new(0o755))?;
                    if there.is_some() {
                        // with what hid lower layers here gone, they must stay hidden
                        self.lower.meta_mut(made).xattrs.insert(OPAQUE.into(), (*b"y").into());
                    }
                    made
                }
            };
            self.take_attributes(lower, id);
            return Ok(Some(lower));
        }
        if there.is_some() {
            self.lower.remove(dir, name);
        }
        if inode.is_whiteout() && self.whiteouts == Whiteouts::Apply {
            return Ok(None);
        }
        let (id, made) = match self.targets.get(&id) {
            Some(Source::Lower(made, _)) => (id, Some(*made)),
            Some(Source::Upper(own)) => (*own, self.made.get(own).copied()),
            None => (id, self.made.get(&id).copied()),
        };
        match made {
            Some(made) => self.lower.link(dir, name, made)?,
            None => {
                let inode = self.upper.inode(id);
                let made = self.lower.add(dir, name, inode.meta.clone(), moved(inode, &self.devices)?)?;
                self.made.insert(id, made);
            }
        }
        Ok(None)
    }

    fn take_attributes(&mut self, lower: Id, upper: Id) {
        let from = self.upper.inode(upper);
        let is_kept = self.whiteouts == Whiteouts::Keep;
        let is_opaque = self.lower.inode(lower).is_opaque() || from.is_opaque();
        let found = self.inherited.remove(&upper);
        let is_implied = self.upper.is_implied(upper) && found.as_ref().is_none_or(|(_, is_implied)| *is_implied);
        self.lower.set_implied(lower, is_kept && is_implied);
        let meta = self.lower.meta_mut(lower);
        *meta = found.map_or_else(|| from.meta.clone(), |(meta, _)| meta);
        if is_opaque && is_kept {
            meta.xattrs.insert(OPAQUE.into(), (*b"y").into());
        } else {
            meta.xattrs.remove(OPAQUE);
        }
    }
}
