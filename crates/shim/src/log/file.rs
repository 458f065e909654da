//! The log file: appended, rotated by size, and cut back to whole lines when the disk is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Docker's mode of a json-file log.
const MODE: u32 = 0o640;

/// How large a log may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in one file before the next is begun; 0 = no bound.
    pub max_size: u64,
    /// Files kept, the current one included; at least 1.
    pub max_file: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { max_size: 20_000_000, max_file: 5 }
    }
}

/// `path` and its older generations `path.1`, `path.2`, … Only whole lines are ever left in it by us; whatever a
/// killed writer tore is closed by a newline at the next open, so that it spoils no later line.
pub struct LogFile {
    path: PathBuf,
    bounds: Bounds,
    /// Absent while it can't be opened (directory gone, no inodes left): tried again at every batch.
    file: Option<File>,
    size: u64,
    /// Lines which could not be written since the last success.
    dropped: u64,
}

impl LogFile {
    /// Opens for appending, creating it where missing.
    pub fn open(path: &Path, bounds: Bounds) -> io::Result<Self> {
        let bounds = Bounds { max_file: bounds.max_file.max(1), ..bounds };
        let mut log = Self { path: path.to_owned(), bounds, file: None, size: 0, dropped: 0 };
        log.reopen()?;
        Ok(log)
    }

    /// Lines lost since the last batch that could be written.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether the file reaches its bound once `pending` more bytes are in it.
    pub fn is_full(&self, pending: usize) -> bool {
        self.bounds.max_size > 0 && self.size + pending as u64 >= self.bounds.max_size
    }

    /// Appends whole lines by as few write(2) as the kernel allows. Never fails: what the disk doesn't take is
    /// counted as dropped.
    pub fn append(&mut self, lines: &[u8]) {
        let stored = self.store(lines);
        self.drop_lines(&lines[stored..]);
    }

    /// Appends the line which tells how many were dropped; with success they are forgotten.
    pub fn append_note(&mut self, note: &[u8]) -> bool {
        let written = self.store(note) == note.len();
        if written {
            self.dropped = 0;
        }
        written
    }

    /// Counts lines as dropped.
    pub fn drop_lines(&mut self, lines: &[u8]) {
        self.dropped += memchr::memchr_iter(b'\n', lines).count() as u64;
    }

    /// Writes `lines`, cut back to the last whole one if the disk doesn't take all. Answers how many bytes stay.
    fn store(&mut self, lines: &[u8]) -> usize {
        let Err(written) = self.try_append(lines) else { return lines.len() };
        let whole = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |at| at + 1);
        self.size += whole as u64;
        if whole < written {
            self.cut_back();
        }
        whole
    }

    /// On failure: how many bytes went in.
    fn try_append(&mut self, lines: &[u8]) -> Result<(), usize> {
        if self.file.is_none() {
            self.reopen().map_err(|_| 0usize)?;
        }
        let Some(file) = self.file.as_mut() else { return Err(0) };
        let mut done = 0;
        while done < lines.len() {
            match file.write(&lines[done..]) {
                Ok(0) => return Err(done),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(done),
            }
        }
        self.size += done as u64;
        Ok(())
    }

    /// Removes a torn line; where even that fails, the next open closes it by a newline.
    fn cut_back(&mut self) {
        if self.file.as_ref().is_none_or(|f| f.set_len(self.size).is_err()) {
            self.file = None;
        }
    }

    /// Begins a new file: every generation gets the next number, the oldest goes. Readers keep what they have open.
    /// Failing renames leave the file as it is: it is tried again with the next batch.
    pub fn rotate(&mut self) {
        let last = self.bounds.max_file - 1;
        if last == 0 {
            if fs::remove_file(&self.path).is_err() {
                return;
            }
        } else {
            for n in (1..last).rev() {
                let _ = fs::rename(self.generation(n), self.generation(n + 1));
            }
            if fs::rename(&self.path, self.generation(1)).is_err() {
                return;
            }
        }
        self.file = None;
        let _ = self.reopen();
    }

    fn generation(&self, n: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{n}"));
        name.into()
    }

    fn reopen(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(&self.path)?;
        self.size = file.seek(SeekFrom::End(0))?;
        if self.size > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                self.size += 1;
            }
        }
        self.file = Some(file);
        Ok(())
    }
}
