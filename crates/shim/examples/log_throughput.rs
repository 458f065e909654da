//! How fast lines of a real process become a log: `yes LINE | head -n N` through a pipe into the log writer.
//!
//! `cargo run --release -p shim --example log_throughput [LINES] [BYTES] [FILE]`

use shim::log::{Bounds, LogWriter};
use shim::stream::Stream;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;
use values::Timestamp;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().and_then(|a| a.parse().ok()).unwrap_or(default);
    let (lines, bytes) = (number(1_000_000), number(100));
    let path = args.next().map_or_else(|| std::env::temp_dir().join("lighter-log-throughput.log"), PathBuf::from);
    let _ = std::fs::remove_file(&path);
    let start = Instant::now();
    let script = format!("yes {} | head -n {lines}", "x".repeat(bytes - 1));
    let mut child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().expect("sh");
    let mut log =
        LogWriter::open(&path, Bounds { max_size: 20_000_000, max_file: 100, compress: false }, "").expect("log");
    let mut output = child.stdout.take().expect("stdout");
    let mut buffer = vec![0; 64 * 1024];
    let mut reads = 0;
    loop {
        let n = output.read(&mut buffer).expect("read");
        if n == 0 {
            break;
        }
        reads += 1;
        log.write(Stream::Stdout, &buffer[..n], Timestamp::now());
    }
    log.end(Stream::Stdout, Timestamp::now());
    child.wait().expect("wait");
    let took = start.elapsed();
    println!(
        "{lines} lines of {bytes} B: {} ms wall, {reads} reads, {:.0} MB/s of output; log {}",
        took.as_millis(),
        (lines * bytes) as f64 / took.as_secs_f64() / 1e6,
        path.display()
    );
}
