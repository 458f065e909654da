//! This machine's end of a copy.

use std::fs;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use archive::pack::{Marks, Packer};
use values::system_words;

use super::path::{base, rebase, split, with_end_of};
use super::plan::{Destination, Ends};
use crate::Failure;

const LINKS_MAX: u32 = 10;

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{what} {}: {}", path.display(), system_words(error)))
}

/// Absolute, with the `/` or `/.` at its end.
///
/// # Errors
/// Without a working directory.
pub fn absolute(path: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|e| Failure::new(system_words(&e).to_string()))?;
    let absolute = super::path::clean(&here.join(path).to_string_lossy());
    Ok(PathBuf::from(with_end_of(absolute, path)))
}

/// # Errors
/// For a destination whose directory is missing, or which is a device.
pub fn check_output(path: &Path) -> Result<(), Failure> {
    let cleaned = PathBuf::from(super::path::clean(&path.to_string_lossy()));
    let parent = cleaned.parent().unwrap_or(Path::new("/"));
    if matches!(fs::metadata(parent), Err(e) if e.kind() == io::ErrorKind::NotFound) {
        return Err(Failure::new(format!("invalid output path: directory {parent:?} does not exist")));
    }
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(failed("stat", path, &e)),
        Ok(there) if there.file_type().is_char_device() || there.file_type().is_block_device() => Err(Failure::new(
            format!("invalid output path: {path:?} must be a directory or a regular file: got a device"),
        )),
        Ok(_) => Ok(()),
    }
}

/// What is at the destination, links followed, also to where nothing is.
///
/// # Errors
/// Where its directory is none.
pub fn destination(path: &Path) -> Result<Destination, Failure> {
    let mut path = path.to_string_lossy().into_owned();
    for _ in 0..LINKS_MAX {
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => {
                let target =
                    fs::read_link(path.trim_end_matches('/')).map_err(|e| failed("readlink", Path::new(&path), &e))?;
                path = super::path::joined(&path, &target.to_string_lossy());
            }
            Ok(there) => return Ok(Destination { path, exists: true, is_dir: there.is_dir() }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let parent = split(&path).0;
                return match fs::metadata(&parent) {
                    Ok(there) if there.is_dir() => Ok(Destination { path, exists: false, is_dir: false }),
                    Ok(_) => Err(Failure::new("not a directory")),
                    Err(e) => Err(failed("stat", Path::new(&parent), &e)),
                };
            }
            Err(e) => return Err(failed("lstat", Path::new(&path), &e)),
        }
    }
    Err(Failure::new(format!("too many symlinks in {path}")))
}

/// What is copied from this machine.
pub struct Source {
    directory: PathBuf,
    /// Its name in `directory`; `.`: the directory itself.
    entry: String,
    pub ends: Ends,
}

/// # Errors
/// In Go's words, where it is not there.
pub fn source(path: &str, follow: bool) -> Result<Source, Failure> {
    let path = absolute(path)?.to_string_lossy().into_owned();
    let real = |path: &str| fs::canonicalize(path).map_err(|e| failed("lstat", Path::new(path), &e));
    let (resolved, name) = if follow {
        rebase(&path, &real(&path)?.to_string_lossy())
    } else {
        let at = path.rfind('/').unwrap_or(0);
        let parent = real(&path[..=at])?.to_string_lossy().into_owned();
        let resolved = format!("{}/{}", parent.trim_end_matches('/'), &path[at + 1..]);
        let name = Some(base(&path)).filter(|name| path.ends_with('/') && *name != base(&resolved));
        (resolved, name)
    };
    let there = fs::symlink_metadata(&resolved).map_err(|e| failed("lstat", Path::new(&resolved), &e))?;
    let (directory, entry) = split(&resolved);
    let name = name.unwrap_or_else(|| entry.clone());
    Ok(Source { directory: directory.into(), entry, ends: Ends { name, is_dir: there.is_dir() } })
}

/// An archive as it is made.
pub struct Packing {
    pipe: PipeReader,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Packing {
    /// What became of the making: an error there must not pass for the archive's end.
    ///
    /// # Errors
    /// What the files' disk says.
    pub fn outcome(&mut self) -> Result<(), Failure> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let outcome = thread.join().unwrap_or_else(|_| Err(io::Error::other("packing failed")));
        outcome.map_err(|e| Failure::new(system_words(&e).to_string()))
    }
}

impl Read for Packing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pipe.read(buffer)? {
            0 => {
                self.outcome().map_err(|e| io::Error::other(e.message))?;
                Ok(0)
            }
            n => Ok(n),
        }
    }
}

/// Packs what is at `source` under that name.
///
/// # Errors
/// When its directory cannot be opened.
pub fn pack(source: &Source, name: Vec<u8>) -> Result<Packing, Failure> {
    let root =
        archive::Root::open(&source.directory).map_err(|e| failed("open", &source.directory, &io::Error::from(e)))?;
    let (pipe, writer) = io::pipe().map_err(|e| Failure::new(system_words(&e).to_string()))?;
    let entry = source.entry.clone().into_bytes();
    let thread = std::thread::spawn(move || {
        let mut packer = Packer::new(io::BufWriter::with_capacity(128 << 10, writer), Marks::Plain);
        match &entry[..] {
            b"." | b"/" => packer.tree(root.real_dir(b"")?, &name)?,
            entry => packer.one(root.as_fd(), entry, &name)?,
        }
        packer.finish()?.flush()
    });
    Ok(Packing { pipe, thread: Some(thread) })
}
