//! What goes where, before anything is written: the superblock and the device table, inodes, blocks of directories and
//! symlinks, copied chunks.

use std::collections::BTreeMap;

use values::{Error, Result, Timestamp};

use super::{
    chunks::{Chunks, SPARSE_MAX, Table},
    directory::Packing,
    xattrs,
};
use crate::{
    format::{BLOCK, CHUNK_INDEX, COMPACT, EXTENDED, INODE, SLOT, SUPER, SUPER_LEN},
    tree::{Content, Id, Inode, Tree},
};

/// The root's nid has 16 bits, and the device table lies before it.
const DEVICES_MAX: usize = 4096;

pub(super) struct Plan {
    /// All inodes in the order in which they are written: the root, then what is in each directory.
    pub(super) order: Vec<Id>,
    /// By id.
    places: Vec<Option<Place>>,
    /// The time compact inodes have.
    pub(super) time: Timestamp,
    /// Where blocks of directories and symlinks begin, a multiple of a block; and where copied chunks, and where those end.
    pub(super) blocks: u64,
    pub(super) copies: u64,
    pub(super) end: u64,
}

/// Where an inode is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// In bytes.
    pub(super) at: u64,
    pub(super) is_compact: bool,
    /// Bytes of extended attributes.
    pub(super) xattrs: u64,
    /// What its size field says.
    pub(super) size: u64,
    pub(super) links: u32,
    pub(super) layout: Layout,
}

/// Where its data is; block numbers count from where the blocks begin until [`Plan::of`] is done.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    None,
    /// From that block on.
    Plain(u64),
    /// Whole blocks from that block on, the rest behind the inode.
    Inline(u64),
    /// The block where copied ones begin.
    Chunks(Chunks, u64),
}

impl Place {
    pub(super) fn nid(&self) -> u64 {
        self.at / INODE
    }

    /// Bytes of the inode itself.
    pub(super) fn inode_len(&self) -> u64 {
        if self.is_compact { COMPACT } else { EXTENDED }
    }
}

impl Plan {
    pub(super) fn of(tree: &Tree, devices: &Table<'_>) -> Result<Self> {
        if tree.devices.len() > DEVICES_MAX {
            return Err(Error::invalid("too many layers for an index"));
        }
        let order = order(tree);
        let time = commonest_time(tree, &order);
        let mut planner = Planner { tree, devices, time, at: table_end(tree), blocks: 0, copies: 0, overhead: 0 };
        let mut places = vec![None; tree.ids()];
        for id in &order {
            places[id.0 as usize] = Some(planner.place(*id)?);
        }
        let Planner { at, blocks: block_count, copies: copy_count, .. } = planner;
        let blocks = at.next_multiple_of(BLOCK);
        let copies = blocks + block_count * BLOCK;
        for place in places.iter_mut().flatten() {
            match &mut place.layout {
                Layout::None => {}
                Layout::Plain(first) | Layout::Inline(first) => *first += blocks / BLOCK,
                Layout::Chunks(_, first) => *first += copies / BLOCK,
            }
        }
        let end = copies + copy_count * BLOCK;
        if end / BLOCK >= u64::from(u32::MAX) {
            return Err(Error::invalid("the index of a layer cannot be larger than 2 TiB"));
        }
        Ok(Self { order, places, time, blocks, copies, end })
    }

    pub(super) fn place(&self, id: Id) -> &Place {
        self.places[id.0 as usize].as_ref().expect("an inode with a place")
    }
}

/// Where inodes may begin. The first block of the superblock is theirs alone: its checksum is over all of it.
pub(super) fn table_end(tree: &Tree) -> u64 {
    (SUPER + SUPER_LEN + tree.devices.len() as u64 * SLOT).next_multiple_of(BLOCK)
}

fn order(tree: &Tree) -> Vec<Id> {
    let mut order = vec![Tree::ROOT];
    let mut seen = vec![false; tree.ids()];
    let mut at = 0;
    while let Some(id) = order.get(at) {
        at += 1;
        let Some(directory) = tree.inode(*id).as_directory() else { continue };
        for (_, child) in directory.names().filter(|(_, child)| !tree.inode(*child).is_orphan()) {
            if !std::mem::replace(&mut seen[child.0 as usize], true) {
                order.push(child);
            }
        }
    }
    order
}

fn commonest_time(tree: &Tree, order: &[Id]) -> Timestamp {
    let mut counts: BTreeMap<Timestamp, usize> = BTreeMap::new();
    for id in order {
        *counts.entry(tree.inode(*id).meta.mtime).or_default() += 1;
    }
    let most = counts.values().max().copied();
    let time = counts.into_iter().find(|(_, count)| Some(*count) == most);
    time.map_or(Timestamp { secs: 0, nanos: 0 }, |(time, _)| time)
}

struct Planner<'a> {
    tree: &'a Tree,
    devices: &'a Table<'a>,
    time: Timestamp,
    /// Where the next inode may begin.
    at: u64,
    /// Blocks given away so far.
    blocks: u64,
    copies: u64,
    /// What sparse files take beside their data.
    overhead: u64,
}

impl Planner<'_> {
    fn place(&mut self, id: Id) -> Result<Place> {
        let inode = self.tree.inode(id);
        let size = match &inode.content {
            Content::Directory(directory) => Packing::of(self.tree, id, directory).size(),
            Content::File(file) => file.size(),
            Content::Symlink(target) => target.len() as u64,
            _ => 0,
        };
        let mut place = Place {
            at: 0,
            is_compact: false,
            xattrs: xattrs::len(&inode.meta.xattrs)?,
            size,
            links: self.tree.links(id),
            layout: Layout::None,
        };
        place.is_compact = self.is_compact(inode, &place);
        match &inode.content {
            Content::File(file) if size > 0 => {
                let chunks = Chunks::of(file, self.devices);
                self.overhead = self.overhead.saturating_add(chunks.overhead(file));
                if self.overhead > SPARSE_MAX {
                    return Err(Error::invalid("sparse files are too large, or in too small parts, to be indexed"));
                }
                place.at = self.begin(&place, 0).0;
                place.layout = Layout::Chunks(chunks, self.copies);
                self.copies += chunks.copied / BLOCK;
                let table = (place.at + place.inode_len() + place.xattrs).next_multiple_of(CHUNK_INDEX);
                self.at = table + chunks.table();
            }
            Content::Directory(_) | Content::Symlink(_) => {
                let (at, tail) = self.begin(&place, size % BLOCK);
                let blocks = if tail > 0 { size / BLOCK } else { size.div_ceil(BLOCK) };
                place.at = at;
                place.layout = if tail > 0 { Layout::Inline(self.blocks) } else { Layout::Plain(self.blocks) };
                self.blocks += blocks;
                self.at = at + place.inode_len() + place.xattrs + tail;
            }
            _ => {
                place.at = self.begin(&place, 0).0;
                self.at = place.at + place.inode_len() + place.xattrs;
            }
        }
        Ok(place)
    }

    /// A place for an inode, which lies in one block, and for so many bytes behind it, which do too; how many bytes those
    /// are: none where they do not fit.
    fn begin(&self, place: &Place, tail: u64) -> (u64, u64) {
        let first = self.at.next_multiple_of(INODE);
        let slots = || (0..2 * BLOCK / INODE).map(|slot| first + slot * INODE);
        let fits = |at: u64, len: u64| at % BLOCK + len <= BLOCK;
        let head = place.inode_len() + place.xattrs;
        let both = slots().find(|at| fits(*at, place.inode_len()) && fits(at + head, tail));
        match both {
            Some(at) => (at, tail),
            None => (slots().find(|at| fits(*at, place.inode_len())).unwrap_or(first), 0),
        }
    }

    fn is_compact(&self, inode: &Inode, place: &Place) -> bool {
        let meta = &inode.meta;
        let small = u32::from(u16::MAX);
        meta.mtime == self.time && meta.uid.max(meta.gid).max(place.links) <= small && place.size <= u64::from(u32::MAX)
    }
}
