//! Raw bytes in, raw bytes out, with a small table of routes in place of the engine's.

use std::sync::Mutex;

use api::endpoint::Upload;
use api::{Endpoint, Json, JsonStream, Method, NoBody, NoContent, NoQuery, Version};
use http::{HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, oneshot};
use values::Error;

use super::*;
use crate::body::Body;
use crate::call::Call;
use crate::hijack::Hijack;
use crate::relay::{Input, finish, relay};
use crate::router::Route;

/// What the test's handlers use.
#[derive(Default)]
struct Fake {
    /// The other end of hijacked streams.
    process: Mutex<Option<oneshot::Sender<UnixStream>>>,
    /// Lets `/later` go on.
    later: Notify,
    /// Told when the body of `/forever` is dropped.
    dropped: Arc<Notify>,
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

macro_rules! endpoint {
    ($name:ident, $method:ident $path:literal, $body:ty, $reply:ty) => {
        struct $name;
        impl Endpoint for $name {
            const METHOD: Method = Method::$method;
            const PATH: &'static str = $path;
            const SINCE: Version = Version::new(1, 30);
            type Query = NoQuery;
            type Body = $body;
            type Reply = $reply;
        }
    };
}

endpoint!(Greet, Get "/greet/{name}/now", NoBody, Json<api::types::IdResponse>);
endpoint!(Echo, Post "/echo", Json<api::types::IdResponse>, Json<api::types::IdResponse>);
endpoint!(Fail, Post "/fail/{name}", Upload, NoContent);
endpoint!(Later, Post "/later", NoBody, Json<u32>);
endpoint!(Forever, Get "/forever", NoBody, JsonStream<u32>);
endpoint!(Attach, Post "/attach", NoBody, api::Hijack);

macro_rules! route {
    ($endpoint:ident, $handler:expr) => {
        Route {
            method: $endpoint::METHOD,
            path: $endpoint::PATH,
            since: $endpoint::SINCE,
            handler: |call| {
                let handler = $handler;
                Box::pin(handler(Call::<Fake, $endpoint>::new(call)))
            },
        }
    };
}

const ROUTES: &[Route<Fake>] = &[
    route!(Greet, async |call: Call<Fake, Greet>| {
        let id = call.name().to_owned();
        Ok(call.reply(api::types::IdResponse { id }))
    }),
    route!(Echo, async |mut call: Call<Fake, Echo>| {
        let body = call.body().await?;
        Ok(call.reply_with(StatusCode::CREATED, body))
    }),
    route!(Fail, async |call: Call<Fake, Fail>| {
        Err(match call.name() {
            "same" => Error::not_modified("is so already"),
            name => Error::conflict(format!("{name} is \"in use\"")),
        })
    }),
    route!(Later, async |call: Call<Fake, Later>| {
        let fake = call.raw.state.clone();
        let body = Body::stream(Some(fake), |fake| async move {
            fake?.later.notified().await;
            Some((bytes::Bytes::from("7\n"), None))
        });
        Ok(Answer::stream(HeaderValue::from_static("application/json"), body))
    }),
    route!(Forever, async |call: Call<Fake, Forever>| {
        let body = Body::stream(NotifyOnDrop(call.state().dropped.clone()), |state| async move {
            std::future::pending::<()>().await;
            Some((bytes::Bytes::new(), state))
        });
        Ok(Answer::stream(HeaderValue::from_static("application/json"), body))
    }),
    route!(Attach, async |call: Call<Fake, Attach>| {
        let (engine_side, process) = UnixStream::pair()?;
        let waiting = call.state().process.lock().map_err(|_| Error::internal("poisoned"))?.take();
        let _ = waiting.map(|sender| sender.send(process));
        let input = Input::Forward { detach_keys: Vec::new() };
        Ok(Answer::Hijack(Hijack::new(call.wants_upgrade(), "x/y", |client, early| async move {
            relay(&client, early, engine_side, input).await;
            finish(client).await;
        })))
    }),
];

/// A client of a connection with its own server.
struct Client {
    socket: UnixStream,
    fake: Arc<Fake>,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

fn connect() -> Client {
    let (socket, server_side) = UnixStream::pair().expect("socketpair");
    let fake = Arc::new(Fake::default());
    let router = Arc::new(Router::new(fake.clone(), ROUTES, "28.0.0"));
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(serve(Socket::Unix(server_side), router, stopping));
    Client { socket, fake, stop, serving }
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.socket.write_all(text.replace('\n', "\r\n").as_bytes()).await.expect("write");
    }

    /// Reads until the text ends so.
    async fn read_until(&mut self, end: &str) -> String {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let mut byte = [0];
            assert_eq!(self.socket.read(&mut byte).await.expect("read"), 1, "end after {seen:?}");
            seen.push(byte[0]);
        }
        String::from_utf8(seen).expect("utf-8")
    }

    /// One request without a body; head (without its date) and body of the reply.
    async fn get(&mut self, line: &str) -> (String, String) {
        self.send(&format!("{line} HTTP/1.1\nHost: x\n\n")).await;
        self.reply().await
    }

    async fn post(&mut self, path: &str, content_type: &str, body: &str) -> (String, String) {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\nHost: x\nContent-Type: {content_type}\nContent-Length: {length}\n\n{body}"
        ))
        .await;
        self.reply().await
    }

    async fn reply(&mut self) -> (String, String) {
        let head = self.read_until("\r\n\r\n").await;
        let length = |l: &str| l.strip_prefix("Content-Length: ").map(|n| n.trim().parse::<usize>().expect("a number"));
        let length = head.lines().find_map(length).unwrap_or(0);
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await.expect("body");
        let head: String = head.lines().filter(|l| !l.starts_with("Date: ")).map(|l| format!("{l}\n")).collect();
        (head, String::from_utf8(body).expect("utf-8"))
    }
}

/// The lines of a head in a fixed order: the status, then the headers sorted.
fn head(status: &str, headers: &[&str]) -> String {
    let mut lines: Vec<&str> = headers.to_vec();
    lines.sort_unstable();
    format!("HTTP/1.1 {status}\n{}\n", lines.iter().map(|l| format!("{l}\n")).collect::<String>())
}

fn sorted(head: &str) -> String {
    let (status, rest) = head.split_once('\n').expect("a status line");
    let mut lines: Vec<&str> = rest.lines().filter(|l| !l.is_empty()).collect();
    lines.sort_unstable();
    format!("{status}\n{}\n", lines.iter().map(|l| format!("{l}\n")).collect::<String>())
}

const SIGNED: [&str; 4] =
    ["Api-Version: 1.55", "Docker-Experimental: false", "Ostype: linux", "Server: Docker/28.0.0 (linux)"];

fn signed<'h>(more: &[&'h str]) -> Vec<&'h str> {
    SIGNED.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn replies_are_exact_and_the_connection_is_kept() {
    let mut client = connect();
    for path in ["/greet/a/b:c/now", "/v1.41/greet/a%2Fb:c/now"] {
        let (got, body) = client.get(&format!("GET {path}")).await;
        assert_eq!(sorted(&got), head("200 OK", &signed(&["Content-Length: 15", "Content-Type: application/json"])));
        assert_eq!(body, "{\"Id\":\"a/b:c\"}\n");
    }
}

#[tokio::test]
async fn unknown_pages_are_not_signed() {
    let mut client = connect();
    for line in
        ["GET /nosuch", "POST /greet/x/now", "GET /v1.29/greet/x/now", "GET /vx/greet/x/now", "GET /greet/%zz/now"]
    {
        let (got, body) = client.get(line).await;
        assert_eq!(
            sorted(&got),
            head("404 Not Found", &["Content-Length: 29", "Content-Type: application/json"]),
            "{line}"
        );
        assert_eq!(body, "{\"message\":\"page not found\"}\n");
    }
    let (got, body) = client.get("OPTIONS /anything").await;
    assert_eq!((sorted(&got), body), (head("200 OK", &signed(&["Content-Length: 0"])), String::new()));
}

#[tokio::test]
async fn versions_out_of_range() {
    let mut client = connect();
    let (got, body) = client.get("GET /v1.99/greet/x/now").await;
    assert_eq!(
        sorted(&got),
        head("400 Bad Request", &signed(&["Content-Length: 84", "Content-Type: application/json"]))
    );
    assert_eq!(body, "{\"message\":\"client version 1.99 is too new. Maximum supported API version is 1.55\"}\n");
    let (got, body) = client.get("GET /v1.23/greet/x/now").await;
    assert!(got.contains("Content-Type: text/plain; charset=utf-8\n"), "{got}");
    assert!(
        body.starts_with("client version 1.23 is too old. Minimum supported API version is 1.24, please"),
        "{body}"
    );
}

#[tokio::test]
async fn errors() {
    let mut client = connect();
    let (got, body) = client.get("POST /fail/x").await;
    assert_eq!(sorted(&got), head("409 Conflict", &signed(&["Content-Length: 30", "Content-Type: application/json"])));
    assert_eq!(body, "{\"message\":\"x is \\\"in use\\\"\"}\n");
    let (got, body) = client.get("POST /fail/same").await;
    assert_eq!((sorted(&got), body), (head("304 Not Modified", &signed(&[])), String::new()));
}

#[tokio::test]
async fn json_bodies() {
    let mut client = connect();
    let json = "application/json";
    assert_eq!(client.post("/echo", json, r#"{"Id":"1","More":2}"#).await.1, "{\"Id\":\"1\"}\n");
    assert_eq!(client.post("/echo", "application/json; charset=utf-8", "{}").await.1, "{\"Id\":\"\"}\n");
    for (content_type, body, message) in [
        (json, "", "invalid JSON: got EOF while reading request body"),
        (json, "{} x", "unexpected content after JSON"),
        ("text/plain", "{}", "unsupported Content-Type header (text/plain): must be 'application/json'"),
    ] {
        let (got, reply) = client.post("/echo", content_type, body).await;
        assert!(got.starts_with("HTTP/1.1 400 "), "{got}");
        assert_eq!(reply, format!("{{\"message\":\"{message}\"}}\n"));
    }
}

#[tokio::test]
async fn headers_of_a_stream_come_at_once() {
    let mut client = connect();
    client.send("POST /later HTTP/1.1\nHost: x\n\n").await;
    let got = client.read_until("\r\n\r\n").await;
    assert!(got.contains("Transfer-Encoding: chunked\r\n"), "{got}");
    client.fake.later.notify_one();
    assert_eq!(client.read_until("0\r\n\r\n").await, "2\r\n7\n\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_client_that_goes_away_drops_its_stream() {
    let mut client = connect();
    client.send("GET /forever HTTP/1.1\nHost: x\n\n").await;
    client.read_until("\r\n\r\n").await;
    let dropped = client.fake.dropped.clone();
    drop(client.socket);
    dropped.notified().await;
}

#[tokio::test]
async fn an_unread_upload_does_not_lose_the_reply() {
    let Client { socket, fake: _fake, stop: _stop, serving: _serving } = connect();
    let (mut reader, mut writer) = socket.into_split();
    let sending = tokio::spawn(async move {
        let head = "POST /fail/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
        let _ = writer.write_all(head.as_bytes()).await;
        let _ = writer.write_all(&vec![0; 1_000_000]).await;
        writer
    });
    let mut got = vec![0; 12];
    reader.read_exact(&mut got).await.expect("a reply");
    assert_eq!(got, b"HTTP/1.1 409");
    sending.abort();
}

#[tokio::test]
async fn hijack_with_half_close() {
    for (upgrade, expected) in [
        (
            "Connection: Upgrade\nUpgrade: tcp\n",
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: x/y\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        ),
        ("", "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"),
    ] {
        let mut client = connect();
        let (sender, process) = oneshot::channel();
        *client.fake.process.lock().expect("not poisoned") = Some(sender);
        // An ordinary request first, on the same connection; then input that comes together with the request.
        client.get("GET /greet/x/now").await;
        client.send(&format!("POST /attach HTTP/1.1\nHost: x\n{upgrade}\nearly ")).await;
        let mut process = process.await.expect("the handler ran");
        assert_eq!(client.read_until("\r\n\r\n").await, expected);
        client.socket.write_all(b"late").await.expect("write");
        client.socket.shutdown().await.expect("shutdown");
        let mut input = String::new();
        process.read_to_string(&mut input).await.expect("read");
        assert_eq!(input, "early late");
        process.write_all(b"bye").await.expect("write");
        drop(process);
        let mut output = String::new();
        client.socket.read_to_string(&mut output).await.expect("read");
        assert_eq!(output, "bye");
        drop(client.socket);
        client.serving.await.expect("no panic");
    }
}

#[tokio::test]
async fn stopping_ends_idle_connections_and_finishes_requests() {
    let idle = connect();
    idle.stop.send(true).expect("serving");
    idle.serving.await.expect("no panic");

    let mut busy = connect();
    busy.send("POST /later HTTP/1.1\nHost: x\n\n").await;
    busy.read_until("\r\n\r\n").await;
    busy.stop.send(true).expect("serving");
    busy.fake.later.notify_one();
    assert_eq!(busy.read_until("0\r\n\r\n").await, "2\r\n7\n\r\n0\r\n\r\n");
    busy.serving.await.expect("no panic");
}
