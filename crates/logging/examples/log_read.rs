//! How fast a log is read: `cargo run --release -p logging --example log_read FILE`

use logging::{LogReader, Options};
use std::path::PathBuf;
use std::time::Instant;

#[tokio::main]
async fn main() {
    let path = PathBuf::from(std::env::args().nth(1).expect("a log file"));
    for timestamps in [false, true] {
        let start = Instant::now();
        let options = Options { stdout: true, stderr: true, framed: true, timestamps, ..Options::default() };
        let mut reader = LogReader::open(&path, options).await.expect("open");
        let mut bytes = 0;
        while let Some(chunk) = reader.next_chunk().await {
            bytes += chunk.expect("read").len();
        }
        let took = start.elapsed();
        let rate = bytes as f64 / took.as_secs_f64() / 1e6;
        println!("timestamps {timestamps}: {bytes} bytes in {} ms, {rate:.0} MB/s", took.as_millis());
    }
}
