//! How a file is cut into chunks.
//!
//! All chunks of a file have one size, a power of two of blocks. A chunk is a hole, a run of blocks in a device, or, where
//! neither is true of it, copied into the index.

use std::io;

use values::{Error, Result};

use crate::{
    device::{Data, Device},
    format::{BLOCK, BLOCK_BITS, CHUNK_BITS_MAX, CHUNK_INDEX, HOLE, INDEXES},
    tree::{Extent, File},
};

/// Sparse files that need more than this in the index, their data aside, are not made to be used.
pub(super) const SPARSE_MAX: u64 = 1 << 30;

/// The devices by the numbers they have in the image.
pub(super) struct Table<'a> {
    devices: &'a [Device],
    /// None for those that data is copied from.
    numbers: Vec<Option<u16>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(devices: &'a [Device]) -> Self {
        // the image itself is 0
        let mut next = 0;
        let number = |device: &Device| {
            next += u16::from(!device.is_index);
            (!device.is_index).then_some(next)
        };
        Self { devices, numbers: devices.iter().map(number).collect() }
    }

    fn number(&self, device: u16) -> Option<u16> {
        self.numbers[usize::from(device)]
    }

    fn of(&self, device: u16) -> &'a Device {
        &self.devices[usize::from(device)]
    }
}

/// A file's chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    /// Size as a power of two of blocks.
    bits: u8,
    pub(super) count: u64,
    /// Bytes that are copied into the index: whole blocks.
    pub(super) copied: u64,
}

impl Chunks {
    /// The chunk size that takes the least place; the largest of those.
    pub(super) fn of(file: &File, devices: &Table<'_>) -> Self {
        let enough = (0..CHUNK_BITS_MAX).find(|bits| size(*bits) >= file.size()).unwrap_or(CHUNK_BITS_MAX);
        let mut best = Self::with(enough, file, devices);
        for bits in (0..enough).rev() {
            let chunks = Self::with(bits, file, devices);
            if best.copied == 0 || chunks.table() > best.takes() {
                break;
            }
            if chunks.takes() < best.takes() {
                best = chunks;
            }
        }
        best
    }

    fn with(bits: u8, file: &File, devices: &Table<'_>) -> Self {
        let this = Self { bits, count: file.size().div_ceil(size(bits)), copied: 0 };
        let mut copied = 0;
        // the first chunk not looked at yet
        let mut next = 0;
        let mut copy = |from: u64, to: u64| {
            let from = from.max(next);
            if from < to {
                copied += (to - 1 - from) * size(bits) + this.len(to - 1, file);
                next = to;
            }
        };
        for extent in file.extents() {
            let (first, last) = (extent.offset / size(bits), (extent.end() - 1) / size(bits));
            if !is_whole(extent, devices) {
                copy(first, last + 1);
                continue;
            }
            for chunk in [first, last] {
                if this.direct(chunk, extent, file).is_none() {
                    copy(chunk, chunk + 1);
                }
            }
        }
        Self { copied, ..this }
    }

    /// Bytes of all indexes.
    pub(super) fn table(self) -> u64 {
        self.count * CHUNK_INDEX
    }

    fn takes(self) -> u64 {
        self.table().saturating_add(self.copied)
    }

    /// What it takes beside the data.
    pub(super) fn overhead(self, file: &File) -> u64 {
        let data: u64 = file.extents().iter().map(|extent| extent.len).sum();
        self.takes().saturating_sub(data)
    }

    /// The extent's place of a chunk that lies in it as a whole.
    fn direct(self, chunk: u64, extent: &Extent, file: &File) -> Option<u64> {
        let start = chunk * size(self.bits);
        let end = start.saturating_add(size(self.bits)).min(file.size());
        (extent.offset <= start && end <= extent.end()).then(|| extent.at + (start - extent.offset))
    }

    /// Bytes of a chunk in whole blocks.
    fn len(self, chunk: u64, file: &File) -> u64 {
        (file.size() - chunk * size(self.bits)).min(size(self.bits)).next_multiple_of(BLOCK)
    }

    pub(super) fn format(self) -> u16 {
        INDEXES | u16::from(self.bits)
    }

    /// Each chunk's index; `copies` is the block where copied ones begin.
    pub(super) fn indexes(
        self,
        file: &File,
        devices: &Table<'_>,
        copies: u64,
        write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<()> {
        let mut copies = copies;
        let mut extents = file.extents();
        for chunk in 0..self.count {
            let (device, block) = match self.place(chunk, file, &mut extents, devices) {
                Place::Hole => (0, HOLE),
                Place::In(extent, at) => (devices.number(extent.device).unwrap_or(0), block(at / BLOCK)?),
                Place::Copied => {
                    let first = copies;
                    copies += self.len(chunk, file) / BLOCK;
                    (0, block(first)?)
                }
            };
            write(&[0; 2])?;
            write(&device.to_le_bytes())?;
            write(&block.to_le_bytes())?;
        }
        Ok(())
    }

    /// Where a chunk is; `extents` are those from it on.
    fn place<'a>(self, chunk: u64, file: &File, extents: &mut &'a [Extent], devices: &Table<'_>) -> Place<'a> {
        let start = chunk * size(self.bits);
        while extents.first().is_some_and(|extent| extent.end() <= start) {
            *extents = &extents[1..];
        }
        match extents.first() {
            None => Place::Hole,
            Some(extent) if extent.offset >= start.saturating_add(size(self.bits)) => Place::Hole,
            Some(extent) => match self.direct(chunk, extent, file).filter(|_| is_whole(extent, devices)) {
                Some(at) => Place::In(extent, at),
                None => Place::Copied,
            },
        }
    }

    /// Writes the copied chunks.
    pub(super) fn copy(
        self,
        file: &File,
        devices: &Table<'_>,
        data: &dyn Data,
        write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<()> {
        let mut buffer = vec![0; (64 << 10).min(size(self.bits) as usize)];
        let mut extents = file.extents();
        for chunk in 0..self.count {
            if !matches!(self.place(chunk, file, &mut extents, devices), Place::Copied) {
                continue;
            }
            let mut at = chunk * size(self.bits);
            let end = at + self.len(chunk, file);
            let mut inside = extents;
            while at < end {
                let part = &mut buffer[..(end - at).min(64 << 10) as usize];
                fill(part, at, &mut inside, devices, data)?;
                write(part)?;
                at += part.len() as u64;
            }
        }
        Ok(())
    }
}

/// What the file has at `at`; `extents` are those from there on.
fn fill(part: &mut [u8], at: u64, extents: &mut &[Extent], devices: &Table<'_>, data: &dyn Data) -> io::Result<()> {
    part.fill(0);
    let end = at + part.len() as u64;
    while let Some(extent) = extents.first().filter(|extent| extent.offset < end) {
        let (from, to) = (extent.offset.max(at), extent.end().min(end));
        if from < to {
            let place = &mut part[(from - at) as usize..(to - at) as usize];
            data.read_exact_at(devices.of(extent.device), extent.at + (from - extent.offset), place)?;
        }
        if extent.end() > end {
            break;
        }
        *extents = &extents[1..];
    }
    Ok(())
}

enum Place<'a> {
    Hole,
    In(&'a Extent, u64),
    Copied,
}

/// Bytes of a chunk.
fn size(bits: u8) -> u64 {
    1 << (bits + BLOCK_BITS)
}

/// Whether an index can point at the extent: its blocks are those of a device that is mounted with it.
fn is_whole(extent: &Extent, devices: &Table<'_>) -> bool {
    extent.at % BLOCK == extent.offset % BLOCK && devices.number(extent.device).is_some()
}

/// An address that is no hole's.
fn block(number: u64) -> Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|number| *number != HOLE)
        .ok_or_else(|| Error::invalid("the index of a layer cannot reach beyond 2 TiB"))
}
