use std::{fs::File, os::unix::fs::FileExt};

use values::{Result, ResultExt};

use crate::notes::{Trailer, damaged};

/// An index' file, read through a window.
pub(super) struct Source<'a> {
    file: &'a File,
    trailer: Trailer,
    trailer_at: u64,
    window: Vec<u8>,
    window_at: u64,
}

const WINDOW: u64 = 128 << 10;

impl<'a> Source<'a> {
    pub(super) fn open(file: &'a File) -> Result<Self> {
        let len = file.metadata().during(|| "the index")?.len();
        let trailer_at = len.checked_sub(Trailer::LEN as u64).ok_or_else(damaged)?;
        let mut bytes = [0; Trailer::LEN];
        file.read_exact_at(&mut bytes, trailer_at).during(|| "the index")?;
        let trailer = Trailer::from_bytes(&bytes)?;
        if trailer.at.checked_add(trailer.len) != Some(trailer_at) {
            return Err(damaged());
        }
        Ok(Self { file, trailer, trailer_at, window: Vec::new(), window_at: 0 })
    }

    /// Bytes of the image itself.
    pub(super) fn image(&self) -> u64 {
        self.trailer.at
    }

    pub(super) fn file(&self) -> &File {
        self.file
    }

    pub(super) fn trailer(&self) -> Trailer {
        self.trailer
    }

    pub(super) fn trailer_at(&self) -> u64 {
        self.trailer_at
    }

    /// `len` bytes of the image from `at` on.
    pub(super) fn bytes(&mut self, at: u64, len: u64) -> Result<&[u8]> {
        let end = at.checked_add(len).filter(|end| *end <= self.image()).ok_or_else(damaged)?;
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            let wanted = len.max(WINDOW).min(self.image() - at);
            self.window.resize(usize::try_from(wanted).map_err(|_| damaged())?, 0);
            self.window_at = at;
            if let Err(e) = self.file.read_exact_at(&mut self.window, at) {
                self.window.clear();
                return Err(e).during(|| "the index");
            }
        }
        let start = (at - self.window_at) as usize;
        Ok(&self.window[start..start + len as usize])
    }

    pub(super) fn array<const N: usize>(&mut self, at: u64) -> Result<[u8; N]> {
        let bytes = self.bytes(at, N as u64)?;
        Ok(*bytes.first_chunk().ok_or_else(damaged)?)
    }
}
