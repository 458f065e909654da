//! A tree into an image.

mod chunks;
mod directory;
mod output;
mod plan;
mod xattrs;

use std::{collections::BTreeMap, io::Write};

use chunks::Table;
use output::Output;
use plan::{Layout, Place, Plan, table_end};
use values::{Error, Result};

use crate::{
    device::Data,
    format::{
        BLOCK, BLOCK_BITS, CHECKSUM, CHUNK_INDEX, CHUNKED, CHUNKS, DEVICES, INLINE, MAGIC, PLAIN, S_IFBLK, S_IFCHR,
        S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, SLOT, SUPER, SUPER_LEN, crc32c, device_number,
    },
    notes::{Notes, Orphan, Trailer},
    resolve::PATH_MAX,
    tree::{Content, Id, Tree},
};

/// Writes the index of a tree. What it cannot point at is read from `data` and copied into it. It is to be mounted with those
/// of the tree's devices that are no indexes, in their order ([`devices`](crate::devices())).
///
/// # Errors
/// `InvalidArgument` for what the format has no place for; what `data` and `out` say.
pub fn write(tree: &Tree, data: &dyn Data, out: &mut dyn Write) -> Result<()> {
    check(tree)?;
    let devices = Table::new(&tree.devices);
    let plan = Plan::of(tree, &devices)?;
    let mut out = Output::new(out);
    out.write(&head(tree, &plan))?;
    let writer = Writer { tree, devices: &devices, plan: &plan };
    for (i, id) in plan.order.iter().enumerate() {
        writer.inode(*id, i as u32 + 1, &mut out)?;
    }
    out.pad(plan.blocks)?;
    for id in &plan.order {
        writer.blocks(*id, &mut out)?;
    }
    out.pad(plan.copies)?;
    for id in &plan.order {
        if let (Content::File(file), Layout::Chunks(chunks, _)) = (tree.inode(*id).content(), plan.place(*id).layout) {
            chunks.copy(file, &devices, data, &mut |bytes| out.write(bytes))?;
        }
    }
    out.pad(plan.end)?;
    let notes = notes(tree, &plan).to_bytes();
    out.write(&notes)?;
    let trailer = Trailer { at: plan.end, len: notes.len() as u64, checksum: out.checksum() };
    out.write(&trailer.to_bytes())?;
    Ok(out.finish()?)
}

/// Sizes and times have a place, extents are in devices that are there.
fn check(tree: &Tree) -> Result<()> {
    let mut walk = tree.walk();
    while let Some(id) = walk.step() {
        let inode = tree.inode(id);
        let fault = |what: &str| Error::invalid(format!("{}: {what}", String::from_utf8_lossy(walk.path())));
        if inode.meta.mtime.nanos >= 1_000_000_000 {
            return Err(fault("its time is out of range"));
        }
        let file = match inode.content() {
            Content::File(file) => file,
            Content::Symlink(target) | Content::Orphan(target) if target.is_empty() || target.len() >= PATH_MAX => {
                return Err(fault("its target is too long, or none"));
            }
            _ => continue,
        };
        if i64::try_from(file.size()).is_err() {
            return Err(fault("its size is out of range"));
        }
        for extent in file.extents() {
            let device = tree.devices.get(usize::from(extent.device));
            if device.is_none_or(|device| extent.at + extent.len > u64::from(device.blocks) * BLOCK) {
                return Err(fault("its data is outside of its device"));
            }
        }
    }
    Ok(())
}

/// All before the first inode.
fn head(tree: &Tree, plan: &Plan) -> Vec<u8> {
    let mut out = vec![0; table_end(tree) as usize];
    let mut put = |at: u64, bytes: &[u8]| out[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    let tarred = || tree.devices.iter().filter(|device| !device.is_index);
    put(SUPER, &MAGIC.to_le_bytes());
    put(SUPER + 8, &CHECKSUM.to_le_bytes());
    put(SUPER + 12, &[BLOCK_BITS]);
    put(SUPER + 14, &(plan.place(Tree::ROOT).nid() as u16).to_le_bytes());
    put(SUPER + 16, &(plan.order.len() as u64).to_le_bytes());
    put(SUPER + 24, &plan.time.secs.to_le_bytes());
    put(SUPER + 32, &plan.time.nanos.to_le_bytes());
    put(SUPER + 36, &((plan.end / BLOCK) as u32).to_le_bytes());
    put(SUPER + 48, &uuid(tree, plan));
    put(SUPER + 80, &(CHUNKED | DEVICES).to_le_bytes());
    put(SUPER + 86, &(tarred().count() as u16).to_le_bytes());
    put(SUPER + 88, &(((SUPER + SUPER_LEN) / SLOT) as u16).to_le_bytes());
    for (device, i) in tarred().zip(0..) {
        let slot = SUPER + SUPER_LEN + i * SLOT;
        put(slot, &device.tag);
        put(slot + device.tag.len() as u64, &device.blocks.to_le_bytes());
    }
    let checksum = crc32c(&out[SUPER as usize..(SUPER + BLOCK) as usize]);
    out[SUPER as usize + 4..SUPER as usize + 8].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// The same for the same layers, another for others: FNV-1a of what tells them apart, in the form of RFC 9562's version 8.
fn uuid(tree: &Tree, plan: &Plan) -> [u8; 16] {
    let sizes = [plan.order.len() as u64, plan.blocks, plan.end];
    let tags = tree.devices.iter().flat_map(|device| device.tag);
    let bytes = tags.chain(sizes.into_iter().flat_map(u64::to_le_bytes));
    let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    });
    let mut uuid = hash.to_be_bytes();
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

fn notes(tree: &Tree, plan: &Plan) -> Notes {
    let mut notes = Notes::default();
    let mut numbers: BTreeMap<Id, u32> = BTreeMap::new();
    for id in &plan.order {
        let Some(directory) = tree.inode(*id).as_directory() else { continue };
        let nid = plan.place(*id).nid();
        if directory.is_implied {
            notes.implied.push(nid);
        }
        for (name, child) in directory.names() {
            let Content::Orphan(target) = tree.inode(child).content() else { continue };
            let next = numbers.len() as u32;
            let number = *numbers.entry(child).or_insert(next);
            notes.orphans.push(Orphan { number, dir: nid, name: name.into(), target: target.clone() });
        }
    }
    notes
}

struct Writer<'a> {
    tree: &'a Tree,
    devices: &'a Table<'a>,
    plan: &'a Plan,
}

impl Writer<'_> {
    /// The inode, its extended attributes and what of its data is behind them.
    fn inode(&self, id: Id, number: u32, out: &mut Output<'_>) -> Result<()> {
        let inode = self.tree.inode(id);
        let place = self.plan.place(id);
        out.pad(place.at)?;
        out.write(&self.core(id, place, number))?;
        out.write(&xattrs::bytes(&inode.meta.xattrs)?)?;
        match (place.layout, &inode.content) {
            (Layout::Inline(_), content) => {
                let data = self.data(id, content);
                out.write(&data[data.len() / BLOCK as usize * BLOCK as usize..])?;
            }
            (Layout::Chunks(chunks, copies), Content::File(file)) => {
                out.pad((place.at + place.inode_len() + place.xattrs).next_multiple_of(CHUNK_INDEX))?;
                chunks.indexes(file, self.devices, copies, &mut |bytes| out.write(bytes))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn core(&self, id: Id, place: &Place, number: u32) -> Vec<u8> {
        let inode = self.tree.inode(id);
        let meta = &inode.meta;
        let (layout, union) = match (place.layout, &inode.content) {
            (Layout::Chunks(chunks, _), _) => (CHUNKS, u32::from(chunks.format())),
            (Layout::Plain(first), _) => (PLAIN, first as u32),
            (Layout::Inline(first), _) => (INLINE, first as u32),
            (Layout::None, Content::CharDevice(major, minor) | Content::BlockDevice(major, minor)) => {
                (PLAIN, device_number(*major, *minor))
            }
            (Layout::None, _) => (PLAIN, 0),
        };
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&(layout << 1 | u16::from(!place.is_compact)).to_le_bytes());
        out.extend_from_slice(&(xattrs::icount(place.xattrs) as u16).to_le_bytes());
        out.extend_from_slice(&(file_type(&inode.content) | meta.mode & 0o7777).to_le_bytes());
        if place.is_compact {
            out.extend_from_slice(&(place.links as u16).to_le_bytes());
            out.extend_from_slice(&(place.size as u32).to_le_bytes());
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&union.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&(meta.uid as u16).to_le_bytes());
            out.extend_from_slice(&(meta.gid as u16).to_le_bytes());
            out.extend_from_slice(&[0; 4]);
        } else {
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(&place.size.to_le_bytes());
            out.extend_from_slice(&union.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&meta.uid.to_le_bytes());
            out.extend_from_slice(&meta.gid.to_le_bytes());
            out.extend_from_slice(&meta.mtime.secs.to_le_bytes());
            out.extend_from_slice(&meta.mtime.nanos.to_le_bytes());
            out.extend_from_slice(&place.links.to_le_bytes());
            out.extend_from_slice(&[0; 16]);
        }
        out
    }

    /// Whole blocks of a directory or symlink.
    fn blocks(&self, id: Id, out: &mut Output<'_>) -> Result<()> {
        let inode = self.tree.inode(id);
        let place = self.plan.place(id);
        let (first, len) = match place.layout {
            Layout::Inline(first) => (first, place.size / BLOCK * BLOCK),
            Layout::Plain(first) => (first, place.size),
            _ => return Ok(()),
        };
        if len == 0 {
            return Ok(());
        }
        out.pad(first * BLOCK)?;
        out.write(&self.data(id, &inode.content)[..len as usize])?;
        Ok(out.pad((first * BLOCK + len).next_multiple_of(BLOCK))?)
    }

    fn data(&self, id: Id, content: &Content) -> Vec<u8> {
        match content {
            Content::Directory(directory) => directory::bytes(self.tree, id, directory, |id| self.plan.place(id).nid()),
            Content::Symlink(target) => target.to_vec(),
            _ => Vec::new(),
        }
    }
}

fn file_type(content: &Content) -> u16 {
    match content {
        Content::Directory(_) => S_IFDIR,
        Content::Symlink(_) => S_IFLNK,
        Content::CharDevice(..) => S_IFCHR,
        Content::BlockDevice(..) => S_IFBLK,
        Content::Fifo => S_IFIFO,
        Content::File(_) | Content::Orphan(_) => S_IFREG,
    }
}
