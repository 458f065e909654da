//! A container's output as json-file lines.

use super::escape;
use super::file::{Bounds, LogFile};
use super::queue::Queue;
use super::sink::Sink;
use super::stamp::Stamp;
use crate::stream::Stream;
use std::io;
use std::path::Path;
use values::Timestamp;

/// A line longer than this is split into entries of (nearly) this size, all but the last without a newline.
pub const ENTRY: usize = 16 * 1024;
/// Encoded lines are handed to the kernel when so many bytes have gathered, or at the end of a read.
const BATCH: usize = 128 * 1024;

/// Encodes what is read from the container, a read at a time, and appends it to the log file by one write(2).
///
/// The times of one read's lines differ by a nanosecond each, so that they are an order and a reader can go on behind
/// any of them. Buffers exist while there is something in them: see [`LogWriter::relax`].
pub struct LogWriter {
    file: Sink,
    stamp: Stamp,
    out: Vec<u8>,
    channels: [Channel; 2],
    /// The time of the next line, at the earliest.
    next: Timestamp,
}

struct Channel {
    /// The bytes of a line whose end has not come yet.
    unfinished: Vec<u8>,
    /// What stands between the text and the time.
    middle: Box<[u8]>,
}

impl Channel {
    fn new(stream: &str, attrs: &str) -> Self {
        let attrs = if attrs.is_empty() { String::new() } else { format!("\"attrs\":{attrs},") };
        let middle = format!("\",\"stream\":\"{stream}\",{attrs}\"time\":\"").into_bytes().into_boxed_slice();
        Self { unfinished: Vec::new(), middle }
    }
}

impl LogWriter {
    /// `attrs` is the JSON object of the labels and variables chosen by log options, or empty.
    pub fn open(path: &Path, bounds: Bounds, attrs: &str) -> io::Result<Self> {
        Ok(Self::over(Sink::File(LogFile::open(path, bounds)?), attrs))
    }

    /// The same without ever waiting for the disk: at most `size` bytes of lines wait, further ones are dropped.
    pub fn open_queue(path: &Path, bounds: Bounds, attrs: &str, size: u64) -> io::Result<Self> {
        Ok(Self::over(Sink::Queue(Queue::open(path, bounds, size)?), attrs))
    }

    fn over(file: Sink, attrs: &str) -> Self {
        Self {
            file,
            stamp: Stamp::new(),
            out: Vec::new(),
            channels: [Channel::new("stdout", attrs), Channel::new("stderr", attrs)],
            next: Timestamp { secs: 0, nanos: 0 },
        }
    }

    /// Logs what one read gave. A line without its newline yet waits for the rest.
    pub fn write(&mut self, stream: Stream, data: &[u8], now: Timestamp) {
        self.begin(now);
        let mut rest = self.continue_unfinished(stream, data);
        while let Some(len) = entry_len(rest) {
            self.entry(stream, &rest[..len]);
            rest = &rest[len..];
        }
        self.channels[stream.index()].unfinished.extend_from_slice(rest);
        self.flush();
    }

    /// The stream has ended: an unfinished line is logged as it is.
    pub fn end(&mut self, stream: Stream, now: Timestamp) {
        let unfinished = std::mem::take(&mut self.channels[stream.index()].unfinished);
        if !unfinished.is_empty() {
            self.begin(now);
            self.entry(stream, &unfinished);
            self.flush();
        }
    }

    /// A child of this process ended; true if it is the one that compresses.
    pub fn child_ended(&mut self, pid: i32, well: bool) -> bool {
        self.file.child_ended(pid, well)
    }

    /// Gives memory back which an idle container doesn't need.
    pub fn relax(&mut self) {
        self.out = Vec::new();
        self.file.relax();
        for channel in &mut self.channels {
            channel.unfinished.shrink_to_fit();
        }
    }

    /// Lines get times later than any before, unless the clock was set back for good.
    fn begin(&mut self, now: Timestamp) {
        const SLACK: i64 = 2;
        if now >= self.next || self.next.secs - now.secs >= SLACK {
            self.next = now;
        }
    }

    /// Completes the waiting line from `data`; answers what is left of `data`.
    fn continue_unfinished<'a>(&mut self, stream: Stream, data: &'a [u8]) -> &'a [u8] {
        let mut line = std::mem::take(&mut self.channels[stream.index()].unfinished);
        let mut rest = data;
        while !line.is_empty() && !rest.is_empty() {
            let take = rest.len().min(ENTRY - line.len());
            let take = memchr::memchr(b'\n', &rest[..take]).map_or(take, |at| at + 1);
            line.extend_from_slice(&rest[..take]);
            rest = &rest[take..];
            match entry_len(&line) {
                Some(len) => {
                    self.entry(stream, &line[..len]);
                    line.drain(..len);
                }
                None => break,
            }
        }
        if !line.is_empty() || line.capacity() < ENTRY {
            self.channels[stream.index()].unfinished = line;
        }
        rest
    }

    fn entry(&mut self, stream: Stream, text: &[u8]) {
        if self.file.is_full(self.out.len()) {
            self.flush();
            self.file.rotate();
        } else if self.out.len() >= BATCH {
            self.flush();
        }
        self.encode(stream, text);
    }

    fn encode(&mut self, stream: Stream, text: &[u8]) {
        let out = &mut self.out;
        out.extend_from_slice(b"{\"log\":\"");
        escape::append(text, out);
        out.extend_from_slice(&self.channels[stream.index()].middle);
        self.stamp.append(self.next, out);
        out.extend_from_slice(b"\"}\n");
        self.next = next_nano(self.next);
    }

    fn flush(&mut self) {
        if self.out.is_empty() || !self.note_dropped() {
            self.out.clear();
            return;
        }
        self.file.append(&self.out);
        self.out.clear();
    }

    /// Tells in the log how many lines are missing; false while the disk takes nothing.
    fn note_dropped(&mut self) -> bool {
        let dropped = self.file.dropped();
        if dropped == 0 {
            return true;
        }
        let pending = std::mem::take(&mut self.out);
        let note = format!("lighter: {dropped} log lines were dropped because the log could not be written\n");
        self.encode(Stream::Stderr, note.as_bytes());
        let note = std::mem::replace(&mut self.out, pending);
        let written = self.file.append_note(&note);
        if !written {
            self.file.drop_lines(&self.out);
        }
        written
    }
}

/// How much of `text` is the next entry: to its newline, or a full piece cut between characters. None: wait for more.
fn entry_len(text: &[u8]) -> Option<usize> {
    let piece = &text[..text.len().min(ENTRY)];
    match memchr::memchr(b'\n', piece) {
        Some(at) => Some(at + 1),
        None if piece.len() == ENTRY => Some(escape::char_boundary(piece)),
        None => None,
    }
}

fn next_nano(t: Timestamp) -> Timestamp {
    if t.nanos < 999_999_999 { Timestamp { nanos: t.nanos + 1, ..t } } else { Timestamp { secs: t.secs + 1, nanos: 0 } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;

    const NOW: Timestamp = Timestamp { secs: 1_704_067_200, nanos: 500_000_000 };

    fn lines(dir: &Scratch) -> Vec<String> {
        fs::read_to_string(dir.path().join("log")).unwrap().lines().map(str::to_owned).collect()
    }

    fn open(dir: &Scratch, bounds: Bounds, attrs: &str) -> LogWriter {
        LogWriter::open(&dir.path().join("log"), bounds, attrs).unwrap()
    }

    #[test]
    fn writes_dockers_lines() {
        let dir = Scratch::new("log-lines");
        let mut log = open(&dir, Bounds::default(), "{\"env\":\"x\"}");
        log.write(Stream::Stdout, b"one\ntwo <2>\nthr", NOW);
        log.write(Stream::Stderr, b"\n", NOW);
        log.write(Stream::Stdout, b"ee\nrest", Timestamp { nanos: 600_000_000, ..NOW });
        log.end(Stream::Stdout, Timestamp { secs: NOW.secs + 1, nanos: 0 });
        log.end(Stream::Stderr, NOW);
        assert_eq!(
            lines(&dir),
            [
                r#"{"log":"one\n","stream":"stdout","attrs":{"env":"x"},"time":"2024-01-01T00:00:00.5Z"}"#,
                r#"{"log":"two \u003c2\u003e\n","stream":"stdout","attrs":{"env":"x"},"time":"2024-01-01T00:00:00.500000001Z"}"#,
                r#"{"log":"\n","stream":"stderr","attrs":{"env":"x"},"time":"2024-01-01T00:00:00.500000002Z"}"#,
                r#"{"log":"three\n","stream":"stdout","attrs":{"env":"x"},"time":"2024-01-01T00:00:00.6Z"}"#,
                r#"{"log":"rest","stream":"stdout","attrs":{"env":"x"},"time":"2024-01-01T00:00:01Z"}"#,
            ]
        );
    }

    /// Logs `text` in reads of `step` bytes; answers the entries' texts.
    fn entries(text: &[u8], step: usize) -> Vec<String> {
        let dir = Scratch::new("log-entries");
        let mut log = open(&dir, Bounds::default(), "");
        for read in text.chunks(step) {
            log.write(Stream::Stdout, read, NOW);
        }
        log.end(Stream::Stdout, NOW);
        lines(&dir)
            .iter()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["log"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn splits_long_lines_however_they_are_read() {
        let long = format!("{}\nshort\n{}é{}\nend", "x".repeat(ENTRY), "y".repeat(ENTRY - 1), "z".repeat(2 * ENTRY));
        let expected = [
            "x".repeat(ENTRY),
            "\n".to_owned(),
            "short\n".to_owned(),
            "y".repeat(ENTRY - 1),
            format!("é{}", "z".repeat(ENTRY - 2)),
            "z".repeat(ENTRY),
            "zz\n".to_owned(),
            "end".to_owned(),
        ];
        for step in [1, 7, 100, 4096, ENTRY, ENTRY + 1, 65536] {
            assert_eq!(entries(long.as_bytes(), step), expected, "reads of {step}");
        }
        assert_eq!(entries(&[0x80; ENTRY + 3], 5000).iter().map(|e| e.chars().count()).sum::<usize>(), ENTRY + 3);
    }

    #[test]
    fn rotates_between_lines() {
        let dir = Scratch::new("log-rotate");
        let mut log = open(&dir, Bounds { max_size: 1000, max_file: 3, compress: false }, "");
        let text: String = (0..200).map(|n| format!("line {n}\n")).collect();
        log.write(Stream::Stdout, text.as_bytes(), NOW);
        let mut all = String::new();
        for name in ["log.2", "log.1", "log"] {
            let part = fs::read_to_string(dir.path().join(name)).unwrap();
            assert!(part.len() < 1200 && part.ends_with('\n'), "{name}: {}", part.len());
            all += &part;
        }
        assert!(!dir.path().join("log.3").exists());
        let numbers: Vec<usize> = all
            .lines()
            .map(|l| {
                serde_json::from_str::<serde_json::Value>(l).unwrap()["log"].as_str().unwrap()[5..]
                    .trim()
                    .parse()
                    .unwrap()
            })
            .collect();
        assert_eq!(numbers.last(), Some(&199));
        assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
    }

    #[test]
    fn closes_a_torn_line_of_a_killed_writer() {
        let dir = Scratch::new("log-torn");
        fs::write(dir.path().join("log"), "{\"log\":\"to").unwrap();
        open(&dir, Bounds::default(), "").write(Stream::Stdout, b"next\n", NOW);
        assert_eq!(lines(&dir)[0], "{\"log\":\"to");
        assert!(lines(&dir)[1].starts_with("{\"log\":\"next"));
    }

    #[test]
    fn counts_what_a_full_disk_loses() {
        let dir = Scratch::new("log-full");
        let Ok(_mounted) = dir.mount_tmpfs("size=64k") else { return };
        let mut log = open(&dir, Bounds::default(), "");
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..100 {
            log.write(Stream::Stdout, line.as_bytes(), NOW);
        }
        let stored = lines(&dir).len();
        assert!(stored > 40 && stored < 70, "{stored}");
        assert!(fs::read(dir.path().join("log")).unwrap().ends_with(b"}\n"));
        fs::OpenOptions::new().write(true).open(dir.path().join("log")).unwrap().set_len(0).unwrap();
        log.write(Stream::Stdout, b"space again\n", NOW);
        let after = lines(&dir);
        assert!(after[0].contains(&format!("lighter: {} log lines were dropped", 100 - stored)), "{}", after[0]);
        assert!(after[1].contains("space again"));
    }
}
