//! A small HTTP server for tests, whose replies may be as wrong as a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request: method, target and header fields (names in lower case).
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What goes back.
pub enum Told {
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The head promises all of `body`, `sent` bytes come, then the connection is cut.
    Cut {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        sent: usize,
    },
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
    /// These bytes, then nothing for so long.
    Stall(Vec<u8>, Duration),
    /// A body of unknown length that begins so and does not end before the peer has had enough.
    Endless(Vec<u8>),
}

impl Told {
    pub fn status(status: u16) -> Self {
        Self::Reply { status, headers: vec![], body: vec![] }
    }

    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self::Reply { status: 200, headers: vec![], body: body.into() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } | Self::Cut { headers, .. } = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }
}

/// Listens until it is dropped, and remembers what it was asked.
pub struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
}

impl Web {
    /// On a free port of `ip`.
    pub fn serve(ip: &str, answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(format!("{ip}:0")).expect("a port");
        let address = listener.local_addr().expect("its address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let (log, ends, answer) = (asked.clone(), over.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || while exchange(&stream, &log, &*answer).is_some() {});
            }
        });
        Self { address, asked, over }
    }

    /// `IP:PORT`
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("requests").clone()
    }

    /// Requests whose target has `part`.
    pub fn count(&self, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.target.contains(part)).count()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// One request and its reply; `None`: the connection is at its end.
fn exchange(stream: &TcpStream, log: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Told) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let asked = read(&mut reader)?;
    log.lock().expect("requests").push(asked.clone());
    let mut out = stream;
    let head_only = asked.method == "HEAD";
    match answer(&asked) {
        Told::Raw(bytes) => {
            out.write_all(&bytes).ok()?;
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
        Told::Stall(bytes, pause) => {
            out.write_all(&bytes).ok()?;
            std::thread::sleep(pause);
            None
        }
        Told::Endless(begin) => {
            out.write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
            let mut piece = begin;
            loop {
                let size = format!("{:x}\r\n", piece.len());
                out.write_all(&[size.as_bytes(), &piece, b"\r\n"].concat()).ok()?;
                piece = vec![b' '; 64 << 10];
            }
        }
        Told::Reply { status, headers, body } => {
            out.write_all(&head(status, &headers, body.len())).ok()?;
            if head_only { Some(()) } else { out.write_all(&body).ok() }
        }
        Told::Cut { status, headers, body, sent } => {
            out.write_all(&head(status, &headers, body.len())).ok()?;
            out.write_all(&body[..sent.min(body.len())]).ok()?;
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
    }
}

fn head(status: u16, headers: &[(String, String)], length: usize) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} X\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        text += &format!("Content-Length: {length}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    (text + "\r\n").into_bytes()
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = vec![];
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let body = match header("transfer-encoding") {
        Some("chunked") => chunks(reader)?,
        _ => piece(reader, header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0))?,
    };
    Some(Asked { method, target, headers, body })
}

fn piece(reader: &mut impl BufRead, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// RFC 9112 §7.1, without trailers.
fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = vec![];
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let length = usize::from_str_radix(line.trim_end(), 16).ok()?;
        body.extend(piece(reader, length)?);
        piece(reader, 2)?;
        if length == 0 {
            return Some(body);
        }
    }
}
