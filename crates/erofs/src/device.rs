//! Files that hold the data of an index' files.

use std::io;

use values::{Error, Result};

use crate::format::BLOCK;

/// A file in which data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What tells it from others, filled up with zeros: in the table of an index, for a layer's tar, its chain id in hex.
    pub tag: [u8; Device::TAG],
    /// Size in blocks of 512 bytes.
    pub blocks: u32,
    /// It is itself an index that was read: there is no mounting with it, so its data is copied into the next index.
    pub is_index: bool,
}

impl Device {
    /// Bytes of a tag.
    pub const TAG: usize = 64;

    /// A tar of so many bytes; where they are not known yet, [`Device::set_len`] comes later.
    ///
    /// # Errors
    /// `InvalidArgument` for a tag that is too long, or more than the 2 TiB that 32-bit block addresses reach.
    pub fn new(tag: &str, bytes: u64) -> Result<Self> {
        let mut device = Self { tag: [0; Self::TAG], blocks: 0, is_index: false };
        let place = device.tag.get_mut(..tag.len()).ok_or_else(|| Error::invalid("the tag of a device is too long"))?;
        place.copy_from_slice(tag.as_bytes());
        device.set_len(bytes)?;
        Ok(device)
    }

    /// # Errors
    /// As [`Device::new`].
    pub fn set_len(&mut self, bytes: u64) -> Result<()> {
        // the largest address stands for a hole
        let blocks = u32::try_from(bytes.div_ceil(BLOCK)).ok().filter(|blocks| *blocks < u32::MAX);
        self.blocks = blocks.ok_or_else(|| Error::invalid("a layer of more than 2 TiB cannot be indexed"))?;
        Ok(())
    }

    /// The tag without the zeros behind it.
    pub fn tag(&self) -> &[u8] {
        let len = self.tag.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        &self.tag[..len]
    }
}

/// Where [`write`](crate::write) gets data from that it has to copy: what an index cannot point at because a sparse file's
/// data does not begin at a block, and what another index holds itself.
pub trait Data {
    /// Fills the buffer with what is at byte `at` of the device.
    fn read_exact_at(&self, device: &Device, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl<F: Fn(&Device, u64, &mut [u8]) -> io::Result<()>> Data for F {
    fn read_exact_at(&self, device: &Device, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self(device, at, buffer)
    }
}
