//! An image of ours back into a tree.
//!
//! Nothing of the file is believed: every offset is checked, a directory is read once, and a file that was damaged or cut
//! is an error, most often by the checksum in its trailer.

mod directory;
mod inode;
mod source;

use std::{collections::HashMap, os::unix::fs::FileExt};

use inode::{Data, Raw};
use source::Source;
use values::{Error, Result, ResultExt};

use crate::{
    device::Device,
    format::{
        BLOCK, BLOCK_BITS, CHECKSUM, CHUNK_INDEX, CHUNKED, DEVICES, INODE, MAGIC, SLOT, SUPER, SUPER_LEN, crc32c,
    },
    notes::{Notes, Trailer, damaged},
    tree::{Content, File, Id, Meta, Tree},
};

/// The devices an index is to be mounted with, in their order, without reading more of it.
///
/// # Errors
/// `Internal` where the file is no index of ours or is damaged.
pub fn devices(index: &std::fs::File) -> Result<Vec<Device>> {
    Ok(Super::read(&mut Source::open(index)?)?.devices)
}

/// Reads an index written by [`write`](crate::write()). Where it holds data of files itself, it becomes the last of the
/// tree's devices, with `tag`.
///
/// # Errors
/// `Internal` where the file is no index of ours or is damaged.
pub fn read(index: &std::fs::File, tag: &str) -> Result<Tree> {
    let mut source = Source::open(index)?;
    source.verify()?;
    tree(&mut source, tag)
}

fn tree(source: &mut Source<'_>, tag: &str) -> Result<Tree> {
    let superblock = Super::read(source)?;
    let own = Device { is_index: true, ..Device::new(tag, source.image())? };
    let mut reader = Reader {
        own: superblock.devices.len() as u16,
        tree: Tree::new(Meta::new(0o755)),
        made: HashMap::new(),
        directories: HashMap::new(),
        uses_own: false,
        used: 0,
        source,
        superblock,
    };
    reader.read()?;
    let Reader { mut tree, uses_own, superblock, .. } = reader;
    tree.devices = superblock.devices;
    if uses_own {
        tree.devices.push(own);
    }
    Ok(tree)
}

struct Super {
    root: u64,
    time: values::Timestamp,
    devices: Vec<Device>,
}

impl Super {
    fn read(source: &mut Source<'_>) -> Result<Self> {
        let first: [u8; BLOCK as usize] = source.array(SUPER)?;
        let word = |at: usize| u32::from_le_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]);
        let half = |at: usize| u16::from_le_bytes([first[at], first[at + 1]]);
        let mut unsummed = first;
        unsummed[4..8].fill(0);
        if word(0) != MAGIC || !sums_up(word(4), crc32c(&unsummed)) {
            return Err(damaged());
        }
        if word(8) != CHECKSUM || word(80) != CHUNKED | DEVICES || first[12] != BLOCK_BITS || word(40) != 0 {
            return Err(Error::internal("the index is of a form we do not write"));
        }
        let secs = i64::from_le_bytes(*first[24..].first_chunk().ok_or_else(damaged)?);
        let slots = u64::from(half(88)) * SLOT;
        if slots != SUPER + SUPER_LEN {
            return Err(damaged());
        }
        let mut devices = Vec::new();
        for i in 0..u64::from(half(86)) {
            let slot: [u8; SLOT as usize] = source.array(slots + i * SLOT)?;
            let (tag, rest) = slot.split_first_chunk().ok_or_else(damaged)?;
            let blocks = u32::from_le_bytes(*rest.first_chunk().ok_or_else(damaged)?);
            devices.push(Device { tag: *tag, blocks, is_index: false });
        }
        Ok(Self { root: u64::from(half(14)), time: values::Timestamp { secs, nanos: word(32) }, devices })
    }
}

struct Reader<'a, 'b> {
    source: &'a mut Source<'b>,
    superblock: Super,
    tree: Tree,
    /// By nid; not directories.
    made: HashMap<u64, (Id, u32)>,
    directories: HashMap<u64, Id>,
    /// The device number of the index itself.
    own: u16,
    uses_own: bool,
    /// Bytes of the image that were made something of: each is used once.
    used: u64,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Result<()> {
        let root = self.raw(self.superblock.root)?;
        let Data::Directory = root.data else { return Err(damaged()) };
        *self.tree.meta_mut(Tree::ROOT) = root.meta.clone();
        self.directories.insert(self.superblock.root, Tree::ROOT);
        let mut open = vec![(self.superblock.root, root, Tree::ROOT, self.superblock.root)];
        while let Some((nid, raw, dir, parent)) = open.pop() {
            let mut children = Vec::new();
            let mut dots = 0;
            self.use_up(raw.size)?;
            for entry in directory::entries(self.source, &raw)? {
                match &entry.name[..] {
                    b"." if entry.nid == nid => dots += 1,
                    b".." if entry.nid == parent => dots += 1,
                    _ => children.push(entry),
                }
            }
            if dots != 2 {
                return Err(damaged());
            }
            for entry in children {
                let (raw, id) = match self.entry(dir, &entry) {
                    Ok(Some(below)) => below,
                    Ok(None) => continue,
                    Err(e) => return Err(e.context(String::from_utf8_lossy(&entry.name))),
                };
                open.push((entry.nid, raw, id, nid));
            }
        }
        for (id, links) in self.made.values() {
            if self.tree.links(*id) != *links {
                return Err(damaged());
            }
        }
        self.take_notes()
    }

    /// Puts an entry into the tree; a directory which is to be read.
    fn entry(&mut self, dir: Id, entry: &directory::Entry) -> Result<Option<(Raw, Id)>> {
        let failed = |errno: rustix::io::Errno| Error::internal(format!("the index is damaged ({errno})"));
        if let Some((id, _)) = self.made.get(&entry.nid) {
            self.tree.link(dir, &entry.name, *id).map_err(failed)?;
            return Ok(None);
        }
        let raw = self.raw(entry.nid)?;
        let content = match raw.data {
            Data::Directory => {
                let id = self.tree.add_directory(dir, &entry.name, raw.meta.clone()).map_err(failed)?;
                if self.directories.insert(entry.nid, id).is_some() {
                    return Err(damaged());
                }
                return Ok(Some((raw, id)));
            }
            Data::File => {
                let extents = raw.extents(self.source, self.own)?;
                self.use_up(extents.len() as u64 * CHUNK_INDEX)?;
                for extent in &extents {
                    self.uses_own |= extent.device == self.own;
                    let device = self.superblock.devices.get(usize::from(extent.device));
                    let len = device.map_or(self.source.image(), |device| u64::from(device.blocks) * BLOCK);
                    // the last block of a file's data is a whole one in a device
                    if extent.device > self.own || extent.at > len || extent.len > len - extent.at {
                        return Err(damaged());
                    }
                }
                Content::File(File::new(raw.size, extents)?)
            }
            Data::Symlink => {
                self.use_up(raw.size)?;
                Content::Symlink(raw.bytes(self.source)?.into())
            }
            Data::CharDevice(major, minor) => Content::CharDevice(major, minor),
            Data::BlockDevice(major, minor) => Content::BlockDevice(major, minor),
            Data::Fifo => Content::Fifo,
        };
        let id = self.tree.add(dir, &entry.name, raw.meta, content).map_err(failed)?;
        self.made.insert(entry.nid, (id, raw.links));
        Ok(None)
    }

    fn raw(&mut self, nid: u64) -> Result<Raw> {
        let raw = Raw::read(self.source, nid, self.superblock.time)?;
        self.use_up(raw.len)?;
        Ok(raw)
    }

    /// Where parts of a damaged image lie over one another, a small file must not become a large tree.
    fn use_up(&mut self, bytes: u64) -> Result<()> {
        self.used = self.used.checked_add(bytes).filter(|used| *used <= self.source.image()).ok_or_else(damaged)?;
        Ok(())
    }

    fn take_notes(&mut self) -> Result<()> {
        let notes = Notes::from_bytes(&self.source.notes()?)?;
        for nid in notes.implied {
            let dir = self.directories.get(&nid).ok_or_else(damaged)?;
            self.tree.set_implied(*dir, true);
        }
        let mut made: HashMap<u32, Id> = HashMap::new();
        for orphan in notes.orphans {
            let dir = *self.directories.get(&orphan.dir).ok_or_else(damaged)?;
            let done = match made.get(&orphan.number) {
                Some(id) => self.tree.link(dir, &orphan.name, *id),
                None => self.tree.add(dir, &orphan.name, Meta::new(0), Content::Orphan(orphan.target)).map(|id| {
                    made.insert(orphan.number, id);
                }),
            };
            done.map_err(|_| damaged())?;
        }
        Ok(())
    }
}

impl Source<'_> {
    /// The checksum of the whole file.
    fn verify(&self) -> Result<()> {
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 128 << 10];
        let mut at = 0;
        let end = self.trailer_at();
        while at < end {
            let n = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            self.file().read_exact_at(&mut buffer[..n], at).during(|| "the index")?;
            hasher.update(&buffer[..n]);
            at += n as u64;
        }
        if sums_up(hasher.finalize(), self.trailer().checksum) { Ok(()) } else { Err(damaged()) }
    }

    fn notes(&self) -> Result<Vec<u8>> {
        let Trailer { at, len, .. } = self.trailer();
        let mut notes = vec![0; usize::try_from(len).map_err(|_| damaged())?];
        self.file().read_exact_at(&mut notes, at).during(|| "the index")?;
        Ok(notes)
    }
}

/// A fuzzer would never get past a checksum.
fn sums_up(found: u32, expected: u32) -> bool {
    found == expected || cfg!(fuzzing)
}

/// Where an inode is.
fn position(nid: u64) -> Result<u64> {
    nid.checked_mul(INODE).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::tree::Extent;

    /// Without the checksum that finds all such damage: errors or other trees, no panics, no endless loops.
    #[test]
    fn damage_that_is_not_found_by_the_checksum() {
        let mut tree = Tree::new(Meta::new(0o755));
        tree.devices.push(Device::new("tar", 1 << 20).unwrap());
        let dir = tree.add_directory(Tree::ROOT, b"dir", Meta::new(0o700)).unwrap();
        for i in 0..30 {
            let extent = Extent { offset: 4096, len: 512, device: 0, at: 1024 * i };
            let file = Content::File(File::new(5000, [extent]).unwrap());
            let id = tree.add(dir, format!("file {i} with a name").as_bytes(), Meta::new(0o600), file).unwrap();
            tree.meta_mut(id).xattrs.insert(b"user.a".as_slice().into(), b"value".as_slice().into());
        }
        tree.add(dir, b"link", Meta::new(0o777), Content::Symlink(vec![b'x'; 700].into())).unwrap();
        tree.add(dir, b"orphan", Meta::new(0), Content::Orphan(b"a/b".as_slice().into())).unwrap();
        tree.set_implied(dir, true);
        let mut bytes = Vec::new();
        let no_data = |_: &Device, _: u64, _: &mut [u8]| Err(std::io::Error::other("no data"));
        crate::write(&tree, &no_data, &mut bytes).unwrap();
        let mut index: std::fs::File =
            rustix::fs::memfd_create("index", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into();
        index.write_all(&bytes).unwrap();
        let mut refused = 0;
        for (at, byte) in bytes.iter().enumerate() {
            for flip in [1, 0x80, 0xff] {
                index.write_all_at(&[byte ^ flip], at as u64).unwrap();
                refused += u32::from(Source::open(&index).and_then(|mut source| super::tree(&mut source, "")).is_err());
            }
            index.write_all_at(&[*byte], at as u64).unwrap();
        }
        assert!(refused > 1000, "{refused}");
        assert_eq!(read(&index, "").unwrap(), tree);
    }
}
