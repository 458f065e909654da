//! `mode=non-blocking`: a child of the shim writes the file. Between the two is a pipe of the size asked for, which takes what
//! fits: however slow the disk, the container goes on, and lines that do not fit are dropped and counted.
//!
//! The child is this program again (`lighter-shim log PATH MAX-SIZE MAX-FILE COMPRESS`) and lives until the pipe is closed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, WaitOptions};

use super::file::{Bounds, LogFile};

/// The word by which this program knows that it is to write a log.
pub const COMMAND: &str = "log";
/// How long the child may take at the end to write what is in the pipe.
const LAST: Duration = Duration::from_secs(2);
const READ: usize = 64 * 1024;
/// The largest pipe that anybody may have, by default.
const ALWAYS: usize = 1 << 20;

pub struct Queue {
    /// Non-blocking.
    pipe: File,
    /// `None`: it was not made by us (in tests).
    child: Option<Child>,
    /// The end of a line whose beginning is in the pipe.
    rest: Vec<u8>,
    /// Lines which did not fit since the last success.
    dropped: u64,
}

/// Waited for when dropped, which must come after the pipe is closed.
struct Child(Pid);

impl Queue {
    /// `size`: bytes that wait at most; the kernel rounds up to pages, to a power of two of them.
    pub fn open(path: &Path, bounds: Bounds, size: u64) -> io::Result<Self> {
        // its failure is told while there is somebody to tell
        drop(LogFile::open(path, bounds)?);
        let (theirs, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        // without CAP_SYS_RESOURCE there is a limit (pipe-max-size); where there is no such pipe at all, the usual one does
        let _ = rustix::pipe::fcntl_setpipe_size(&ours, wanted)
            .or_else(|_| rustix::pipe::fcntl_setpipe_size(&ours, wanted.min(ALWAYS)));
        let child = Command::new("/proc/self/exe")
            .arg(COMMAND)
            .arg(path)
            .args([bounds.max_size.to_string(), bounds.max_file.to_string(), bounds.compress.to_string()])
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()?;
        let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw).map(Child);
        Self::over(ours, child)
    }

    fn over(pipe: OwnedFd, child: Option<Child>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe: pipe.into(), child, rest: Vec::new(), dropped: 0 })
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn append(&mut self, lines: &[u8]) {
        let taken = self.push(lines);
        self.drop_lines(&lines[taken..]);
    }

    pub fn append_note(&mut self, note: &[u8]) -> bool {
        let taken = self.push(note) == note.len();
        if taken {
            self.dropped = 0;
        }
        taken
    }

    pub fn drop_lines(&mut self, lines: &[u8]) {
        self.dropped += memchr::memchr_iter(b'\n', lines).count() as u64;
    }

    /// How many bytes of `lines` are taken: whole lines.
    fn push(&mut self, lines: &[u8]) -> usize {
        if !self.flush() {
            return 0;
        }
        let written = self.write(lines);
        let torn = written > 0 && lines[written - 1] != b'\n';
        if !torn {
            return written;
        }
        let end = memchr::memchr(b'\n', &lines[written..]).map_or(lines.len(), |at| written + at + 1);
        self.rest = lines[written..end].to_vec();
        end
    }

    /// Completes a torn line; true if none is left.
    pub fn flush(&mut self) -> bool {
        let rest = std::mem::take(&mut self.rest);
        let written = self.write(&rest);
        self.rest = rest[written..].to_vec();
        self.rest.is_empty()
    }

    /// As much as fits now.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            match self.pipe.write(&bytes[done..]) {
                Ok(n) if n > 0 => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        done
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let end = Instant::now() + LAST;
        while !self.flush() && Instant::now() < end {
            let mut polled = [PollFd::new(&self.pipe, PollFlags::OUT)];
            let left = end.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
            if poll(&mut polled, Some(&left)).is_err() || polled[0].revents().contains(PollFlags::ERR) {
                break;
            }
        }
        // closed before the child is waited for: its end is what the child waits for
        if let Ok(null) = File::open("/dev/null") {
            self.pipe = null;
        }
        drop(self.child.take());
    }
}

impl Drop for Child {
    /// Who reads the log after the container's end finds all of it.
    fn drop(&mut self) {
        let end = Instant::now() + LAST;
        while let Ok(None) = rustix::process::waitpid(Some(self.0), WaitOptions::NOHANG) {
            if Instant::now() > end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The child's work: lines from descriptor 0 into the file.
pub fn main(words: &[String]) -> ExitCode {
    let [path, max_size, max_file, compress] = words else { return ExitCode::FAILURE };
    let bounds = Bounds {
        max_size: max_size.parse().unwrap_or(0),
        max_file: max_file.parse().unwrap_or(1),
        compress: compress == "true",
    };
    match LogFile::open(Path::new(path), bounds).and_then(|file| copy(io::stdin().lock(), file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lighter-shim: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn copy(mut source: impl Read, mut file: LogFile) -> io::Result<()> {
    let (mut pending, mut buffer) = (Vec::new(), vec![0; READ]);
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        pending.extend_from_slice(&buffer[..count]);
        let whole = memchr::memrchr(b'\n', &pending).map_or(0, |at| at + 1);
        append(&mut file, &pending[..whole]);
        pending.drain(..whole);
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            file.child_ended(pid.as_raw_nonzero().get(), status.exit_status() == Some(0));
        }
    }
}

/// Rotates between lines, wherever in them that is due.
fn append(file: &mut LogFile, lines: &[u8]) {
    let mut start = 0;
    let mut line = 0;
    for end in memchr::memchr_iter(b'\n', lines) {
        if file.is_full(line - start) {
            file.append(&lines[start..line]);
            file.rotate();
            start = line;
        }
        line = end + 1;
    }
    file.append(&lines[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_full_pipe_drops_lines_and_tears_none() {
        let (mut reader, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map(|(r, w)| (File::from(r), w)).unwrap();
        let mut queue = Queue::over(ours, None).unwrap();
        let line = format!("{}\n", "x".repeat(9999));
        for _ in 0..100 {
            queue.append(line.as_bytes());
        }
        assert!(queue.dropped() > 80, "{}", queue.dropped());
        let kept = 100 - queue.dropped();
        // somebody reads: the torn line is completed, and what was lost can be told
        let mut all = vec![0; 60_000];
        let count = reader.read(&mut all).unwrap();
        all.truncate(count);
        assert!(queue.append_note(b"lost\n") && queue.dropped() == 0);
        drop(queue);
        reader.read_to_end(&mut all).unwrap();
        let text = String::from_utf8(all).unwrap();
        assert!(text.lines().all(|l| l.len() == 9999 || l == "lost") && text.ends_with("\nlost\n"));
        assert_eq!(text.lines().count() as u64, kept + 1);
    }

    #[test]
    fn the_child_rotates_between_lines() {
        let dir = Scratch::new("log-queue");
        let file =
            LogFile::open(&dir.path().join("log"), Bounds { max_size: 100, max_file: 50, compress: false }).unwrap();
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        copy(text.as_bytes(), file).unwrap();
        let mut all = String::new();
        for n in (1..50).rev() {
            let Ok(part) = std::fs::read_to_string(dir.path().join(format!("log.{n}"))) else { continue };
            assert!(part.len() <= 110 && part.ends_with('\n'), "{part}");
            all += &part;
        }
        assert_eq!(all + &std::fs::read_to_string(dir.path().join("log")).unwrap(), text);
    }
}
