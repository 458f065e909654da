//! Runs of zeros as holes: an archive carries them as bytes, the disk need not have them.

use std::{
    borrow::Borrow,
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
};

/// Blocks of zeros of this length, where they begin at a multiple of it, become holes. Shorter ones would cost more in extents than
/// they save.
pub(crate) const BLOCK: usize = 32 << 10;

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // each byte is the one before it: one comparison of memory
    bytes.split_first().is_none_or(|(first, rest)| *first == 0 && rest == &bytes[..rest.len()])
}

/// Writes to a new file one piece after the other, however long, and leaves out what is zero.
pub struct HoleWriter<F> {
    file: F,
    /// Bytes that came.
    at: u64,
    /// Zeros at the end of what came that are not written: they may be of a block that becomes a hole. Of one that does not,
    /// there are some if all of it so far was zero.
    pending: usize,
    /// Where the last bytes written end.
    end: u64,
}

static ZEROS: [u8; BLOCK] = [0; BLOCK];

impl<F: Borrow<File>> HoleWriter<F> {
    /// `file` must be empty.
    pub fn new(file: F) -> Self {
        Self::after(file, 0)
    }

    /// Goes on with a file of so many bytes, which must not be open for appending.
    pub fn after(file: F, length: u64) -> Self {
        Self { file, at: length, pending: 0, end: length }
    }

    /// Gives the file its length: to be called when all was written.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.end < self.at {
            self.file.borrow().set_len(self.at)?;
            (self.end, self.pending) = (self.at, 0);
        }
        Ok(())
    }

    pub fn into_inner(self) -> F {
        self.file
    }

    /// Writes what comes next, and the zeros before it that belong to it.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let zeros = std::mem::take(&mut self.pending);
        self.file.borrow().write_all_at(&ZEROS[..zeros], self.at - zeros as u64)?;
        self.file.borrow().write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.end = self.at;
        Ok(())
    }

    /// Bytes of the block that came already.
    fn within(&self) -> usize {
        (self.at % BLOCK as u64) as usize
    }

    /// A part of a block which is zero, where all of that block that came was.
    fn skip(&mut self, zeros: usize) {
        self.at += zeros as u64;
        self.pending = if self.within() == 0 { 0 } else { self.pending + zeros };
    }
}

impl<F: Borrow<File>> Write for HoleWriter<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    /// In one call what lies between two holes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // of `bytes`: what was not written yet, and what was looked at
        let (mut from, mut i) = (0, 0);
        let mut within = self.within();
        while i < bytes.len() {
            let part = (BLOCK - within).min(bytes.len() - i);
            let is_all = within == 0 || i == 0 && self.pending == within;
            if is_all && is_zero(&bytes[i..i + part]) {
                self.put(&bytes[from..i])?;
                self.skip(part);
                from = i + part;
            }
            (i, within) = (i + part, 0);
        }
        self.put(&bytes[from..])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

    use super::*;

    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// What was written in pieces of that length: its bytes, and how many of them lie on the disk.
    fn written(name: &str, bytes: &[u8], piece: usize) -> (Vec<u8>, u64) {
        let scratch = Scratch(std::env::temp_dir().join(format!("lighter-holes-{}-{name}", std::process::id())));
        let mut writer = HoleWriter::new(File::create(&scratch.0).unwrap());
        bytes.chunks(piece).for_each(|piece| writer.write_all(piece).unwrap());
        writer.finish().unwrap();
        let file = writer.into_inner();
        file.sync_all().unwrap();
        (fs::read(&scratch.0).unwrap(), file.metadata().unwrap().blocks() * 512)
    }

    #[test]
    fn zeros_become_holes() {
        let data = |len| (0..len).map(|i| (i % 251 + 1) as u8).collect::<Vec<u8>>();
        let zeros = |len| vec![0; len];
        for (name, bytes, most) in [
            ("empty", vec![], 0),
            ("short", b"text".to_vec(), 4096),
            ("zeros", zeros(40 * BLOCK), 0),
            ("zeros-odd", zeros(40 * BLOCK + 7), 4096),
            ("ends-with", [data(10), zeros(9 * BLOCK)].concat(), 2 * BLOCK as u64),
            ("begins-with", [zeros(9 * BLOCK + 1), data(10)].concat(), BLOCK as u64),
            ("between", [data(BLOCK), zeros(20 * BLOCK), data(3 * BLOCK + 5)].concat(), 5 * BLOCK as u64),
            ("dense", data(7 * BLOCK + 9), 8 * BLOCK as u64),
        ] {
            for piece in [BLOCK * 16, BLOCK * 4 + 100, BLOCK, 8191, 4095] {
                let (found, blocks) = written(name, &bytes, piece);
                assert!(found == bytes, "{name} {piece}");
                assert!(blocks <= most, "{name} {piece}: {blocks}");
            }
        }
    }

    #[test]
    fn a_file_that_is_gone_on_with() {
        let scratch = Scratch(std::env::temp_dir().join(format!("lighter-holes-{}-again", std::process::id())));
        let bytes = [vec![7; BLOCK + 3], vec![0; 20 * BLOCK], vec![9; 5]].concat();
        for cut in [0, 3, BLOCK + 3, 5 * BLOCK + 1, bytes.len() - 2, bytes.len()] {
            fs::write(&scratch.0, &bytes[..cut]).unwrap();
            let file = fs::OpenOptions::new().write(true).open(&scratch.0).unwrap();
            let mut writer = HoleWriter::after(file, cut as u64);
            bytes[cut..].chunks(4 * BLOCK).for_each(|piece| writer.write_all(piece).unwrap());
            writer.finish().unwrap();
            assert!(fs::read(&scratch.0).unwrap() == bytes, "{cut}");
        }
    }

    #[test]
    fn what_is_zero() {
        for (bytes, expected) in
            [(&b""[..], true), (b"\0", true), (b"\0\0\0", true), (b"\0\0\x01", false), (b"\x01\x01", false)]
        {
            assert_eq!(is_zero(bytes), expected, "{bytes:?}");
        }
    }
}
