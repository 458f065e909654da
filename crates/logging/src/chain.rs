//! The log file and its older generations.
//!
//! The writer rotates by renaming `<path>.1` to `<path>.2`, … , `<path>` to `<path>.1`, then creating `<path>`. A reader
//! which opens `<path>` first and then ever older names can meet a file twice but never miss one, and at any moment at
//! most one name is absent.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Device and inode: what stays of a file when it is renamed.
pub type Identity = (u64, u64);

/// An open generation and how far it has been read.
pub struct Generation {
    pub file: File,
    pub identity: Identity,
    /// Where to read on.
    pub offset: u64,
}

/// Opens `path` and its generations, oldest first. Stops before (and leaves out) the one called `known`.
pub fn open(path: &Path, known: Option<Identity>) -> io::Result<VecDeque<Generation>> {
    let mut found: VecDeque<Generation> = VecDeque::new();
    let mut absent = 0;
    for n in 0.. {
        let file = match File::open(generation(path, n)) {
            Ok(file) => {
                absent = 0;
                file
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                absent += 1;
                if absent > 1 {
                    break;
                }
                continue;
            }
            Err(e) => return Err(e),
        };
        let identity = identity(&file.metadata()?);
        if Some(identity) == known {
            break;
        }
        if found.iter().all(|g| g.identity != identity) {
            found.push_front(Generation { file, identity, offset: 0 });
        }
    }
    Ok(found)
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
        match line_from_end(&chain[index].file, wanted)? {
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
    (meta.dev(), meta.ino())
}

fn generation(path: &Path, n: u32) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}
