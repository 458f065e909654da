//! A daemon that answers every request with something plausible and remembers what it was asked.

#![allow(dead_code)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

/// What a request is answered with: the whole answer from its status line on. `None` goes on to the next rule.
pub type Answer = Box<dyn Fn(&Request) -> Option<Vec<u8>> + Send + Sync>;

/// Input on an upgraded connection that makes the daemon close it.
pub const HANG_UP: &[u8] = b"!bye!";

/// The daemon. Its directory goes when it is dropped.
pub struct Recorder {
    directory: PathBuf,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// `HTTP/1.1 STATUS` with a JSON body.
pub fn json(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.50\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The client under test, built beside this test.
pub fn client() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples/lighter")
}

impl Recorder {
    /// One that creates containers and nothing else.
    pub fn start() -> Recorder {
        Self::answering(Box::new(|_| None))
    }

    /// One with answers of its own.
    pub fn answering(answer: Answer) -> Recorder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("lighter-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let listener = UnixListener::bind(directory.join("d.sock")).unwrap();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &seen, &answer));
            }
        });
        Recorder { directory, requests }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn address(&self) -> String {
        format!("unix://{}", self.directory.join("d.sock").display())
    }

    /// The requests since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn serve(stream: UnixStream, seen: &Mutex<Vec<Request>>, answer: &Answer) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        seen.lock().unwrap().push(request.clone());
        let reply = answer(&request).unwrap_or_else(|| plausible(&request));
        let upgraded = reply.starts_with(b"HTTP/1.1 101");
        if writer.write_all(&reply).is_err() {
            return;
        }
        if reply.windows(13).any(|window| window == b"X-Then: close") {
            return;
        }
        if upgraded {
            return echo(&mut reader, &mut writer);
        }
    }
}

/// What is sent back, until [`HANG_UP`] comes.
fn echo(reader: &mut impl BufRead, writer: &mut impl Write) {
    loop {
        let Ok(bytes) = reader.fill_buf() else { return };
        let count = bytes.len();
        if count == 0 || bytes.ends_with(HANG_UP) || writer.write_all(bytes).is_err() {
            return;
        }
        reader.consume(count);
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    let mut length = 0;
    let mut chunked = false;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end().to_owned();
        if header.is_empty() {
            break;
        }
        let lower = header.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= lower == "transfer-encoding: chunked";
        headers.push(header);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    while chunked {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        chunked = size > 0;
    }
    Some(Request { method, target, headers, body })
}

fn plausible(request: &Request) -> Vec<u8> {
    match request.target.as_str() {
        "/_ping" if request.method == "HEAD" => {
            b"HTTP/1.1 200 OK\r\nApi-Version: 1.50\r\nOstype: linux\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        target if target.contains("/containers/create") => {
            json("201 Created", &format!("{{\"Id\":\"{}\",\"Warnings\":[]}}", "c".repeat(64)))
        }
        target if target.ends_with("/exec") => json("201 Created", "{\"Id\":\"e1\"}"),
        _ => json("404 Not Found", "{\"message\":\"page not found\"}"),
    }
}
