//! The reader against the writer that makes the files.

use logging::{LogReader, Options, Watcher};
use shim::log::{Bounds, LogWriter};
use shim::stream::Stream;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use values::Timestamp;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lighter-logging-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("x-json.log")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const BOTH: Options = Options {
    stdout: true,
    stderr: true,
    since: None,
    until: None,
    tail: None,
    timestamps: false,
    details: false,
    framed: false,
};

async fn rest(reader: &mut LogReader) -> String {
    let mut all = Vec::new();
    while let Some(chunk) = reader.next_chunk().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(all).unwrap()
}

async fn read(path: &Path, options: Options) -> String {
    rest(&mut LogReader::open(path, options).await.unwrap()).await
}

fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("line {n}\n")).collect()
}

fn at(secs: i64) -> Timestamp {
    Timestamp { secs: 1_700_000_000 + secs, nanos: 0 }
}

#[tokio::test]
async fn reads_all_generations() {
    let dir = Scratch::new();
    let mut log = LogWriter::open(&dir.log(), Bounds { max_size: 5000, max_file: 100, compress: false }, "").unwrap();
    for n in 0..500 {
        log.write(Stream::Stdout, numbered(n..n + 1).as_bytes(), at(i64::from(n)));
    }
    assert!(dir.0.join("x-json.log.5").exists());
    let all = numbered(0..500);
    assert_eq!(read(&dir.log(), BOTH).await, all);
    for tail in [0, 1, 59, 60, 61, 250, 499, 500, 501, 10_000] {
        let expected = numbered(500_u32.saturating_sub(tail)..500);
        assert_eq!(read(&dir.log(), Options { tail: Some(tail.into()), ..BOTH }).await, expected, "tail {tail}");
    }
    assert_eq!(read(&dir.log(), Options { since: Some(at(490)), ..BOTH }).await, numbered(490..500));
    assert_eq!(read(&dir.log(), Options { until: Some(at(3)), ..BOTH }).await, numbered(0..4));
    let both = Options { tail: Some(20), until: Some(at(489)), ..BOTH };
    assert_eq!(read(&dir.log(), both).await, numbered(480..490));
}

#[tokio::test]
async fn a_missing_log_is_empty() {
    let dir = Scratch::new();
    assert_eq!(read(&dir.log(), BOTH).await, "");
    assert_eq!(read(&dir.log(), Options { tail: Some(3), ..BOTH }).await, "");
}

#[tokio::test]
async fn gives_back_every_character() {
    let dir = Scratch::new();
    let mut log = LogWriter::open(&dir.log(), Bounds::default(), "").unwrap();
    let text: String = (0..0x3000).filter_map(char::from_u32).chain("😀\u{10ffff}".chars()).collect();
    let long = "é".repeat(30_000);
    log.write(Stream::Stderr, text.as_bytes(), at(0));
    log.write(Stream::Stderr, long.as_bytes(), at(0));
    log.end(Stream::Stderr, at(1));
    assert_eq!(read(&dir.log(), BOTH).await, format!("{text}{long}"));
    assert_eq!(read(&dir.log(), Options { stderr: false, ..BOTH }).await, "");
}

/// Follows a log that a thread writes as fast as it can, with a rotation each few lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_through_rotations() {
    const LINES: u32 = 200_000;
    let dir = Scratch::new();
    let path = dir.log();
    let watcher = Watcher::new().unwrap();
    // Enough generations that a reader which is late finds all.
    let mut log = LogWriter::open(&path, Bounds { max_size: 200_000, max_file: 1000, compress: false }, "").unwrap();
    let (tell, stopped) = oneshot::channel::<()>();
    let following = LogReader::open(&path, BOTH).await.unwrap();
    let mut following = following.following(&watcher, async { _ = stopped.await }).unwrap();
    let writer = std::thread::spawn(move || {
        for n in (0..LINES).step_by(7) {
            log.write(Stream::Stdout, numbered(n..(n + 7).min(LINES)).as_bytes(), Timestamp::now());
        }
        log.write(Stream::Stdout, b"no newline", Timestamp::now());
        log.end(Stream::Stdout, Timestamp::now());
        tell.send(()).unwrap();
    });
    let all = rest(&mut following).await;
    writer.join().unwrap();
    assert!(all == numbered(0..LINES) + "no newline", "{} bytes", all.len());
}

#[tokio::test]
async fn follow_wakes_at_once_and_ends() {
    let dir = Scratch::new();
    let path = dir.log();
    let watcher = Watcher::new().unwrap();
    let (tell, stopped) = oneshot::channel::<()>();
    // Nothing there yet: the container has not started.
    let reader = LogReader::open(&path, Options { tail: Some(0), ..BOTH }).await.unwrap();
    let mut reader = reader.following(&watcher, async { _ = stopped.await }).unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), reader.next_chunk()).await;
    assert!(waiting.is_err(), "cancelled");
    let mut log = LogWriter::open(&path, Bounds { max_size: 150, max_file: 2, compress: false }, "").unwrap();
    for n in 0..10 {
        log.write(Stream::Stdout, numbered(n..n + 1).as_bytes(), Timestamp::now());
        let chunk = tokio::time::timeout(Duration::from_secs(5), reader.next_chunk()).await.unwrap().unwrap().unwrap();
        assert_eq!(chunk, numbered(n..n + 1).as_bytes());
    }
    log.write(Stream::Stdout, b"last\n", Timestamp::now());
    tell.send(()).unwrap();
    assert_eq!(rest(&mut reader).await, "last\n");
}

#[tokio::test]
async fn follow_ends_with_its_directory_or_time() {
    let dir = Scratch::new();
    let watcher = Watcher::new().unwrap();
    LogWriter::open(&dir.log(), Bounds::default(), "").unwrap().write(Stream::Stdout, b"x\n", Timestamp::now());
    let until = Timestamp::now().plus(Duration::from_millis(100));
    let timed = LogReader::open(&dir.log(), Options { until: Some(until), ..BOTH }).await.unwrap();
    let mut timed = timed.following(&watcher, std::future::pending()).unwrap();
    assert_eq!(rest(&mut timed).await, "x\n");
    assert!(Timestamp::now() >= until);

    let reader = LogReader::open(&dir.log(), BOTH).await.unwrap();
    let mut reader = reader.following(&watcher, std::future::pending()).unwrap();
    assert_eq!(reader.next_chunk().await.unwrap().unwrap(), "x\n");
    fs::remove_dir_all(&dir.0).unwrap();
    assert_eq!(rest(&mut reader).await, "");
}

#[tokio::test]
async fn follow_survives_truncation() {
    let dir = Scratch::new();
    let watcher = Watcher::new().unwrap();
    let mut log = LogWriter::open(&dir.log(), Bounds::default(), "").unwrap();
    log.write(Stream::Stdout, b"one\n", Timestamp::now());
    let reader = LogReader::open(&dir.log(), BOTH).await.unwrap();
    let mut reader = reader.following(&watcher, std::future::pending()).unwrap();
    assert_eq!(reader.next_chunk().await.unwrap().unwrap(), "one\n");
    fs::OpenOptions::new().write(true).open(dir.log()).unwrap().set_len(0).unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), reader.next_chunk()).await;
    assert!(waiting.is_err());
    log.write(Stream::Stdout, b"two\n", Timestamp::now());
    assert_eq!(reader.next_chunk().await.unwrap().unwrap(), "two\n");
}

#[tokio::test]
async fn broken_lines_are_passed_over() {
    let dir = Scratch::new();
    let good = r#"{"log":"good\n","stream":"stdout","time":"2024-01-01T00:00:00Z"}"#;
    let huge = "x".repeat(9 << 20);
    fs::write(dir.log(), format!("torn\n{good}\n\0\0\n{huge}\n{good}\n{{\"log\":\"unfinish")).unwrap();
    assert_eq!(read(&dir.log(), BOTH).await, "good\ngood\n");
}

/// Puts a gzipped file in the place of generation `n`, as the writer's child does.
fn compress(path: &Path, n: u32) {
    let plain = path.with_file_name(format!("x-json.log.{n}"));
    let zipped = path.with_file_name(format!("x-json.log.{n}.gz"));
    shim::log::compress::gzip(fs::File::open(&plain).unwrap(), fs::File::create(zipped).unwrap()).unwrap();
    fs::remove_file(plain).unwrap();
}

#[tokio::test]
async fn gzipped_generations_are_read_like_plain_ones() {
    let dir = Scratch::new();
    let path = dir.log();
    let mut log = LogWriter::open(&path, Bounds { max_size: 2000, max_file: 50, compress: false }, "").unwrap();
    log.write(Stream::Stdout, numbered(0..100).as_bytes(), Timestamp::now());
    let watcher = Watcher::new().unwrap();
    let (tell, stopped) = oneshot::channel::<()>();
    let reader = LogReader::open(&path, BOTH).await.unwrap();
    let mut following = reader.following(&watcher, async { _ = stopped.await }).unwrap();
    assert!(following.next_chunk().await.unwrap().unwrap().starts_with(b"line 0\n"));
    // what the reader has got to is renamed and gzipped behind its back
    log.write(Stream::Stdout, numbered(100..200).as_bytes(), Timestamp::now());
    for n in 1..50 {
        if path.with_file_name(format!("x-json.log.{n}")).exists() {
            compress(&path, n);
        }
    }
    log.write(Stream::Stdout, numbered(200..300).as_bytes(), Timestamp::now());
    tell.send(()).unwrap();
    let later = rest(&mut following).await;
    assert!(later.ends_with("line 299\n") && later.matches("line 150\n").count() == 1, "{later}");
    assert_eq!(read(&path, BOTH).await, numbered(0..300));
    assert_eq!(read(&path, Options { tail: Some(250), ..BOTH }).await, numbered(50..300));
    assert_eq!(read(&path, Options { since: Some(Timestamp::now().plus(Duration::from_secs(9))), ..BOTH }).await, "");
}
