use values::{Result, Timestamp};

use super::{position, source::Source};
use crate::{
    format::{
        BLOCK, BLOCK_BITS, CHUNK_INDEX, CHUNKS, COMPACT, EXTENDED, HOLE, INDEXES, INLINE, PLAIN, S_IFBLK, S_IFCHR,
        S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, XATTR_ENTRY, XATTR_HEADER, XATTR_PREFIXES, major_minor,
    },
    notes::damaged,
    tree::{Extent, Meta, Xattrs},
};

/// An inode as it stands in the image.
pub(super) struct Raw {
    pub(super) meta: Meta,
    pub(super) links: u32,
    pub(super) size: u64,
    pub(super) data: Data,
    layout: u16,
    /// A block's address or a chunk format.
    union: u32,
    /// Bytes of the inode and its extended attributes.
    pub(super) len: u64,
    /// Where those end.
    end: u64,
}

/// What kind of file it is.
#[derive(Clone, Copy)]
pub(super) enum Data {
    Directory,
    File,
    Symlink,
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// Longest target of a symlink.
const TARGET_MAX: u64 = 4095;

impl Raw {
    /// `time` is that of compact ones.
    pub(super) fn read(source: &mut Source<'_>, nid: u64, time: Timestamp) -> Result<Self> {
        let at = position(nid)?;
        let short: [u8; COMPACT as usize] = source.array(at)?;
        let half = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let word =
            |bytes: &[u8], at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let format = half(&short, 0);
        let mode = half(&short, 4);
        let mut meta = Meta::new(mode & 0o7777);
        let (links, size, union, end);
        if format & 1 == 0 {
            (links, size, union) = (u32::from(half(&short, 6)), u64::from(word(&short, 8)), word(&short, 16));
            (meta.uid, meta.gid, meta.mtime) = (u32::from(half(&short, 24)), u32::from(half(&short, 26)), time);
            end = at + COMPACT;
        } else {
            let long: [u8; EXTENDED as usize] = source.array(at)?;
            let double = |at: usize| u64::from(word(&long, at)) | u64::from(word(&long, at + 4)) << 32;
            (links, size, union) = (word(&long, 44), double(8), word(&long, 16));
            (meta.uid, meta.gid) = (word(&long, 24), word(&long, 28));
            meta.mtime = Timestamp { secs: double(32) as i64, nanos: word(&long, 40) };
            end = at + EXTENDED;
        }
        let xattrs = match u64::from(half(&short, 2)) {
            0 => 0,
            count => XATTR_HEADER + (count - 1) * 4,
        };
        if xattrs > 0 {
            meta.xattrs = self::xattrs(source.bytes(end, xattrs)?)?;
        }
        let device = major_minor(union);
        let data = match mode & S_IFMT {
            S_IFDIR => Data::Directory,
            S_IFREG => Data::File,
            S_IFLNK => Data::Symlink,
            S_IFCHR => Data::CharDevice(device.0, device.1),
            S_IFBLK => Data::BlockDevice(device.0, device.1),
            S_IFIFO => Data::Fifo,
            _ => return Err(damaged()),
        };
        let layout = format >> 1;
        let has_data = matches!(data, Data::File | Data::Directory | Data::Symlink);
        if i64::try_from(size).is_err()
            || meta.mtime.nanos >= 1_000_000_000
            || !has_data && (size > 0 || layout != PLAIN)
        {
            return Err(damaged());
        }
        Ok(Self { meta, links, size, data, layout, union, len: end + xattrs - at, end: end + xattrs })
    }

    /// A directory's or symlink's data.
    pub(super) fn bytes(&self, source: &mut Source<'_>) -> Result<Vec<u8>> {
        if matches!(self.data, Data::Symlink) && !(1..=TARGET_MAX).contains(&self.size) {
            return Err(damaged());
        }
        let tail = match self.layout {
            PLAIN => 0,
            INLINE => self.size % BLOCK,
            _ => return Err(damaged()),
        };
        // before anything is set aside for it: all of it must be in the file
        if self.size > source.image() {
            return Err(damaged());
        }
        let mut out = Vec::new();
        if self.size > tail {
            out.extend_from_slice(source.bytes(u64::from(self.union) * BLOCK, self.size - tail)?);
        }
        if tail > 0 {
            if self.end % BLOCK + tail > BLOCK {
                return Err(damaged());
            }
            out.extend_from_slice(source.bytes(self.end, tail)?);
        }
        Ok(out)
    }

    /// A file's data; what the image holds itself is in the device `own`.
    pub(super) fn extents(&self, source: &mut Source<'_>, own: u16) -> Result<Vec<Extent>> {
        if self.size == 0 && self.layout == PLAIN {
            return Ok(Vec::new());
        }
        let format = u16::try_from(self.union).map_err(|_| damaged())?;
        if self.layout != CHUNKS || format & !0x1f != INDEXES {
            return Err(damaged());
        }
        let chunk = 1u64 << (u64::from(format & 0x1f) + u64::from(BLOCK_BITS));
        let table = self.end.next_multiple_of(CHUNK_INDEX);
        let count = self.size.div_ceil(chunk);
        let len = count.checked_mul(CHUNK_INDEX).ok_or_else(damaged)?;
        if table.checked_add(len).is_none_or(|end| end > source.image()) {
            return Err(damaged());
        }
        let mut extents: Vec<Extent> = Vec::new();
        for i in 0..count {
            let index: [u8; CHUNK_INDEX as usize] = source.array(table + i * CHUNK_INDEX)?;
            let device = u16::from_le_bytes([index[2], index[3]]);
            let block = u32::from_le_bytes([index[4], index[5], index[6], index[7]]);
            if block == HOLE {
                continue;
            }
            let offset = i * chunk;
            // the image itself is 0 among its devices, and last among the tree's
            let device = device.checked_sub(1).unwrap_or(own);
            let next = Extent { offset, len: chunk.min(self.size - offset), device, at: u64::from(block) * BLOCK };
            match extents.last_mut() {
                Some(last) if last.continues_in(&next) => last.len += next.len,
                _ => extents.push(next),
            }
        }
        Ok(extents)
    }
}

fn xattrs(bytes: &[u8]) -> Result<Xattrs> {
    let shared = bytes.get(4).copied();
    let mut rest = bytes.get(XATTR_HEADER as usize..).filter(|_| shared == Some(0)).ok_or_else(damaged)?;
    let mut xattrs = Xattrs::new();
    while let Some((head, behind)) = rest.split_first_chunk::<{ XATTR_ENTRY as usize }>() {
        let (name_len, value_len) = (usize::from(head[0]), usize::from(u16::from_le_bytes([head[2], head[3]])));
        let (name, value) =
            behind.split_at_checked(name_len).and_then(|(n, v)| Some((n, v.get(..value_len)?))).ok_or_else(damaged)?;
        let prefix = XATTR_PREFIXES.iter().find(|(index, _)| *index == head[1]).ok_or_else(damaged)?.1;
        xattrs.insert([prefix, name].concat().into(), value.into());
        let used = (XATTR_ENTRY as usize + name_len + value_len).next_multiple_of(4);
        rest = rest.get(used..).ok_or_else(damaged)?;
    }
    if rest.is_empty() { Ok(xattrs) } else { Err(damaged()) }
}
