use std::io::{self, Write};

/// What is written goes through here: counted, summed up, in large pieces.
pub(super) struct Output<'a> {
    inner: &'a mut dyn Write,
    buffer: Vec<u8>,
    hasher: crc32fast::Hasher,
    /// Bytes written so far.
    at: u64,
}

const BUFFER: usize = 64 << 10;

impl<'a> Output<'a> {
    pub(super) fn new(inner: &'a mut dyn Write) -> Self {
        Self { inner, buffer: Vec::with_capacity(BUFFER), hasher: crc32fast::Hasher::new(), at: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() < BUFFER {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.hasher.update(bytes);
        self.inner.write_all(bytes)
    }

    /// Zeros up to byte `at`.
    pub(super) fn pad(&mut self, at: u64) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.at < at {
            let n = (at - self.at).min(ZEROS.len() as u64) as usize;
            self.write(&ZEROS[..n])?;
        }
        Ok(())
    }

    /// CRC-32 of all so far.
    pub(super) fn checksum(&mut self) -> u32 {
        let mut all = self.hasher.clone();
        all.update(&self.buffer);
        all.finalize()
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.inner.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.inner.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
