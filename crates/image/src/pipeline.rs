//! A stream between threads: one fills chunks, others read them, all of them the same ones. So one side reads or decompresses
//! while others hash, store and unpack.

use std::{
    io::{self, BufRead, Read, Write},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use sha2::{Digest as _, Sha256};
use values::{Digest, Result};

/// Large enough that waking each other up costs little (a tenth of a pull at a quarter of it), small enough for the processor's
/// own memory.
const CHUNK: usize = 512 << 10;
/// Chunks under way at most, to each reader.
const DEPTH: usize = 3;

/// Some of the stream's bytes. Their memory goes back to the writer with the last of the readers: to get it from the kernel and
/// give it back costs as much as what is done with it.
struct Chunk {
    memory: Vec<u8>,
    filled: usize,
    spare: Arc<Spare>,
}

#[derive(Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

type Sent = io::Result<Arc<Chunk>>;

/// A reading end.
pub(crate) struct PipeReader {
    chunks: Receiver<Sent>,
    current: Option<Arc<Chunk>>,
    /// What of the current one was consumed.
    at: usize,
}

/// The writing end. Dropped, it is the end of the stream.
pub(crate) struct PipeWriter {
    readers: Vec<SyncSender<Sent>>,
    spare: Arc<Spare>,
    /// What was written and not sent yet.
    filling: Option<Chunk>,
    /// A reading end is gone.
    is_left: bool,
}

pub(crate) fn pipe() -> (PipeWriter, PipeReader) {
    let (writer, [reader]) = pipes();
    (writer, reader)
}

/// A pipe with several reading ends, each of which gets everything.
pub(crate) fn pipes<const N: usize>() -> (PipeWriter, [PipeReader; N]) {
    let mut readers = Vec::with_capacity(N);
    let ends = std::array::from_fn(|_| {
        let (sender, chunks) = sync_channel(DEPTH);
        readers.push(sender);
        PipeReader { chunks, current: None, at: 0 }
    });
    (PipeWriter { readers, spare: Arc::default(), filling: None, is_left: false }, ends)
}

impl Spare {
    fn chunk(self: &Arc<Self>) -> Chunk {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Chunk { memory: spare.unwrap_or_else(|| vec![0; CHUNK]), filled: 0, spare: self.clone() }
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// Reads until it is full or the reader has no more; what came before an error stays.
    fn fill(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        while self.filled < CHUNK {
            match reader.read(&mut self.memory[self.filled..]) {
                Ok(0) => break,
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.spare.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

impl PipeWriter {
    /// Sends all of `reader`, calling `each` with the bytes of every chunk, and with none at the end. False where a reading end
    /// is gone.
    ///
    /// # Errors
    /// The reader's and those of `each`; the reading ends get an error too.
    pub(crate) fn send_all(
        self,
        reader: &mut dyn Read,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        loop {
            let mut chunk = self.spare.chunk();
            let read = chunk.fill(reader);
            // what came before an error counts, too
            let seen = if read.is_ok() || chunk.filled > 0 { each(chunk.bytes()) } else { Ok(()) };
            match read.and(seen) {
                Ok(()) if chunk.filled == 0 => return Ok(true),
                Ok(()) => {
                    if !self.send(chunk) {
                        return Ok(false);
                    }
                }
                Err(e) => {
                    self.fail(e.kind(), &e.to_string());
                    return Err(e);
                }
            }
        }
    }

    /// Sends all that `write` writes, which gets a broken pipe where a reading end is gone: then it is false.
    ///
    /// # Errors
    /// Those of `write`; the reading ends get an error too.
    pub(crate) fn send_written(mut self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<bool> {
        let written = write(&mut self).and_then(|()| Ok(self.flush()?));
        if self.is_left {
            return Ok(false);
        }
        written.map(|()| true).inspect_err(|e| self.fail(io::ErrorKind::Other, &e.message))
    }

    fn send(&self, chunk: Chunk) -> bool {
        let chunk = Arc::new(chunk);
        self.readers.iter().all(|reader| reader.send(Ok(chunk.clone())).is_ok())
    }

    /// The other side must not take this for the end of the stream.
    fn fail(&self, kind: io::ErrorKind, text: &str) {
        for reader in &self.readers {
            let _ = reader.send(Err(io::Error::new(kind, text)));
        }
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = self.filling.get_or_insert_with(|| self.spare.chunk());
        let n = bytes.len().min(CHUNK - chunk.filled);
        chunk.memory[chunk.filled..chunk.filled + n].copy_from_slice(&bytes[..n]);
        chunk.filled += n;
        if chunk.filled == CHUNK {
            self.flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.is_left |= self.filling.take().is_some_and(|chunk| !self.send(chunk));
        match self.is_left {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }
}

impl PipeReader {
    /// Reads all of the stream.
    pub(crate) fn digest(mut self) -> io::Result<Digest> {
        let mut hasher = Sha256::new();
        loop {
            let bytes = self.fill_buf()?;
            if bytes.is_empty() {
                return Ok(Digest::from_sha256(&hasher.finalize()));
            }
            hasher.update(bytes);
            let n = bytes.len();
            self.consume(n);
        }
    }
}

impl BufRead for PipeReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.current.is_none() {
            match self.chunks.recv() {
                Ok(chunk) => (self.current, self.at) = (Some(chunk?), 0),
                Err(_) => return Ok(&[]),
            }
        }
        Ok(self.current.as_ref().map_or(&[][..], |chunk| &chunk.bytes()[self.at..]))
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
        // others wait for its memory
        drop(self.current.take_if(|chunk| self.at >= chunk.filled));
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
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

    #[test]
    fn every_reader_gets_all_that_is_written() {
        let bytes: Vec<u8> = (0..1_000_003u32).map(|i| (i * 7) as u8).collect();
        let (writer, [first, mut second]) = pipes();
        std::thread::scope(|scope| {
            let pieces = bytes.chunks(70_001);
            scope.spawn(|| {
                writer.send_written(|out| Ok(pieces.into_iter().try_for_each(|piece| out.write_all(piece))?))
            });
            let digest = scope.spawn(|| first.digest().unwrap());
            let mut out = Vec::new();
            second.read_to_end(&mut out).unwrap();
            assert!(out == bytes);
            assert_eq!(digest.join().unwrap(), crate::sha256(&bytes));
        });
        let (writer, [first, second]) = pipes();
        std::thread::scope(|scope| {
            scope.spawn(|| writer.send_written(|_| Err(values::Error::internal("no more"))).unwrap_err());
            assert_eq!(first.digest().unwrap_err().to_string(), "no more");
            drop(second);
        });
        let (writer, [first, second]) = pipes();
        drop(first);
        let all = |out: &mut dyn Write| {
            let e = out.write_all(&bytes).unwrap_err();
            Err(values::Error::from(e).context("in other words"))
        };
        assert!(!writer.send_written(all).unwrap());
        drop(second);
    }

    #[test]
    fn memory_is_used_again() {
        let (writer, reader) = pipe();
        let spare = writer.spare.clone();
        std::thread::scope(|scope| {
            scope.spawn(|| writer.send_all(&mut io::repeat(7).take(100 * CHUNK as u64), |_| Ok(())).unwrap());
            reader.digest().unwrap();
        });
        assert!(spare.0.lock().unwrap().len() <= DEPTH + 3);
    }
}
