//! The client proper: one request, one answer, typed by the endpoint.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::time::Duration;

use api::endpoint::{Decode, Encode};
use api::{Download, Endpoint, Hijack, JsonStream, LogStream, NoContent, Ping, Query, Upload, Version};
use serde::de::DeserializeOwned;

use crate::connection::{Connection, Socket};
use crate::objects::Objects;
use crate::reply::Reply;
use crate::{Error, Hijacked, Host};

/// Makes a daemon answer where none did; called at most once, when the first connection fails.
pub type Starter = Box<dyn Fn() -> Result<(), Error> + Send>;

/// A client of one daemon. Cheap: it connects with the first request, keeps one idle connection for the next, and
/// speaks the newest version both know.
pub struct Client {
    host: Host,
    /// The version requests are sent with.
    version: Cell<Version>,
    /// Whether the daemon has accepted that version (or the user fixed it).
    settled: Cell<bool>,
    idle: RefCell<Option<Connection>>,
    starter: RefCell<Option<Starter>>,
    headers: Vec<(String, String)>,
}

/// A request that was sent and whose answer has not been read.
pub struct Pending<'c, E> {
    client: &'c Client,
    connection: Connection,
    endpoint: PhantomData<E>,
}

/// The parts of a request, besides what the endpoint says.
struct Parts<'a> {
    method: &'static str,
    /// Path and query, without the version.
    target: String,
    headers: &'a [(&'a str, &'a str)],
    body: Option<&'a [u8]>,
}

impl Client {
    /// A client of the daemon at `host`, speaking the newest version we know or less.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            version: Cell::new(Version::MAX),
            settled: Cell::new(false),
            idle: RefCell::new(None),
            starter: RefCell::new(None),
            headers: Vec::new(),
        }
    }

    /// With a version that is not negotiated (`DOCKER_API_VERSION`).
    pub fn with_version(self, version: Version) -> Self {
        self.version.set(version);
        self.settled.set(true);
        self
    }

    /// With a way to start the daemon.
    pub fn with_starter(self, starter: Starter) -> Self {
        *self.starter.borrow_mut() = Some(starter);
        self
    }

    /// With header fields for every request (`HttpHeaders` of config.json).
    pub fn with_headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers = headers;
        self
    }

    /// Another client of the same daemon, for another thread; with the version found so far.
    pub fn another(&self) -> Client {
        let other = Client::new(self.host.clone()).with_headers(self.headers.clone());
        other.version.set(self.version.get());
        other.settled.set(self.settled.get());
        other
    }

    /// Where the daemon is.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The version in use; before the first answer, the one that will be tried.
    pub fn version(&self) -> Version {
        self.version.get()
    }

    /// Sends a request and reads its answer whole. `path` fills the `{..}` of the endpoint's path.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn call<E>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &<E::Body as Encode>::Value,
    ) -> Result<<E::Reply as Decode>::Value, Error>
    where
        E: Endpoint,
        E::Body: Encode,
        E::Reply: Decode,
    {
        self.call_with_headers::<E>(path, query, &[], body)
    }

    /// As [`Client::call`], with header fields of its own.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn call_with_headers<E>(
        &self,
        path: &[&str],
        query: &E::Query,
        headers: &[(&str, &str)],
        body: &<E::Body as Encode>::Value,
    ) -> Result<<E::Reply as Decode>::Value, Error>
    where
        E: Endpoint,
        E::Body: Encode,
        E::Reply: Decode,
    {
        let body = encode::<E>(body)?;
        let mut reply = self.request(&parts::<E>(path, query, headers, body.as_deref()))?;
        let value = decode::<E>(&mut reply);
        self.keep(reply);
        value
    }

    /// Sends a request on a connection of its own and does not wait for the answer: send to many, then
    /// [`Pending::wait`] for each.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn send<E>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &<E::Body as Encode>::Value,
    ) -> Result<Pending<'_, E>, Error>
    where
        E: Endpoint,
        E::Body: Encode,
    {
        self.settle()?;
        let body = encode::<E>(body)?;
        let parts = parts::<E>(path, query, &[], body.as_deref());
        let mut connection = Connection::new(self.connect()?);
        self.write(&mut connection, &parts).map_err(|error| Error::broken(&error))?;
        Ok(Pending { client: self, connection, endpoint: PhantomData })
    }

    /// Sends a request whose answer is a stream of JSON objects; they come as the daemon sends them.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn stream<E, T>(&self, path: &[&str], query: &E::Query) -> Result<Objects<T>, Error>
    where
        E: Endpoint<Reply = JsonStream<T>>,
        T: DeserializeOwned,
    {
        self.request(&parts::<E>(path, query, &[], None)).map(Objects::new)
    }

    /// Sends a request with `body` as its body, in chunks, and gives the answer's JSON objects.
    ///
    /// # Errors
    /// Any [`Error`]; a body that cannot be read is [`Error::Broken`].
    pub fn upload<E, T>(
        &self,
        path: &[&str],
        query: &E::Query,
        headers: &[(&str, &str)],
        body: &mut dyn Read,
    ) -> Result<Objects<T>, Error>
    where
        E: Endpoint<Body = Upload, Reply = JsonStream<T>>,
        T: DeserializeOwned,
    {
        self.send_up::<E>(path, query, headers, body).map(Objects::new)
    }

    /// Sends an archive to an endpoint which answers with nothing.
    ///
    /// # Errors
    /// As [`Client::upload`].
    pub fn upload_archive<E>(&self, path: &[&str], query: &E::Query, body: &mut dyn Read) -> Result<(), Error>
    where
        E: Endpoint<Body = Upload, Reply = NoContent>,
    {
        let headers = [("Content-Type", "application/x-tar")];
        self.send_up::<E>(path, query, &headers, body)?.whole().map(drop)
    }

    fn send_up<E: Endpoint>(
        &self,
        path: &[&str],
        query: &E::Query,
        headers: &[(&str, &str)],
        body: &mut dyn Read,
    ) -> Result<Reply, Error> {
        self.settle()?;
        let mut headers = headers.to_vec();
        headers.push(("Transfer-Encoding", "chunked"));
        let mut parts = parts::<E>(path, query, &headers, None);
        parts.body = None;
        let mut connection = Connection::new(self.connect()?);
        self.write(&mut connection, &parts).map_err(|error| Error::broken(&error))?;
        // a daemon that refuses early answers and closes: then its answer counts, not our broken pipe
        let sent = send_chunks(&mut connection.socket, body)?;
        match Reply::read(connection, parts.method) {
            Ok(reply) => self.checked(reply, &parts),
            Err(error) => Err(sent.err().map_or_else(|| Error::broken(&error), |sent| Error::broken(&sent))),
        }
    }

    /// Sends a request whose answer is an archive: the reply is its reader.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn download<E>(&self, path: &[&str], query: &E::Query) -> Result<Reply, Error>
    where
        E: Endpoint<Reply = Download>,
    {
        self.request(&parts::<E>(path, query, &[], None))
    }

    /// Sends a request whose answer is in a header field.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn header<E>(&self, path: &[&str], query: &E::Query, name: &str) -> Result<Option<String>, Error>
    where
        E: Endpoint<Reply = Ping>,
    {
        let reply = self.request(&parts::<E>(path, query, &[], None))?;
        let value = reply.head.field(name).map(str::to_owned);
        self.keep(reply);
        Ok(value)
    }

    /// Sends a request without a body, with header fields of its own, and gives the answer's JSON objects (a pull).
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn stream_with_headers<E, T>(
        &self,
        path: &[&str],
        query: &E::Query,
        headers: &[(&str, &str)],
    ) -> Result<Objects<T>, Error>
    where
        E: Endpoint<Reply = JsonStream<T>>,
        T: DeserializeOwned,
    {
        self.request(&parts::<E>(path, query, headers, None)).map(Objects::new)
    }

    /// Sends a request whose answer is output (logs): the reply is its reader.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn output<E>(&self, path: &[&str], query: &E::Query) -> Result<Reply, Error>
    where
        E: Endpoint<Reply = LogStream>,
    {
        self.request(&parts::<E>(path, query, &[], None))
    }

    /// Sends a request and takes the connection over, both ways.
    ///
    /// # Errors
    /// Any [`Error`]; an answer that is no upgrade is [`Error::Broken`].
    pub fn hijack<E>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &<E::Body as Encode>::Value,
    ) -> Result<Hijacked, Error>
    where
        E: Endpoint<Reply = Hijack>,
        E::Body: Encode,
    {
        let body = encode::<E>(body)?;
        let headers = [("Connection", "Upgrade"), ("Upgrade", "tcp")];
        let reply = self.request(&parts::<E>(path, query, &headers, body.as_deref()))?;
        match reply.head.status {
            101 | 200 => reply.into_hijacked().ok_or_else(|| Error::Broken("no connection to take over".into())),
            status => Err(Error::Broken(format!("unable to upgrade to tcp, received {status}"))),
        }
    }

    /// Sends a request with a JSON body to an endpoint whose answer is a hijacked stream, when the body asks for
    /// none (`exec -d`): the answer is read and dropped.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn call_detached<E>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &<E::Body as Encode>::Value,
    ) -> Result<(), Error>
    where
        E: Endpoint<Reply = Hijack>,
        E::Body: Encode,
    {
        let body = encode::<E>(body)?;
        let mut reply = self.request(&parts::<E>(path, query, &[], body.as_deref()))?;
        reply.whole()?;
        self.keep(reply);
        Ok(())
    }

    /// Finds the version both sides know, if no answer has shown it yet. `call` does this by itself.
    ///
    /// # Errors
    /// When no daemon answers.
    pub fn settle(&self) -> Result<(), Error> {
        if self.settled.get() {
            return Ok(());
        }
        let parts = Parts { method: "HEAD", target: "/_ping".into(), headers: &[], body: None };
        let reply = self.exchange(&parts)?;
        self.adopt(&reply);
        self.keep(reply);
        Ok(())
    }

    /// Takes over the version that an answer announces, if it is below ours.
    fn adopt(&self, reply: &Reply) {
        if let Some(theirs) = announced(reply) {
            self.version.set(self.version.get().min(theirs));
        }
        self.settled.set(true);
    }

    /// Request and answer, with its status checked; a version the daemon does not know is lowered once.
    fn request(&self, parts: &Parts<'_>) -> Result<Reply, Error> {
        let mut reply = self.exchange(parts)?;
        if !self.settled.get() {
            let too_new = announced(&reply).is_some_and(|theirs| theirs < self.version.get());
            let refused = reply.head.status == 400;
            self.adopt(&reply);
            if too_new && refused {
                let _ = reply.whole();
                self.keep(reply);
                reply = self.exchange(parts)?;
            }
        }
        self.checked(reply, parts)
    }

    fn checked(&self, mut reply: Reply, parts: &Parts<'_>) -> Result<Reply, Error> {
        if reply.head.status < 400 {
            return Ok(reply);
        }
        let status = reply.head.status;
        let is_json = reply.head.field("content-type") == Some("application/json");
        let body = reply.whole().unwrap_or_default();
        let message = refusal(&body, is_json).unwrap_or_else(|| {
            format!(
                "request returned {status} for API route and version http://{}{}, check if the server supports the requested API version",
                authority(&self.host),
                self.versioned(&parts.target),
            )
        });
        self.keep(reply);
        Err(Error::Daemon { status, message })
    }

    /// One exchange, on the idle connection if it still lives.
    fn exchange(&self, parts: &Parts<'_>) -> Result<Reply, Error> {
        let idle = self.idle.borrow_mut().take().filter(Connection::is_quiet);
        let reusable = idle.and_then(|mut connection| self.write(&mut connection, parts).ok().map(|()| connection));
        let connection = match reusable {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::new(self.connect()?);
                self.write(&mut connection, parts).map_err(|error| Error::broken(&error))?;
                connection
            }
        };
        Reply::read(connection, parts.method).map_err(|error| Error::broken(&error))
    }

    fn connect(&self) -> Result<Socket, Error> {
        match Socket::connect(&self.host) {
            Err(error) if error.is_unreachable() => {
                let Some(starter) = self.starter.borrow_mut().take() else { return Err(error) };
                starter()?;
                Socket::connect(&self.host)
            }
            other => other,
        }
    }

    fn write(&self, connection: &mut Connection, parts: &Parts<'_>) -> io::Result<()> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Docker-Client/{} (linux)\r\n",
            parts.method,
            self.versioned(&parts.target),
            authority(&self.host),
            values::VERSION,
        );
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(parts.headers.iter().copied()) {
            // a header of the user's must not become two
            if !value.contains(['\r', '\n']) {
                head += &format!("{name}: {value}\r\n");
            }
        }
        match parts.body {
            Some(body) => head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
            None if parts.method == "POST" && !parts.headers.iter().any(|(name, _)| *name == "Transfer-Encoding") => {
                head += "Content-Length: 0\r\n";
            }
            None => {}
        }
        head += "\r\n";
        let mut wire = head.into_bytes();
        wire.extend_from_slice(parts.body.unwrap_or_default());
        connection.socket.write_all(&wire)
    }

    /// A ping has no version, everything else has.
    fn versioned(&self, target: &str) -> String {
        if target == "/_ping" { target.to_owned() } else { format!("/v{}{target}", self.version.get()) }
    }

    fn keep(&self, reply: Reply) {
        if let Some(connection) = reply.into_idle() {
            *self.idle.borrow_mut() = Some(connection);
        }
    }
}

impl<E: Endpoint> Pending<'_, E>
where
    E::Reply: Decode,
{
    /// Whether the answer has begun to come, within this time.
    pub fn is_answered(&self, within: Duration) -> bool {
        self.connection.is_readable(within)
    }

    /// Waits for the answer's head: the daemon has accepted the request.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn accepted(self) -> Result<Accepted<E>, Error> {
        let parts = Parts { method: E::METHOD.as_str(), target: E::PATH.into(), headers: &[], body: None };
        let reply = Reply::read(self.connection, parts.method).map_err(|error| Error::broken(&error))?;
        self.client.checked(reply, &parts).map(|reply| Accepted { reply, endpoint: PhantomData })
    }

    /// Waits for the whole answer.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn wait(self) -> Result<<E::Reply as Decode>::Value, Error> {
        self.accepted()?.wait()
    }
}

/// An answer that has begun well and whose body may take long (`wait`).
pub struct Accepted<E> {
    reply: Reply,
    endpoint: PhantomData<E>,
}

impl<E: Endpoint> Accepted<E>
where
    E::Reply: Decode,
{
    /// Waits for the body.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn wait(mut self) -> Result<<E::Reply as Decode>::Value, Error> {
        decode::<E>(&mut self.reply)
    }
}

fn parts<'a, E: Endpoint>(
    path: &[&str],
    query: &E::Query,
    headers: &'a [(&'a str, &'a str)],
    body: Option<&'a [u8]>,
) -> Parts<'a> {
    let mut target = api::path::fill(E::PATH, path);
    let query = query.encode();
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query);
    }
    Parts { method: E::METHOD.as_str(), target, headers, body }
}

fn encode<E: Endpoint>(body: &<E::Body as Encode>::Value) -> Result<Option<Vec<u8>>, Error>
where
    E::Body: Encode,
{
    <E::Body as Encode>::encode(body).map_err(|error| Error::Setup(error.message))
}

fn decode<E: Endpoint>(reply: &mut Reply) -> Result<<E::Reply as Decode>::Value, Error>
where
    E::Reply: Decode,
{
    let body = reply.whole()?;
    <E::Reply as Decode>::decode(&body).map_err(|error| Error::Broken(error.message))
}

/// The version an answer announces as the daemon's newest.
fn announced(reply: &Reply) -> Option<Version> {
    reply.head.field("api-version")?.parse().ok()
}

/// The daemon's sentence in the body of an error.
fn refusal(body: &[u8], is_json: bool) -> Option<String> {
    let text = String::from_utf8_lossy(body).trim().to_owned();
    if text.is_empty() {
        return None;
    }
    if !is_json {
        return Some(text);
    }
    match serde_json::from_slice::<api::types::ErrorResponse>(body) {
        Ok(error) if !error.message.is_empty() => Some(error.message.trim().to_owned()),
        _ => Some(text),
    }
}

/// What goes into `Host`: Go's client names unix sockets like this.
fn authority(host: &Host) -> String {
    match host {
        Host::Unix(_) => "api.moby.localhost".into(),
        Host::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Host::Tcp { host, port } => format!("{host}:{port}"),
    }
}

/// Writes `body` in chunks. The outer error is ours (the body cannot be read), the inner the connection's.
fn send_chunks(socket: &mut Socket, body: &mut dyn Read) -> Result<io::Result<()>, Error> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match body.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Setup(error.to_string())),
        };
        let mut chunk = format!("{count:x}\r\n").into_bytes();
        chunk.extend_from_slice(&buffer[..count]);
        chunk.extend_from_slice(b"\r\n");
        if let Err(error) = socket.write_all(&chunk) {
            return Ok(Err(error));
        }
        if count == 0 {
            return Ok(Ok(()));
        }
    }
}
