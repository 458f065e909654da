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

/// Writes to a new file one piece after the other and leaves out what is zero.
pub struct HoleWriter<F> {
    file: F,
    /// Bytes that came.
    at: u64,
    /// Where the last bytes written end.
    end: u64,
}

impl<F: Borrow<File>> HoleWriter<F> {
    /// `file` must be empty.
    pub fn new(file: F) -> Self {
        Self { file, at: 0, end: 0 }
    }

    /// Gives the file its length: to be called when all was written.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.end < self.at {
            self.file.borrow().set_len(self.at)?;
            self.end = self.at;
        }
        Ok(())
    }

    pub fn into_inner(self) -> F {
        self.file
    }

    fn put(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        if !bytes.is_empty() {
            self.file.borrow().write_all_at(bytes, at)?;
            self.end = at + bytes.len() as u64;
        }
        Ok(())
    }
}

impl<F: Borrow<File>> Write for HoleWriter<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    /// In one call what lies between two holes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let begin = self.at;
        let place = |i: usize| begin + i as u64;
        let mut from = 0;
        // up to the first whole block
        let skip = (begin.next_multiple_of(BLOCK as u64) - begin) as usize;
        if bytes.len() >= skip + BLOCK {
            let mut i = skip;
            while let Some(block) = bytes.get(i..i + BLOCK) {
                if is_zero(block) {
                    self.put(&bytes[from..i], place(from))?;
                    from = i + BLOCK;
                }
                i += BLOCK;
            }
        }
        self.put(&bytes[from..], place(from))?;
        self.at = place(bytes.len());
        Ok(())
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
            for piece in [BLOCK * 16, BLOCK * 4 + 100, BLOCK] {
                let (found, blocks) = written(name, &bytes, piece);
                assert!(found == bytes, "{name} {piece}");
                // pieces that do not begin with a block leave some zeros written
                assert!(piece % BLOCK > 0 || blocks <= most, "{name} {piece}: {blocks}");
            }
            assert!(written(name, &bytes, 4095).0 == bytes, "{name}");
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
