//! Compressing rotated files, in a process of its own: the container's output is not held up meanwhile.
//!
//! The child is this program again (`lighter-shim compress`): it reads the file on descriptor 0 and writes gzip (RFC 1952) to
//! descriptor 1. Which file it was stands in the header's comment as `DEVICE:INODE:BIRTH` (the last in nanoseconds, as inodes are
//! used again): so a reader that had got to its middle finds it again. Its modification time is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::UNIX_EPOCH;

use flate2::{Compression, GzBuilder};
use rustix::fs::{Timespec, Timestamps};

/// The word by which this program knows that it is to compress.
pub const COMMAND: &str = "compress";
/// Everything else on the machine is more urgent.
const NICE: i32 = 19;

/// Starts the child; answers its process id. Whoever waits for children learns of its end.
pub fn spawn(source: &Path, target: &Path) -> io::Result<i32> {
    let (source, target) = (File::open(source)?, create(target)?);
    let child = Command::new("/proc/self/exe")
        .arg(COMMAND)
        .env_clear()
        .stdin(source)
        .stdout(target)
        .stderr(Stdio::inherit())
        .spawn()?;
    i32::try_from(child.id()).map_err(io::Error::other)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(super::file::MODE).open(path)
}

/// The child's work.
pub fn main() -> ExitCode {
    let _ = rustix::process::nice(NICE);
    let descriptors = (
        rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3),
        rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3),
    );
    let done = match descriptors {
        (Ok(source), Ok(target)) => gzip(File::from(source), File::from(target)),
        (Err(e), _) | (_, Err(e)) => Err(e.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lighter-shim: compressing a log: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Compresses a whole file.
pub fn gzip(mut source: File, target: File) -> io::Result<()> {
    let meta = source.metadata()?;
    let birth = meta.created().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |t| t.as_nanos());
    let comment = format!("{}:{}:{birth}", meta.dev(), meta.ino());
    let builder = GzBuilder::new().comment(comment);
    let mut encoder = builder.write(BufWriter::with_capacity(1 << 16, target), Compression::fast());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut source, &mut buffer)? {
            0 => break,
            n => io::Write::write_all(&mut encoder, &buffer[..n])?,
        }
    }
    let target = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let time = Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() as _ };
    rustix::fs::futimens(target.as_fd(), &Timestamps { last_access: time, last_modification: time })?;
    Ok(())
}
