//! A conversation with one repository at one endpoint: its connections, its tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::{Semaphore, watch};
use values::{Error, ErrorKind, Result};

use crate::challenge::{self, Challenge};
use crate::client::Client;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::failure::{Again, Failure};
use crate::origin::Origin;
use crate::realm;
use crate::retry::retrying;
use crate::token::{self, Token, secret};
use crate::transport::{Ask, Reply, Transport};

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Pull,
    Push,
    /// Nothing, only to be let in.
    Login,
}

pub struct Repository {
    pub(crate) config: Arc<Config>,
    pub(crate) downloads: Arc<Semaphore>,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) transport: Arc<Transport>,
    pub(crate) endpoint: Endpoint,
    /// The one of the endpoint's that answered.
    pub(crate) origin: Origin,
    /// `library/busybox`
    pub(crate) path: String,
    scope: Vec<String>,
    credentials: Credentials,
    challenges: Mutex<Vec<Challenge>>,
    /// Nobody wants anything more of it.
    pub(crate) closed: watch::Sender<bool>,
    /// By scopes.
    tokens: tokio::sync::Mutex<HashMap<Vec<String>, Token>>,
}

impl Client {
    /// Finds out how the endpoint wants to be spoken to.
    ///
    /// # Errors
    /// The last origin's, where none answers; in the words of Docker, which names the request.
    pub async fn open(
        &self,
        endpoint: &Endpoint,
        path: &str,
        credentials: &Credentials,
        access: Access,
    ) -> Result<Arc<Repository>, Failure> {
        let insecure = if endpoint.insecure { endpoint.origins.clone() } else { Vec::new() };
        let config = match endpoint.mirror {
            true => Arc::new(Config { attempts: self.config.attempts.min(MIRROR_ATTEMPTS), ..(*self.config).clone() }),
            false => self.config.clone(),
        };
        let transport = Transport::new(config.clone(), insecure);
        let pinging = retrying(&config, || ping(&transport, endpoint));
        let (origin, challenges) = match endpoint.mirror {
            true => tokio::time::timeout(config.mirror_patience, pinging).await.map_err(|_| silent(endpoint))??,
            false => pinging.await?,
        };
        let may_see =
            !endpoint.mirror || self.own_endpoint(&endpoint.registry)?.origins.iter().any(|o| o.host == origin.host);
        let scope = match access {
            Access::Pull => vec![format!("repository:{path}:pull")],
            Access::Push => vec![format!("repository:{path}:pull,push")],
            Access::Login => Vec::new(),
        };
        Ok(Arc::new(Repository {
            config,
            downloads: self.downloads.clone(),
            uploads: self.uploads.clone(),
            transport,
            endpoint: endpoint.clone(),
            origin,
            path: path.into(),
            scope,
            credentials: if may_see { credentials.clone() } else { Credentials::default() },
            challenges: Mutex::new(challenges),
            closed: watch::Sender::new(false),
            tokens: tokio::sync::Mutex::default(),
        }))
    }
}

/// In Docker's words.
fn silent(endpoint: &Endpoint) -> Failure {
    let place = endpoint.origins.first().map(Origin::to_string).unwrap_or_default();
    Failure::new(Error::internal(format!(
        "Get \"{place}{}/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting \
         headers)",
        endpoint.prefix
    )))
}

/// Tries at a mirror: there is another place to ask, which goes on from where it was.
const MIRROR_ATTEMPTS: u32 = 2;

/// `GET /v2/` ("Determining Support", OCI distribution-spec).
async fn ping(transport: &Arc<Transport>, endpoint: &Endpoint) -> Result<(Origin, Vec<Challenge>), Failure> {
    let mut last = Failure::new(Error::internal("no endpoint"));
    for origin in &endpoint.origins {
        let ask = Ask::new(Method::GET, origin, format!("{}/v2/", endpoint.prefix));
        let name = format!("Get \"{origin}{}/v2/\"", endpoint.prefix);
        match transport.send(ask, &Bytes::new()).await {
            Ok(reply) if reply.status == StatusCode::UNAUTHORIZED => {
                let challenges = challenges(&reply.headers);
                reply.finish().await;
                return Ok((origin.clone(), challenges));
            }
            // who has no /v2/ of its own may have repositories all the same
            Ok(reply) if reply.status.is_success() || reply.status == StatusCode::NOT_FOUND => {
                reply.finish().await;
                return Ok((origin.clone(), Vec::new()));
            }
            Ok(reply) => last = reply.failure().await.context(name),
            // nobody there: to wait would only be slow in saying so
            Err(failure) => last = Failure { again: Again::Never, ..failure },
        }
    }
    Err(last)
}

fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let fields = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(challenge::parse).collect()
}

impl Repository {
    /// `https://host/v2/NAME/` and what follows.
    pub(crate) fn ask(&self, method: Method, rest: &str) -> Ask {
        Ask::new(method, &self.origin, format!("{}/v2/{}/{rest}", self.endpoint.prefix, self.path))
    }

    /// Ends what is under way: readers of blobs get an error.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) async fn until_closed(&self) {
        let mut closed = self.closed.subscribe();
        // the sender is our own and lives
        let _ = closed.wait_for(|closed| *closed).await.map(drop);
    }

    /// Does `work` unless the conversation is closed meanwhile.
    ///
    /// # Errors
    /// Those of `work`; `Unavailable` where it was closed.
    pub async fn unless_closed<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            () = self.until_closed() => Err(given_up()),
            done = work => done,
        }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends with what the registry wants to be shown, once more where it wants something else; tries again what may be
    /// mended by that. Replies that say no are failures.
    pub(crate) async fn send(
        &self,
        make: impl Fn() -> Ask,
        more_scope: Option<&str>,
        body: &Bytes,
    ) -> Result<Reply, Failure> {
        retrying(&self.config, || async {
            let reply = self.send_once(make(), more_scope, body).await?;
            match reply.status {
                status if status.is_success() => Ok(reply),
                _ => Err(reply.failure().await),
            }
        })
        .await
    }

    /// A document, whole, with what its reply said of it. One that is cut is asked for again.
    pub(crate) async fn document(&self, make: impl Fn() -> Ask) -> Result<(HeaderMap, Vec<u8>), Failure> {
        retrying(&self.config, || async {
            let reply = self.send_once(make(), None, &Bytes::new()).await?;
            match reply.status {
                status if has_content(status) => reply.whole().await,
                _ => Err(reply.failure().await),
            }
        })
        .await
    }

    /// [`Repository::send`], once, and with whatever reply.
    pub(crate) async fn send_once(&self, ask: Ask, more_scope: Option<&str>, body: &Bytes) -> Result<Reply, Failure> {
        let name = format!("{} \"{}{}\"", title(&ask.method), ask.origin, ask.path);
        let mut scope = self.scope.clone();
        scope.extend(more_scope.map(str::to_owned));
        let again = Ask { headers: ask.headers.clone(), ..Ask::new(ask.method.clone(), &ask.origin, ask.path.clone()) };
        let authorization = self.authorization(&ask.origin, &scope).await.map_err(|f| f.context(&name))?;
        let shown = authorization.is_some();
        let reply = self.transport.send(Ask { authorization, ..ask }, body).await?;
        if reply.status != StatusCode::UNAUTHORIZED || reply.origin != self.origin {
            return Ok(reply);
        }
        let wanted = challenges(&reply.headers);
        let bearer = wanted.iter().any(|challenge| challenge.scheme == "bearer");
        // a password that was refused is not offered again; a token may only have been too old
        if wanted.is_empty() || (shown && !bearer) {
            return Ok(reply);
        }
        reply.finish().await;
        for challenge in &wanted {
            scope.extend(challenge.get("scope").split(' ').filter(|s| !s.is_empty()).map(str::to_owned));
        }
        *self.challenges.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        scope.sort();
        scope.dedup();
        self.forget_tokens().await;
        let authorization = self.authorization(&again.origin, &scope).await.map_err(|f| f.context(&name))?;
        self.transport.send(Ask { authorization, ..again }, body).await
    }

    /// What to show at `origin`: nothing unless it is the registry's own.
    pub(crate) async fn authorization(
        &self,
        origin: &Origin,
        scope: &[String],
    ) -> Result<Option<http::HeaderValue>, Failure> {
        if *origin != self.origin {
            return Ok(None);
        }
        if !self.credentials.registrytoken.is_empty() {
            return Ok(secret(&format!("Bearer {}", self.credentials.registrytoken)));
        }
        let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(challenge) = challenges.iter().find(|challenge| challenge.scheme == "bearer") {
            let token = self.token(challenge, scope).await?;
            return Ok(secret(&format!("Bearer {}", token.bearer)));
        }
        if challenges.iter().any(|challenge| challenge.scheme == "basic") {
            let basic = self.credentials.basic().ok_or_else(|| {
                let error = Error::new(ErrorKind::Unauthorized, "no basic auth credentials");
                Failure { status: 401, code: String::new(), ..Failure::new(error) }
            })?;
            return Ok(secret(&basic));
        }
        Ok(None)
    }

    async fn token(&self, challenge: &Challenge, scope: &[String]) -> Result<Token, Failure> {
        // held while asking: all layers of a pull want the same one at once
        let mut tokens = self.tokens.lock().await;
        if let Some(token) = tokens.get(scope).filter(|token| token.until > Instant::now()) {
            return Ok(token.clone());
        }
        let token = self.fetch_token(challenge, scope, false).await?;
        tokens.insert(scope.to_vec(), token.clone());
        Ok(token)
    }

    pub(crate) async fn forget_tokens(&self) {
        self.tokens.lock().await.clear();
    }

    /// A new token, for which the credentials go to the challenge's realm, if that is one they may go to.
    pub(crate) async fn fetch_token(
        &self,
        challenge: &Challenge,
        scope: &[String],
        for_login: bool,
    ) -> Result<Token, Failure> {
        let (realm, path) = Origin::of_url(challenge.get("realm"))
            .map_err(|e| e.context(format!("registry {} names no usable token server", self.origin.authority())))?;
        if !self.credentials.is_anonymous() && !realm::is_trusted(&self.origin, &realm, &self.config.token_hosts) {
            let (own, other) = (self.origin.authority(), realm.to_string());
            return Err(Failure::new(Error::forbidden(format!(
                "registry {own} asks for its credentials to be sent to another host, {other}: refused (if that is its token \
                 server, say so in daemon.json: \"registry-token-hosts\": [\"{own}={}\"])",
                realm.authority()
            ))));
        }
        let token = retrying(&self.config, || {
            token::fetch(&self.transport, challenge, (&realm, &path), scope, &self.credentials, for_login)
        });
        // what it is wanted for is tried again for its own failures, not for this one
        token.await.map_err(|failure| Failure { again: Again::Never, ..failure })
    }

    pub(crate) fn bearer_challenge(&self) -> Option<Challenge> {
        let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.iter().find(|challenge| challenge.scheme == "bearer").cloned()
    }
}

pub(crate) fn given_up() -> Failure {
    Failure::new(Error::unavailable("context canceled"))
}

fn title(method: &Method) -> &'static str {
    match *method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::POST => "Post",
        Method::PUT => "Put",
        Method::PATCH => "Patch",
        _ => "Request",
    }
}
/// Whether a reply has all that was asked for, as far as its status says (RFC 9110 §15.3).
pub(crate) fn has_content(status: StatusCode) -> bool {
    let without = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::PARTIAL_CONTENT];
    status.is_success() && !without.contains(&status)
}
