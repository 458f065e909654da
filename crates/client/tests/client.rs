//! The client against a scripted daemon: versions, connections, errors, many requests at once, hijacking.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::endpoints::{
    ContainerAttach, ContainerAttachQuery, ContainerStop, ContainerStopQuery, ContainerWait, ContainerWaitQuery,
    ImageLoad, ImageLoadQuery, SystemEvents, SystemEventsQuery, SystemVersion,
};
use api::{NoQuery, Version};
use client::{Client, Error, Host};

/// `(connection, request line, body)` of every request.
type Log = Arc<Mutex<Vec<(usize, String, String)>>>;

struct Daemon {
    directory: PathBuf,
    log: Log,
}

impl Daemon {
    /// Answers each request as `answer` says, from its status line on; an empty answer closes the connection.
    fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Daemon {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lighter-client-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let listener = UnixListener::bind(directory.join("d.sock")).unwrap();
        let log: Log = Arc::default();
        let (seen, answer) = (Arc::clone(&log), Arc::new(answer));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(number, stream, &seen, answer.as_ref()));
            }
        });
        Daemon { directory, log }
    }

    fn host(&self) -> Host {
        Host::Unix(self.directory.join("d.sock"))
    }

    fn client(&self) -> Client {
        Client::new(self.host())
    }

    fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(_, line, _)| line.clone()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn serve(number: usize, stream: UnixStream, seen: &Log, answer: &dyn Fn(&str) -> String) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((line, body)) = read(&mut reader) {
        seen.lock().unwrap().push((number, line.clone(), body));
        let reply = answer(&line);
        if reply.is_empty() || writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
        if reply.starts_with("HTTP/1.1 101") {
            // everything back once the input has ended
            let mut input = Vec::new();
            reader.read_to_end(&mut input).unwrap();
            writer.write_all(&input).unwrap();
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        chunked |= header == "transfer-encoding: chunked";
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    while chunked {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        chunked = size > 0;
    }
    Some((line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(), String::from_utf8(body).unwrap()))
}

fn reply(status: &str, version: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nApi-Version: {version}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn the_newest_version_is_tried_first_and_lowered_once() {
    let daemon = Daemon::start(|line| {
        if line.contains("/v1.41/") {
            reply("200 OK", "1.41", "{\"Version\":\"x\"}")
        } else {
            reply("400 Bad Request", "1.41", "{\"message\":\"client version is too new\"}")
        }
    });
    let client = daemon.client();
    assert_eq!(client.call::<SystemVersion>(&[], &NoQuery, &()).unwrap().version, "x");
    assert_eq!(client.version(), Version::new(1, 41));
    client.call::<SystemVersion>(&[], &NoQuery, &()).unwrap();
    let newest = format!("GET /v{}/version", Version::MAX);
    assert_eq!(daemon.lines(), [newest.as_str(), "GET /v1.41/version", "GET /v1.41/version"]);
    // all on one connection
    assert!(daemon.log.lock().unwrap().iter().all(|(number, ..)| *number == 0));
}

#[test]
fn a_fixed_version_is_not_negotiated() {
    let daemon = Daemon::start(|_| reply("400 Bad Request", "1.24", "{\"message\":\"too new\"}"));
    let client = daemon.client().with_version(Version::new(1, 50));
    let error = client.call::<SystemVersion>(&[], &NoQuery, &()).unwrap_err();
    assert_eq!(error.to_string(), "Error response from daemon: too new");
    assert_eq!(daemon.lines(), ["GET /v1.50/version"]);
}

#[test]
fn errors_carry_the_daemons_words() {
    let check = |answer: String, expected: &str| {
        let daemon = Daemon::start(move |_| answer.clone());
        let result = daemon.client().call::<ContainerStop>(&["a b"], &ContainerStopQuery::default(), &());
        assert_eq!(result.unwrap_err().to_string(), expected);
        assert!(daemon.lines()[0].ends_with("/containers/a%20b/stop"));
    };
    check(reply("404 Not Found", "1.55", "{\"message\":\"No such container: a b\"}"), {
        "Error response from daemon: No such container: a b"
    });
    check("HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nplain\n".into(), {
        "Error response from daemon: plain"
    });
    check("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".into(), {
        "Error response from daemon: request returned 404 for API route and version http://api.moby.localhost/v1.55/containers/a b/stop, check if the server supports the requested API version"
            .replace("a b", "a%20b")
            .leak()
    });
    check("garbage\r\n\r\n".into(), "error during connect: malformed HTTP response");
    check(String::new(), "error during connect: EOF");
}

#[test]
fn no_daemon_is_told_by_address() {
    let client = Client::new(Host::Unix("/nonexistent/d.sock".into()));
    let error = client.call::<SystemVersion>(&[], &NoQuery, &()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Cannot connect to the Docker daemon at unix:///nonexistent/d.sock. Is the docker daemon running?"
    );
}

#[test]
fn the_starter_is_asked_once() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let client = Client::new(Host::Unix("/nonexistent/d.sock".into())).with_starter(Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }));
    for _ in 0..2 {
        assert!(client.call::<SystemVersion>(&[], &NoQuery, &()).unwrap_err().is_unreachable());
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_connection_the_daemon_closed_is_not_used_again() {
    let daemon = Daemon::start(|_| "HTTP/1.1 204 No Content\r\nApi-Version: 1.55\r\n\r\n".into());
    let client = daemon.client();
    let stop = || client.call::<ContainerStop>(&["a"], &ContainerStopQuery::default(), &());
    stop().unwrap();
    stop().unwrap();
    assert_eq!(daemon.log.lock().unwrap().iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [0, 0]);

    let closing = Daemon::start(|line| match line.ends_with("/a/stop") {
        true => "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".into(),
        false => reply("200 OK", "1.55", "{}"),
    });
    let client = closing.client();
    client.call::<ContainerStop>(&["a"], &ContainerStopQuery::default(), &()).unwrap();
    client.call::<SystemVersion>(&[], &NoQuery, &()).unwrap();
    assert_eq!(closing.log.lock().unwrap().iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn many_requests_at_once() {
    let daemon = Daemon::start(|line| {
        if line.contains("_ping") {
            return reply("200 OK", "1.55", "");
        }
        std::thread::sleep(Duration::from_millis(200));
        reply("200 OK", "1.55", "{\"StatusCode\":3}")
    });
    let client = daemon.client();
    let begin = std::time::Instant::now();
    let query = ContainerWaitQuery::default();
    let pending: Vec<_> = (0..10).map(|_| client.send::<ContainerWait>(&["a"], &query, &()).unwrap()).collect();
    for one in pending {
        assert_eq!(one.wait().unwrap().status_code, 3);
    }
    assert!(begin.elapsed() < Duration::from_millis(1500), "they ran side by side");
}

#[test]
fn objects_come_one_by_one() {
    let daemon = Daemon::start(|_| {
        let body = "{\"Type\":\"container\"}\n{\"Type\":\"image\"}\n{\"Ty";
        format!("HTTP/1.1 200 OK\r\nApi-Version: 1.55\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    });
    let client = daemon.client();
    let mut events = client.stream::<SystemEvents, _>(&[], &SystemEventsQuery::default()).unwrap();
    assert!(events.next().unwrap().is_ok());
    assert!(events.next().unwrap().is_ok());
    assert!(matches!(events.next(), Some(Err(Error::Broken(_)))));
    assert!(events.next().is_none());
}

#[test]
fn uploads_go_in_chunks() {
    let daemon = Daemon::start(|line| match line.contains("_ping") {
        true => reply("200 OK", "1.55", ""),
        false => reply("200 OK", "1.55", "{\"stream\":\"ok\"}"),
    });
    let text = "x".repeat(200_000);
    let client = daemon.client();
    let messages = client.upload::<ImageLoad, _>(&[], &ImageLoadQuery::default(), &[], &mut text.as_bytes()).unwrap();
    assert_eq!(messages.map(|message| message.unwrap().stream).collect::<String>(), "ok");
    let log = daemon.log.lock().unwrap();
    assert_eq!(log[0].1, "HEAD /_ping");
    assert_eq!(log[1].2, text);
}

#[test]
fn a_hijacked_connection_closes_half_by_half() {
    let daemon = Daemon::start(|_| {
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly ".into()
    });
    let client = daemon.client();
    let hijacked = client.hijack::<ContainerAttach>(&["a"], &ContainerAttachQuery::default(), &()).unwrap();
    assert!(hijacked.is_multiplexed());
    let (mut reader, mut writer) = hijacked.split().unwrap();
    writer.write_all(b"input").unwrap();
    writer.close().unwrap();
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert_eq!(output, "early input");
}
