//! The log file: appended, rotated by size, and cut back to whole lines when the disk is full.

use super::compress;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Docker's mode of a json-file log.
pub const MODE: u32 = 0o640;

/// How large a log may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in one file before the next is begun; 0 = no bound.
    pub max_size: u64,
    /// Files kept, the current one included; at least 1.
    pub max_file: u32,
    /// Whether all but the current one are gzipped.
    pub compress: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { max_size: 20_000_000, max_file: 5, compress: false }
    }
}

/// `path` and its older generations `path.1`, `path.2`, …, or `path.1.gz`, `path.2.gz`, … A plain one is complete, a gzipped one
/// counts where there is no plain one. Only whole lines are ever left in it by us; whatever a
/// killed writer tore is closed by a newline at the next open, so that it spoils no later line.
pub struct LogFile {
    path: PathBuf,
    bounds: Bounds,
    /// Absent while it can't be opened (directory gone, no inodes left): tried again at every batch.
    file: Option<File>,
    size: u64,
    /// Lines which could not be written since the last success.
    dropped: u64,
    compressing: Option<Compressing>,
    /// Starts to compress the first file into the second; answers the process which does.
    start: fn(&Path, &Path) -> io::Result<i32>,
}

/// A file that is being compressed.
struct Compressing {
    pid: i32,
    /// Its number now: it is renamed like all others meanwhile.
    generation: u32,
}

impl LogFile {
    /// Opens for appending, creating it where missing.
    pub fn open(path: &Path, bounds: Bounds) -> io::Result<Self> {
        let bounds = Bounds { max_file: bounds.max_file.max(1), ..bounds };
        let (file, compressing) = (None, None);
        let mut log =
            Self { path: path.to_owned(), bounds, file, size: 0, dropped: 0, compressing, start: compress::spawn };
        log.reopen()?;
        if bounds.compress {
            // of a writer that was killed
            let _ = fs::remove_file(log.unfinished());
        }
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
            self.shift(last);
            if fs::rename(&self.path, self.generation(1)).is_err() {
                return;
            }
        }
        self.file = None;
        let _ = self.reopen();
        self.compress_next();
    }

    /// Makes room for a new first generation; the last one goes.
    fn shift(&mut self, last: u32) {
        for path in [self.generation(last), self.compressed(last)] {
            let _ = fs::remove_file(path);
        }
        for n in (1..last).rev() {
            let _ = fs::rename(self.generation(n), self.generation(n + 1));
            let _ = fs::rename(self.compressed(n), self.compressed(n + 1));
        }
        if let Some(compressing) = &mut self.compressing {
            compressing.generation += 1;
        }
    }

    /// Compresses one generation, the oldest that is not yet, unless one is being compressed.
    fn compress_next(&mut self) {
        if !self.bounds.compress || self.compressing.is_some() {
            return;
        }
        let Some(generation) = (1..self.bounds.max_file).rev().find(|n| self.generation(*n).exists()) else { return };
        // what cannot be compressed stays as it is and is tried again after the next rotation
        if let Ok(pid) = (self.start)(&self.generation(generation), &self.unfinished()) {
            self.compressing = Some(Compressing { pid, generation });
        }
    }

    /// A child ended: if it is the one that compressed, its work takes the place of the plain file.
    pub fn child_ended(&mut self, pid: i32, well: bool) -> bool {
        let Some(Compressing { generation, .. }) = self.compressing.take_if(|c| c.pid == pid) else { return false };
        let kept = generation < self.bounds.max_file;
        if well && kept && fs::rename(self.unfinished(), self.compressed(generation)).is_ok() {
            let _ = fs::remove_file(self.generation(generation));
            self.compress_next();
        } else {
            let _ = fs::remove_file(self.unfinished());
        }
        true
    }

    fn compressed(&self, n: u32) -> PathBuf {
        self.named(&format!(".{n}.gz"))
    }

    /// What is being compressed into.
    fn unfinished(&self) -> PathBuf {
        self.named(".gz.unfinished")
    }

    fn generation(&self, n: u32) -> PathBuf {
        self.named(&format!(".{n}"))
    }

    fn named(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
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

impl Drop for LogFile {
    /// Nobody learns of the child's end any more: what it makes is nobody's.
    fn drop(&mut self) {
        if self.compressing.is_some() {
            let _ = fs::remove_file(self.unfinished());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::io::Read;

    /// Compresses at once; the child's end is still to be told.
    fn at_once(source: &Path, target: &Path) -> io::Result<i32> {
        compress::gzip(File::open(source)?, File::create(target)?)?;
        Ok(7)
    }

    fn open(dir: &Scratch, max_file: u32) -> LogFile {
        let bounds = Bounds { max_size: 10, max_file, compress: true };
        let mut log = LogFile::open(&dir.path().join("log"), bounds).unwrap();
        log.start = at_once;
        log
    }

    fn names(dir: &Scratch) -> String {
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    }

    fn unzipped(dir: &Scratch, name: &str) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(dir.path().join(name)).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn generations_are_compressed_behind_the_writer() {
        let dir = Scratch::new("log-compress");
        let mut log = open(&dir, 4);
        for text in ["one\n", "two\n"] {
            log.append(text.as_bytes());
            log.rotate();
        }
        // the first was renamed while it was compressed
        assert_eq!(names(&dir), "log log.1 log.2 log.gz.unfinished");
        log.child_ended(6, true);
        log.child_ended(7, true);
        assert_eq!(
            (names(&dir).as_str(), unzipped(&dir, "log.2.gz").as_str()),
            ("log log.1 log.2.gz log.gz.unfinished", "one\n")
        );
        log.child_ended(7, true);
        assert_eq!((names(&dir).as_str(), unzipped(&dir, "log.1.gz").as_str()), ("log log.1.gz log.2.gz", "two\n"));
        for text in ["three\n", "four\n", "five\n"] {
            log.append(text.as_bytes());
            log.rotate();
            log.child_ended(7, true);
        }
        assert_eq!(names(&dir), "log log.1.gz log.2.gz log.3.gz");
        assert_eq!(unzipped(&dir, "log.3.gz"), "three\n");
    }

    #[test]
    fn what_fails_or_comes_too_late_is_dropped() {
        let dir = Scratch::new("log-compress-late");
        let mut log = open(&dir, 2);
        log.append(b"one\n");
        log.rotate();
        log.append(b"two\n");
        log.rotate();
        log.child_ended(7, true);
        assert_eq!(names(&dir), "log log.1");
        log.rotate();
        log.child_ended(7, false);
        assert_eq!(names(&dir), "log log.1");
        log.rotate();
        drop(log);
        assert_eq!(names(&dir), "log log.1");
    }
}
