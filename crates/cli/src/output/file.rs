//! A file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use archive::HoleWriter;

use crate::{Failure, Invocation};

const BUFFER: usize = 256 << 10;

/// Where `--output` of a command says that an archive goes; a terminal is no place for one. `what` names the deed in errors.
///
/// # Errors
/// In Docker's words.
pub fn place<'c>(call: &'c Invocation, what: &str) -> Result<&'c str, Failure> {
    let output = call.text_or_empty("output");
    if output.is_empty() && io::stdout().is_terminal() {
        return Err(Failure::new("cowardly refusing to save to a terminal. Use the -o flag or redirect"));
    }
    check(output).map_err(|e| Failure::new(format!("failed to {what}: {e}")))?;
    Ok(output)
}

/// Whether a file can be written there; empty is stdout.
///
/// # Errors
/// In Docker's words.
fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Ok(());
    }
    let parent = parent(Path::new(path));
    if let Err(error) = fs::metadata(&parent) {
        return Err(format!("invalid output path: stat {}: {}", parent.display(), values::system_words(&error)));
    }
    let Ok(there) = fs::metadata(path) else { return Ok(()) };
    let kind = there.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "directory",
        () if kind.is_char_device() => "character device file",
        () if kind.is_block_device() => "block device file",
        () if kind.is_fifo() => "named pipe file",
        () => "socket file",
    };
    Err(format!("cannot write to a {what}"))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes all of `content` to a new file beside `path`, which then takes its place; an empty path is stdout.
///
/// # Errors
/// Those of reading and writing; then `path` is as it was.
pub fn write(path: &str, content: &mut dyn Read) -> Result<(), Failure> {
    if path.is_empty() {
        return match io::copy(content, &mut io::stdout().lock()) {
            // a reader that has gone away ends the program quietly, as SIGPIPE would
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(141),
            copied => copied.map(drop).map_err(failed),
        };
    }
    let path = Path::new(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = parent(path).join(format!(".tmp-{name}{}", std::process::id()));
    let written = stage(&staged, content).and_then(|()| fs::rename(&staged, path));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written.map_err(failed)
}

fn stage(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    let file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut out = BufWriter::with_capacity(BUFFER, HoleWriter::new(&file));
    io::copy(content, &mut out)?;
    out.flush()?;
    out.get_mut().finish()?;
    file.sync_all()
}

fn failed(error: io::Error) -> Failure {
    Failure::new(values::system_words(&error).to_string())
}
