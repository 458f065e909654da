//! Our stdio and a container's, connected by an upgraded connection.

pub mod detach_keys;
pub mod foreground;
pub mod signals;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use api::stream::{Decoder, StreamKind};
use client::{Hijacked, WriteHalf};
use rustix::event::{PollFd, PollFlags, poll};

use crate::terminal;
use detach_keys::Watcher;

/// How much is copied at once.
const PIECE: usize = 32 << 10;

/// Which of our streams are connected, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiring {
    /// The container has a terminal: one raw stream, detach keys, our terminal raw.
    pub tty: bool,
    /// Our stdin goes there.
    pub stdin: bool,
    /// Its stdout or stderr comes here.
    pub output: bool,
    /// The keys to leave by.
    pub detach_keys: Vec<u8>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The daemon closed the streams (or, with no output, our input was sent).
    Finished,
    /// The user typed the detach keys.
    Detached,
    /// Copying failed.
    Failed(String),
}

/// Copies until the end; stdin in a thread of its own, output in this one.
pub fn copy(connection: Hijacked, wiring: &Wiring) -> End {
    let _raw = if wiring.tty && wiring.stdin { terminal::Raw::enter() } else { None };
    let (reader, writer) = match connection.split() {
        Ok(halves) => halves,
        Err(error) => return End::Failed(error.to_string()),
    };
    let detached = Arc::new(AtomicBool::new(false));
    let input = start_input(writer, wiring, &detached);
    if !wiring.output {
        if let Some(input) = input {
            let _ = input.join();
        }
        return if detached.load(Ordering::SeqCst) { End::Detached } else { End::Finished };
    }
    let copied = if wiring.tty { plain(reader) } else { demultiplex(reader) };
    match copied {
        _ if detached.load(Ordering::SeqCst) => End::Detached,
        Ok(()) => End::Finished,
        Err(error) => End::Failed(error),
    }
}

/// Without stdin the daemon is told at once that none will come.
fn start_input(writer: WriteHalf, wiring: &Wiring, detached: &Arc<AtomicBool>) -> Option<JoinHandle<()>> {
    if !wiring.stdin {
        let _ = writer.close();
        return None;
    }
    let detached = Arc::clone(detached);
    let watcher = wiring.tty.then(|| Watcher::new(wiring.detach_keys.clone()));
    Some(std::thread::spawn(move || send_input(writer, watcher, &detached)))
}

fn send_input(mut writer: WriteHalf, mut watcher: Option<Watcher>, detached: &AtomicBool) {
    let mut buffer = vec![0; PIECE];
    let mut passed = Vec::new();
    loop {
        let count = match terminal::Stdin.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // a terminal that is gone, or not ours in the background: as good as its end
            Err(_) => 0,
        };
        if count == 0 {
            let _ = writer.close();
            return;
        }
        let typed = &buffer[..count];
        let sent = match &mut watcher {
            None => writer.write_all(typed),
            Some(watcher) => {
                passed.clear();
                let complete = watcher.pass(typed, &mut passed);
                let sent = writer.write_all(&passed);
                if complete {
                    detached.store(true, Ordering::SeqCst);
                    // wakes the reader of the output
                    let _ = writer.abort();
                    return;
                }
                sent
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Copies a framed stream to stdout and stderr (also that of `logs`).
///
/// # Errors
/// A broken connection or stream, or an error the daemon tells in it.
pub fn demultiplex(mut reader: impl Read) -> Result<(), String> {
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; PIECE];
    // one write per read and stream, not one per frame: a log's frames are its lines
    let mut pieces = Pieces::default();
    loop {
        let count = read(&mut reader, &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut input = &buffer[..count];
        while let Some((kind, bytes)) = decoder.next(&mut input).map_err(|error| error.to_string())? {
            match kind {
                StreamKind::SystemError => {
                    pieces.flush();
                    return Err(format!("error from daemon in stream: {}", String::from_utf8_lossy(bytes)));
                }
                StreamKind::Stderr => pieces.add(true, bytes),
                StreamKind::Stdin | StreamKind::Stdout => pieces.add(false, bytes),
            }
        }
        pieces.flush();
    }
}

/// Copies a stream without frames to stdout.
///
/// # Errors
/// A broken connection.
pub fn plain(mut reader: impl Read) -> Result<(), String> {
    let mut buffer = vec![0; PIECE];
    loop {
        let count = read(&mut reader, &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        write(&buffer[..count]);
    }
}

/// Bytes for one of our two outputs, collected while their order allows it.
#[derive(Default)]
struct Pieces {
    to_stderr: bool,
    bytes: Vec<u8>,
}

impl Pieces {
    fn add(&mut self, to_stderr: bool, bytes: &[u8]) {
        if self.to_stderr != to_stderr {
            self.flush();
            self.to_stderr = to_stderr;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn flush(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        if self.to_stderr {
            let _ = io::stderr().lock().write_all(&self.bytes);
        } else {
            write(&self.bytes);
        }
        self.bytes.clear();
    }
}

/// A connection that the other side reset after our detach or its end is an end like any other.
fn read(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, String> {
    loop {
        match reader.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Writes to our stdout, past the standard library's line buffer; when its reader is gone we go too, as SIGPIPE
/// would have it.
fn write(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => wait_for_room(),
            Err(_) => terminal::exit(141),
        }
    }
}

/// Somebody who shares our stdout has made it non-blocking.
fn wait_for_room() {
    let out = rustix::stdio::stdout();
    let mut outputs = [PollFd::new(&out, PollFlags::OUT)];
    let _ = poll(&mut outputs, None);
}
