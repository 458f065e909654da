//! The synchronous reader: from open files to chunks of encoded output.

use crate::Options;
use crate::chain::{self, Generation};
use crate::encoder::Encoder;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use values::Timestamp;

/// Encoded bytes after which a chunk is given away.
const CHUNK: usize = 128 * 1024;
/// How much of a file is read at once.
const READ: usize = 256 * 1024;
/// The longest line that is still looked at: our own have at most 16 KiB of text, six bytes each, and attributes.
const LONGEST: usize = 4 << 20;

/// What became of a [`Scan::step`].
#[derive(Debug)]
pub enum Step {
    Chunk(Vec<u8>),
    /// All that is there has been read; more may come.
    Dry,
    /// Nothing more will come.
    Finished,
}

/// What the end of the newest file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Read what was there at the beginning.
    Snapshot,
    /// Wait for more.
    Follow,
    /// The writer has ended: go through all that is left.
    Last,
}

/// The reading position in a log.
pub struct Scan {
    path: PathBuf,
    encoder: Encoder,
    end: End,
    /// Unread generations, the one being read first.
    chain: VecDeque<Generation>,
    /// Size of the newest file at the beginning.
    snapshot: u64,
    buffer: Vec<u8>,
    /// The part of `buffer` not yet decoded.
    pending: std::ops::Range<usize>,
    /// Within a line longer than [`LONGEST`].
    skipping: bool,
    done: bool,
}

impl Scan {
    /// Opens the generations and finds the beginning. A log which is not there (yet) is an empty one.
    pub fn open(path: &Path, options: Options) -> io::Result<Self> {
        let mut chain = chain::open(path, None)?;
        let snapshot = chain.back_mut().map_or(Ok(0), |g| g.file()?.metadata().map(|m| m.len()))?;
        if let Some(count) = options.tail {
            chain::skip_to_tail(&mut chain, count)?;
        } else if let Some(since) = options.since {
            skip_older(&mut chain, since);
        }
        Ok(Self {
            path: path.to_owned(),
            encoder: Encoder::new(options),
            end: End::Snapshot,
            chain,
            snapshot,
            buffer: Vec::new(),
            pending: 0..0,
            skipping: false,
            done: false,
        })
    }

    /// Changes what the end of the newest file means.
    pub fn set_end(&mut self, end: End) {
        self.end = end;
    }

    /// Reads on until a chunk is full or nothing more is there.
    pub fn step(&mut self) -> io::Result<Step> {
        let mut out = Vec::new();
        while !self.done && out.len() < CHUNK {
            if self.decode(&mut out) {
                continue;
            }
            if self.fill()? || self.next_generation()? {
                continue;
            }
            if self.end == End::Follow {
                self.relax();
                break;
            }
            self.done = true;
        }
        if !out.is_empty() {
            return Ok(Step::Chunk(out));
        }
        Ok(if self.done { Step::Finished } else { Step::Dry })
    }

    /// Encodes whole lines of the buffer until `out` is full. False when there is no whole line.
    fn decode(&mut self, out: &mut Vec<u8>) -> bool {
        let mut any = false;
        while out.len() < CHUNK {
            let Some(len) = memchr::memchr(b'\n', &self.buffer[self.pending.clone()]) else { break };
            any = true;
            if out.capacity() == 0 {
                out.reserve(self.pending.len().min(CHUNK + CHUNK / 8));
            }
            let line = self.pending.start..self.pending.start + len;
            self.pending.start = line.end + 1;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.encoder.append(&self.buffer[line], out).is_break() {
                self.done = true;
                break;
            }
        }
        any
    }

    /// Reads more of the first file. False at its end.
    fn fill(&mut self) -> io::Result<bool> {
        let newest = self.chain.len() == 1;
        let Some(source) = self.chain.front_mut() else { return Ok(false) };
        let mut size = source.file()?.metadata()?.len();
        if self.end == End::Snapshot && newest {
            size = size.min(self.snapshot);
        } else if size < source.offset {
            // Somebody emptied the file.
            source.offset = 0;
            self.pending = 0..0;
        }
        let left = size.saturating_sub(source.offset).min(READ as u64) as usize;
        if left == 0 {
            return Ok(false);
        }
        self.buffer.copy_within(self.pending.clone(), 0);
        self.pending = 0..self.pending.len();
        if self.pending.len() > LONGEST {
            self.skipping = true;
            self.pending.end = 0;
        }
        let end = self.pending.end;
        self.buffer.resize(self.buffer.len().max(end + left), 0);
        let offset = source.offset;
        let got = source.file()?.read_at(&mut self.buffer[end..end + left], offset)?;
        source.offset += got as u64;
        self.pending.end += got;
        Ok(got > 0)
    }

    /// Goes on to the next file, if the first one is at its end for good.
    fn next_generation(&mut self) -> io::Result<bool> {
        if self.chain.len() <= 1 && !self.find_newer()? {
            return Ok(false);
        }
        if self.chain.len() > 1 {
            // Between our reading its end and the rotation, more may have been written.
            if self.fill()? {
                return Ok(true);
            }
            self.chain.pop_front();
            // A line without an end in a file that is closed: torn.
            self.pending = 0..0;
            self.skipping = false;
        }
        Ok(true)
    }

    /// Looks whether the log was rotated, and opens what is newer than the file at hand.
    fn find_newer(&mut self) -> io::Result<bool> {
        if self.end == End::Snapshot {
            return Ok(false);
        }
        let known = self.chain.back().map(|g| g.identity);
        match chain::current(&self.path)? {
            None => {
                // Without its directory the container is removed.
                self.done = !self.path.parent().is_some_and(Path::exists);
                return Ok(false);
            }
            now if now == known => return Ok(false),
            Some(_) => {}
        }
        let newer = chain::open(&self.path, known)?;
        let found = !newer.is_empty();
        self.chain.extend(newer);
        Ok(found)
    }

    /// Gives the buffer back while waiting; what is left of it is the beginning of a line.
    fn relax(&mut self) {
        self.buffer = self.buffer[self.pending.clone()].to_vec();
        self.pending = 0..self.buffer.len();
    }
}

/// Drops generations which were written last before `since`.
fn skip_older(chain: &mut VecDeque<Generation>, since: Timestamp) {
    // The file system's clock is coarser than ours: a second is plenty.
    while chain.len() > 1 && chain[0].modified + 1 < since.secs {
        chain.pop_front();
    }
}
