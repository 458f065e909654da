//! The log file and its older generations.
//!
//! The writer rotates by renaming `<path>.1` to `<path>.2`, … , `<path>` to `<path>.1`, then creating `<path>`. A reader
//! which opens `<path>` first and then ever older names can meet a file twice but never miss one, and at any moment at
//! most one name is absent. An older file may be gzipped, `<path>.1.gz`: it appears before the plain one goes, so the plain name is
//! tried first.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use flate2::read::{GzDecoder, MultiGzDecoder};
use rustix::fs::MemfdFlags;

/// Device, inode and birth in nanoseconds (inodes are used again): what stays of a file when it is renamed.
pub type Identity = (u64, u64, u128);

/// An open generation and how far it has been read.
pub struct Generation {
    file: File,
    /// `file` is gzipped still.
    zipped: bool,
    pub identity: Identity,
    /// When it was last written, in UNIX seconds.
    pub modified: i64,
    /// Where to read on.
    pub offset: u64,
}

impl Generation {
    fn plain(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self { file, zipped: false, identity: identity(&meta), modified: meta.mtime(), offset: 0 })
    }

    /// A gzipped file is known by the one it was made of, which is named in its header.
    fn gzipped(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let header = GzDecoder::new(&file);
        let origin = header.header().and_then(|header| origin(header.comment()?));
        io::Seek::rewind(&mut &file)?;
        let identity = origin.unwrap_or_else(|| identity(&meta));
        Ok(Self { file, zipped: true, identity, modified: meta.mtime(), offset: 0 })
    }

    /// Its plain bytes. Those of a gzipped one are unpacked when first asked for: most readers want the end of a log.
    pub fn file(&mut self) -> io::Result<&File> {
        if self.zipped {
            self.file = unpacked(&self.file)?;
            self.zipped = false;
        }
        Ok(&self.file)
    }
}

/// `DEVICE:INODE:BIRTH`
fn origin(comment: &[u8]) -> Option<Identity> {
    let mut parts = std::str::from_utf8(comment).ok()?.split(':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Into a file without a name rather than memory: a log is large.
fn unpacked(zipped: &File) -> io::Result<File> {
    let unnamed =
        || OpenOptions::new().read(true).write(true).custom_flags(TMPFILE).mode(0o600).open(std::env::temp_dir());
    let in_memory = || rustix::fs::memfd_create("log", MemfdFlags::CLOEXEC).map(File::from).map_err(io::Error::from);
    let unpack = |mut plain: File| {
        io::Seek::rewind(&mut &*zipped)?;
        io::copy(&mut MultiGzDecoder::new(zipped), &mut plain)?;
        Ok(plain)
    };
    // no room there, or no such files: a log can be read all the same
    unnamed().and_then(unpack).or_else(|_| in_memory().and_then(unpack))
}

/// O_TMPFILE, open(2).
const TMPFILE: i32 = rustix::fs::OFlags::TMPFILE.bits() as i32;

/// Opens `path` and its generations, oldest first. Stops before (and leaves out) the one called `known`.
pub fn open(path: &Path, known: Option<Identity>) -> io::Result<VecDeque<Generation>> {
    let mut found: VecDeque<Generation> = VecDeque::new();
    let mut absent = 0;
    for n in 0.. {
        let Some(opened) = open_generation(path, n)? else {
            absent += 1;
            if absent > 1 {
                break;
            }
            continue;
        };
        absent = 0;
        if Some(opened.identity) == known {
            break;
        }
        if found.iter().all(|g| g.identity != opened.identity) {
            found.push_front(opened);
        }
    }
    Ok(found)
}

fn open_generation(path: &Path, n: u32) -> io::Result<Option<Generation>> {
    match File::open(generation(path, n, "")) {
        Ok(file) => return Generation::plain(file).map(Some),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Err(_) if n == 0 => return Ok(None),
        Err(_) => {}
    }
    match File::open(generation(path, n, ".gz")) {
        Ok(file) => Generation::gzipped(file).map(Some),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Which file `path` is now; None while there is none.
pub fn current(path: &Path) -> io::Result<Option<Identity>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(identity(&meta))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Drops and advances generations so that the last `count` lines are left to read.
pub fn skip_to_tail(chain: &mut VecDeque<Generation>, count: u64) -> io::Result<()> {
    let mut wanted = count;
    for index in (0..chain.len()).rev() {
        match line_from_end(chain[index].file()?, wanted)? {
            Ok(offset) => {
                chain[index].offset = offset;
                chain.drain(..index);
                return Ok(());
            }
            Err(lines) => wanted -= lines,
        }
        if wanted == 0 {
            chain.drain(..index);
            return Ok(());
        }
    }
    Ok(())
}

/// Where the last `count` lines begin; if the file has no more than that, how many it has. A last line without newline
/// is not counted, being torn or not yet whole.
fn line_from_end(file: &File, count: u64) -> io::Result<Result<u64, u64>> {
    const BLOCK: u64 = 64 * 1024;
    let mut seen = 0;
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.resize((end - start) as usize, 0);
        let got = read_at_most(file, &mut block, start)?;
        for at in memchr::memrchr_iter(b'\n', &block[..got]) {
            if seen == count {
                return Ok(Ok(start + at as u64 + 1));
            }
            seen += 1;
        }
        end = start;
    }
    Ok(Err(seen))
}

/// Fills `buf` from `offset` as far as the file goes.
fn read_at_most(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

fn identity(meta: &fs::Metadata) -> Identity {
    let birth = meta.created().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    (meta.dev(), meta.ino(), birth.map_or(0, |t| t.as_nanos()))
}

fn generation(path: &Path, n: u32, suffix: &str) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}{suffix}"));
    name.into()
}
