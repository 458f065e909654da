//! A reader on another thread: one side reads, hashes, decompresses, while the other unpacks.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use sha2::{Digest as _, Sha256};
use values::Digest;

const CHUNK: usize = 128 << 10;
/// Chunks under way at most.
const DEPTH: usize = 4;

/// The reading end.
pub(crate) struct PipeReader {
    chunks: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

/// The writing end. Dropped, it is the end of the stream.
pub(crate) struct PipeWriter {
    chunks: SyncSender<io::Result<Vec<u8>>>,
}

pub(crate) fn pipe() -> (PipeWriter, PipeReader) {
    let (sender, receiver) = sync_channel(DEPTH);
    (PipeWriter { chunks: sender }, PipeReader { chunks: receiver, current: Vec::new(), at: 0 })
}

impl PipeWriter {
    /// Sends all of `reader`, calling `each` with the bytes of every chunk. False where the reading end is gone.
    ///
    /// # Errors
    /// The reader's and those of `each`; the reading end gets an error too.
    pub(crate) fn send_all(
        self,
        reader: &mut dyn Read,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = (&mut *reader).take(CHUNK as u64).read_to_end(&mut chunk);
            // what came before an error counts, too
            let seen = if read.is_ok() || !chunk.is_empty() { each(&chunk) } else { Ok(()) };
            let result = read.and(seen);
            match result {
                Ok(()) if chunk.is_empty() => return Ok(true),
                Ok(()) => {
                    if self.chunks.send(Ok(chunk)).is_err() {
                        return Ok(false);
                    }
                }
                Err(e) => {
                    // the other side must not take this for the end of the stream
                    let _ = self.chunks.send(Err(io::Error::new(e.kind(), e.to_string())));
                    return Err(e);
                }
            }
        }
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            match self.chunks.recv() {
                Ok(chunk) => (self.current, self.at) = (chunk?, 0),
                Err(_) => return Ok(0),
            }
        }
        let n = buffer.len().min(self.current.len() - self.at);
        buffer[..n].copy_from_slice(&self.current[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Hashes what is read through it.
pub(crate) struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    pub(crate) fn digest(self) -> Digest {
        Digest::from_sha256(&self.hasher.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_through_and_errors_too() {
        let bytes: Vec<u8> = (0..1_000_003u32).map(|i| (i * 7) as u8).collect();
        let (writer, mut reader) = pipe();
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(writer.send_all(&mut &bytes[..], |_| Ok(())).unwrap()));
            let mut out = Vec::new();
            reader.read_to_end(&mut out).unwrap();
            assert!(out == bytes);
        });
        let (writer, mut reader) = pipe();
        std::thread::scope(|scope| {
            scope.spawn(|| writer.send_all(&mut &bytes[..], |_| Err(io::Error::other("full"))).unwrap_err());
            assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap_err().to_string(), "full");
        });
        let (writer, reader) = pipe();
        drop(reader);
        assert!(!writer.send_all(&mut &bytes[..], |_| Ok(())).unwrap());
    }
}
