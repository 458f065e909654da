//! A recorded daemon: answers each request of `../fixtures/routes` with canned JSON on a unix socket, and speaks API 1.50 at
//! most, as the docker CLI 28.2.2 does.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

const VERSION: u32 = 50;

pub struct Daemon {
    requests: Arc<Mutex<Vec<String>>>,
}

struct Request {
    method: String,
    target: String,
}

/// One line of `routes`.
struct Route {
    method: String,
    path: String,
    /// Texts which the query must hold.
    query: Vec<String>,
    status: u16,
    /// A file's name, or after `=` the body itself.
    body: String,
}

impl Daemon {
    /// Serves until the process ends.
    pub fn start(socket: &Path) -> Daemon {
        let listener = UnixListener::bind(socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let routes = Arc::new(routes());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, routes) = (Arc::clone(&log), Arc::clone(&routes));
                std::thread::spawn(move || serve(stream, &routes, &log));
            }
        });
        Daemon { requests }
    }

    pub fn forget_requests(&self) {
        self.requests.lock().unwrap().clear();
    }

    /// What was asked, without pings and versions, query parameters decoded and in order.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Where the recorded answers are.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn routes() -> Vec<Route> {
    let text = std::fs::read_to_string(fixtures().join("routes")).unwrap();
    let parse = |line: &str| {
        let mut words = line.splitn(4, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (method, target, status, body) = (word(), word(), word(), word());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Route {
            method,
            path: path.into(),
            query: query.split('&').map(str::to_owned).collect(),
            status: status.parse().unwrap(),
            body,
        }
    };
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse).collect()
}

fn serve(stream: UnixStream, routes: &[Route], log: &Mutex<Vec<String>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let answer = answer(&request, routes, log);
        if writer.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Reads a request with its body; `None` when the client has gone.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|count| *count > 0)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let lower = line.trim().to_ascii_lowercase();
        match lower.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
            Some(_) => {}
        }
    }
    if chunked {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = u64::from_str_radix(size.trim(), 16).ok()?;
            std::io::copy(&mut reader.take(size + 2), &mut std::io::sink()).ok()?;
            if size == 0 {
                break;
            }
        }
    } else {
        std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    }
    let mut words = first.split(' ');
    Some(Request { method: words.next()?.into(), target: words.next()?.into() })
}

fn answer(request: &Request, routes: &[Route], log: &Mutex<Vec<String>>) -> Vec<u8> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if path == "/_ping" || path.ends_with("/_ping") {
        return reply(200, "text/plain", if request.method == "HEAD" { b"" } else { b"OK" });
    }
    let (version, path) = versioned(path);
    if version.is_some_and(|version| version > VERSION) {
        let message = format!(
            "client version 1.{} is too new. Maximum supported API version is 1.{VERSION}",
            version.unwrap_or(0)
        );
        return refusal(400, &message);
    }
    let mut pairs: Vec<String> = query.split('&').map(decode).collect();
    pairs.sort();
    let query = pairs.join("&");
    let separator = if query.is_empty() { "" } else { "?" };
    log.lock().unwrap().push(format!("{} {path}{separator}{query}", request.method));
    let fits = |route: &&Route| {
        route.method == request.method
            && route.path == path
            && route.query.iter().all(|text| query.contains(text.as_str()))
    };
    match routes.iter().find(fits) {
        Some(route) => reply(route.status, "application/json", &body(&route.body)),
        None => refusal(404, "page not found"),
    }
}

/// `/v1.50/x` as version and path.
fn versioned(path: &str) -> (Option<u32>, &str) {
    let Some((version, _)) = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) else {
        return (None, path);
    };
    (version.parse().ok(), &path[4 + version.len()..])
}

fn body(text: &str) -> Vec<u8> {
    let whole = match text.strip_prefix('=') {
        Some(inline) => inline.replace("\\r", "\r").replace("\\n", "\n"),
        None => std::fs::read_to_string(fixtures().join(text)).unwrap(),
    };
    timed(&whole).into_bytes()
}

/// Replaces `@NOW-seconds@`.
fn timed(text: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut parts = text.split("@NOW-");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (seconds, rest) = part.split_once('@').unwrap();
        out.push_str(&(now - seconds.parse::<u64>().unwrap()).to_string());
        out.push_str(rest);
    }
    out
}

fn refusal(status: u16, message: &str) -> Vec<u8> {
    reply(status, "application/json", serde_json::json!({ "message": message }).to_string().as_bytes())
}

fn reply(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\nApi-Version: 1.{VERSION}\r\nOstype: linux\r\nDocker-Experimental: false\r\nServer: Docker/28.2.2 (linux)\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8(digits).unwrap();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
