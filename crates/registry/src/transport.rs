//! One request, one reply, over connections that are kept for the next; redirects.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use values::{Error, Result};

use crate::body::Body;
use crate::config::Config;
use crate::dial::dial;
use crate::failure::Failure;
use crate::origin::{self, Origin};
use crate::retry::retry_after;
use crate::tls;

/// What one read of a connection may bring: a body comes in pieces of that size.
const BUFFER: usize = 128 << 10;
const REDIRECTS_MAX: usize = 5;
/// Of a manifest, a configuration, a token, a list of tags.
pub(crate) const DOCUMENT_MAX: usize = 16 << 20;
/// Idle connections to one origin.
const IDLE_MAX: usize = 8;

/// Connections and how to make them, for one conversation.
pub(crate) struct Transport {
    config: Arc<Config>,
    /// These need not show a certificate we believe.
    insecure: Vec<Origin>,
    idle: Mutex<HashMap<Origin, Vec<SendRequest<Body>>>>,
    tls: Mutex<HashMap<Origin, Arc<ClientConfig>>>,
}

/// What is to be sent. `authorization` goes to its origin and nowhere else.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) origin: Origin,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) authorization: Option<HeaderValue>,
}

impl Ask {
    pub(crate) fn new(method: Method, origin: &Origin, path: impl Into<String>) -> Self {
        Self { method, origin: origin.clone(), path: path.into(), headers: HeaderMap::new(), authorization: None }
    }

    pub(crate) fn header(mut self, name: http::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// As Go names a request in its errors: `Get "https://host/v2/": …`.
    fn name(&self) -> String {
        let method = self.method.as_str();
        let mut word = method[..1].to_owned();
        word.push_str(&method[1..].to_ascii_lowercase());
        format!("{word} \"{}{}\"", self.origin, self.path)
    }
}

/// A reply whose body has not been read.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(crate) origin: Origin,
    pub(crate) path: String,
    body: Incoming,
    sender: Option<SendRequest<Body>>,
    transport: Arc<Transport>,
}

impl Transport {
    pub(crate) fn new(config: Arc<Config>, insecure: Vec<Origin>) -> Arc<Self> {
        Arc::new(Self { config, insecure, idle: Mutex::default(), tls: Mutex::default() })
    }

    /// Sends a request without a body, or with a small one, and follows redirects of `GET` and `HEAD`.
    ///
    /// # Errors
    /// Where no reply came. A reply that says no is a reply.
    pub(crate) async fn send(self: &Arc<Self>, mut ask: Ask, body: &Bytes) -> Result<Reply, Failure> {
        let first = ask.origin.clone();
        for _ in 0..=REDIRECTS_MAX {
            let reply = self.send_once(&ask, Body::bytes(body.clone()), None).await?;
            let follows = matches!(ask.method, Method::GET | Method::HEAD);
            let location = reply.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            let Some(location) = location.filter(|_| follows && reply.status.is_redirection()) else {
                return Ok(reply);
            };
            let (origin, path) =
                origin::resolve(&ask.origin, &ask.path, location).map_err(|e| e.context(ask.name()))?;
            tracing::debug!("{} leads to {origin}", ask.name());
            reply.finish().await;
            if origin != first {
                ask.authorization = None;
            }
            (ask.origin, ask.path) = (origin, path);
        }
        Err(Failure::new(Error::internal(format!("{}: stopped after {REDIRECTS_MAX} redirects", ask.name()))))
    }

    /// Sends one request. `sent` counts the body's bytes: while it grows, the peer is not silent.
    pub(crate) async fn send_once(
        self: &Arc<Self>,
        ask: &Ask,
        body: Body,
        sent: Option<&AtomicU64>,
    ) -> Result<Reply, Failure> {
        let proxy = self.config.proxies.choose(&ask.origin)?;
        let plain_proxy = proxy.as_ref().filter(|_| !ask.origin.secure);
        let target = if plain_proxy.is_some() { format!("{}{}", ask.origin, ask.path) } else { ask.path.clone() };
        let mut request = Request::builder().method(ask.method.clone()).uri(target);
        request = request.header(HOST, ask.origin.authority()).header(USER_AGENT, &self.config.user_agent);
        // what is named by its digest comes as it is; without a word any encoding would be right (RFC 9110 §12.5.3)
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(authorization) = &ask.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(authorization) = plain_proxy.and_then(|proxy| proxy.authorization.as_ref()) {
            request = request.header(http::header::PROXY_AUTHORIZATION, authorization);
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(|e| Error::invalid(format!("{}: {e}", ask.name())))?;
        let mut sender = match self.take_idle(&ask.origin) {
            Some(sender) => sender,
            None => self.connect(&ask.origin).await.map_err(|e| Failure::broken(format!("{}: {e}", ask.name())))?,
        };
        let reply = with_patience(self.config.patience, sent, sender.send_request(request)).await;
        let reply = match reply {
            Some(Ok(reply)) => reply,
            Some(Err(e)) => return Err(Failure::broken(format!("{}: {}", ask.name(), words(&e)))),
            None => {
                return Err(Failure::broken(format!("{}: net/http: timeout awaiting response headers", ask.name())));
            }
        };
        let (head, body) = reply.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            origin: ask.origin.clone(),
            path: ask.path.clone(),
            body,
            sender: Some(sender),
            transport: self.clone(),
        })
    }

    fn take_idle(&self, origin: &Origin) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(origin)?;
        while let Some(sender) = kept.pop() {
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, origin: &Origin, sender: SendRequest<Body>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(origin.clone()).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(sender);
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<SendRequest<Body>, String> {
        let proxy = self.config.proxies.choose(origin).map_err(|e| e.message)?;
        let tls = if origin.secure { Some(self.tls(origin).await?) } else { None };
        let proxy_tls = match &proxy {
            Some(proxy) if proxy.origin.secure => Some(self.tls(&proxy.origin).await?),
            _ => None,
        };
        let stream = dial(origin, proxy.as_ref(), tls, proxy_tls).await?;
        let (sender, connection) =
            http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await.map_err(|e| words(&e))?;
        tokio::spawn(async move {
            // who waits for the reply is told by his own future
            if let Err(e) = connection.await {
                tracing::debug!("a connection ended: {}", words(&e));
            }
        });
        Ok(sender)
    }

    async fn tls(&self, origin: &Origin) -> Result<Arc<ClientConfig>, String> {
        if let Some(known) = self.tls.lock().unwrap_or_else(PoisonError::into_inner).get(origin) {
            return Ok(known.clone());
        }
        let (target, directories) = (origin.clone(), self.config.certificates.clone());
        let insecure = self.insecure.contains(origin) || self.config.is_insecure(origin);
        let made = tokio::task::spawn_blocking(move || tls::configure(&target, insecure, &directories));
        let made = made.await.map_err(|e| e.to_string())?.map_err(|e| e.message)?;
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).insert(origin.clone(), made.clone());
        Ok(made)
    }
}

/// `None` where nothing moved for so long.
async fn with_patience<T>(patience: Duration, sent: Option<&AtomicU64>, work: impl Future<Output = T>) -> Option<T> {
    let count = || sent.map_or(0, |sent| sent.load(Ordering::Relaxed));
    let mut work = std::pin::pin!(work);
    let mut before = count();
    loop {
        if let Ok(done) = tokio::time::timeout(patience, &mut work).await {
            return Some(done);
        }
        let now = count();
        if now == before {
            return None;
        }
        before = now;
    }
}

/// A hyper error in few words.
fn words(error: &hyper::Error) -> String {
    use std::error::Error as _;
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::UnexpectedEof => "unexpected EOF".into(),
                _ => tls::refusal(io).unwrap_or_else(|| values::system_words(io)),
            };
        }
        source = inner.source();
    }
    if error.is_incomplete_message() {
        return "unexpected EOF".into();
    }
    if error.is_parse() {
        return "malformed HTTP response".into();
    }
    error.to_string()
}

impl Reply {
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let name = || format!("\"{}{}\"", self.origin, self.path.split('?').next().unwrap_or_default());
        loop {
            let frame = tokio::time::timeout(self.transport.config.patience, self.body.frame()).await;
            match frame {
                Err(_) => return Err(Failure::broken(format!("read {}: i/o timeout", name()))),
                Ok(Some(Err(e))) => return Err(Failure::broken(format!("read {}: {}", name(), words(&e)))),
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The body as a whole, if it is a document's size.
    pub(crate) async fn whole(mut self) -> Result<(HeaderMap, Vec<u8>), Failure> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > DOCUMENT_MAX {
                let text = format!("\"{}{}\": a reply of more than {DOCUMENT_MAX} bytes", self.origin, self.path);
                return Err(Failure::new(Error::invalid(text)));
            }
            all.extend_from_slice(&piece);
        }
        let headers = std::mem::take(&mut self.headers);
        self.keep();
        Ok((headers, all.into()))
    }

    /// The connection can be used again, if the body's end was seen.
    pub(crate) fn keep(mut self) {
        if let Some(sender) = self.sender.take() {
            self.transport.keep(&self.origin, sender);
        }
    }

    /// Reads what is left of a small body, for the connection's sake.
    pub(crate) async fn finish(mut self) {
        const WORTH_READING: usize = 64 << 10;
        let mut seen = 0;
        while let Ok(piece) = self.piece().await {
            let Some(piece) = piece else { return self.keep() };
            seen += piece.len();
            if seen > WORTH_READING {
                return;
            }
        }
    }

    /// A reply with a status that was not hoped for.
    pub(crate) async fn failure(self) -> Failure {
        let status = self.status;
        let after = retry_after(&self.headers, jiff::Timestamp::now());
        let body = self.whole().await.map(|(_, body)| body).unwrap_or_default();
        Failure::of_reply(status, after, &body)
    }
}
