//! From a request to the handler of its endpoint.

use std::pin::Pin;
use std::sync::Arc;

use api::{Method, Version, encoding, path};
use http::header::{HeaderName, HeaderValue, SERVER};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use values::{Error, Result};

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::call::RawCall;
use crate::not_yet;

/// A handler's future.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

/// One row of the table of routes.
pub(crate) struct Route<S> {
    pub(crate) method: Method,
    /// As in [`api::path`].
    pub(crate) path: &'static str,
    /// The first version that has it.
    pub(crate) since: Version,
    pub(crate) handler: fn(RawCall<S>) -> Handling,
}

/// The table of routes with what its handlers need.
pub(crate) struct Router<S: 'static> {
    state: Arc<S>,
    routes: &'static [Route<S>],
    /// `Docker/VERSION (linux)`
    server: HeaderValue,
}

/// Where a request goes.
enum Target<'r, S> {
    Handler {
        route: &'r Route<S>,
        name: String,
        version: Version,
    },
    /// `OPTIONS` of anything.
    Nothing,
    PageNotFound,
    /// An endpoint of Docker's that is not there yet.
    NotYet(Error),
    /// The version is none that is served; the flag says that the client is from before 1.24.
    BadVersion {
        error: Error,
        ancient: bool,
    },
}

impl<S> Router<S> {
    /// `version` is the engine's, which clients are told.
    pub(crate) fn new(state: Arc<S>, routes: &'static [Route<S>], version: &str) -> Router<S> {
        let server = HeaderValue::from_str(&format!("Docker/{version} (linux)"))
            .unwrap_or_else(|_| HeaderValue::from_static("Docker"));
        Router { state, routes, server }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        match self.find(request.method().as_str(), request.uri().path()) {
            Target::PageNotFound => Answer::Reply(answer::page_not_found()),
            Target::Nothing => Answer::Reply(self.sign(empty_ok())),
            Target::NotYet(error) | Target::BadVersion { error, ancient: false } => {
                Answer::Reply(self.sign(answer::error(&error)))
            }
            Target::BadVersion { error, ancient: true } => Answer::Reply(self.sign(answer::text_error(&error))),
            Target::Handler { route, name, version } => self.handle(route, name, version, request).await,
        }
    }

    async fn handle(&self, route: &Route<S>, name: String, version: Version, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let call = RawCall {
            state: self.state.clone(),
            version,
            name,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: Some(body),
        };
        let answered = (route.handler)(call).await;
        let response = match answered {
            Ok(Answer::Reply(response)) => response,
            Ok(hijack @ Answer::Hijack(_)) => return hijack,
            Err(error) => {
                tracing::debug!(method = %route.method, path = parts.uri.path(), %error, "request failed");
                answer::error(&error)
            }
        };
        Answer::Reply(self.sign(response))
    }

    fn find(&self, method: &str, raw_path: &str) -> Target<'_, S> {
        let Some(decoded) = encoding::decode(raw_path, false) else { return Target::PageNotFound };
        let (prefix, path) = split_version(&decoded);
        if method == "OPTIONS" {
            return Target::Nothing;
        }
        let matched = self
            .routes
            .iter()
            .filter(|route| route.method.as_str() == method)
            .find_map(|route| Some((route, path::matches(route.path, path)?)));
        let Some((route, names)) = matched else {
            return not_yet::refusal(method, path).map_or(Target::PageNotFound, Target::NotYet);
        };
        let version = match prefix.map(admit) {
            None => Version::MAX,
            Some(Ok(version)) if version < route.since => return Target::PageNotFound,
            Some(Ok(version)) => version,
            Some(Err((error, ancient))) => return Target::BadVersion { error, ancient },
        };
        Target::Handler { route, name: names.first().copied().unwrap_or_default().to_owned(), version }
    }

    /// Adds the headers that every reply carries.
    fn sign(&self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        for (name, value) in standard_headers() {
            headers.insert(name, value);
        }
        headers.insert(SERVER, self.server.clone());
        response
    }
}

/// What every reply says about the daemon.
fn standard_headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (HeaderName::from_static("api-version"), HeaderValue::from_static(MAX_VERSION)),
        (HeaderName::from_static("docker-experimental"), HeaderValue::from_static("false")),
        (HeaderName::from_static("ostype"), HeaderValue::from_static("linux")),
    ]
}

/// [`Version::MAX`] as text; a test keeps them equal.
const MAX_VERSION: &str = "1.55";

fn empty_ok() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    response
}

/// Splits `/v1.41/info` into `1.41` and `/info`.
fn split_version(path: &str) -> (Option<&str>, &str) {
    let split = path.strip_prefix("/v").and_then(|rest| {
        let end = rest.find('/')?;
        let (version, path) = rest.split_at(end);
        let numeric = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        numeric.then_some((version, path))
    });
    split.map_or((None, path), |(version, path)| (Some(version), path))
}

/// Checks the version of a path; the flag of a refusal says that the client is from before 1.24.
fn admit(text: &str) -> std::result::Result<Version, (Error, bool)> {
    // `/v1/` is version 1, older than everything.
    let number = if text.contains('.') { text.to_owned() } else { format!("{text}.0") };
    let version: Version = number.parse().map_err(|e| (e, false))?;
    version.admit().map_err(|error| {
        let given = Error { message: error.message.replacen(&number, text, 1), ..error };
        (given, version < Version::MIN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::ROUTES;

    #[test]
    fn the_version_header_is_the_newest() {
        assert_eq!(MAX_VERSION, Version::MAX.to_string());
    }

    #[test]
    fn versions_of_paths() {
        assert_eq!(split_version("/v1.41/info"), (Some("1.41"), "/info"));
        assert_eq!(split_version("/info"), (None, "/info"));
        assert_eq!(split_version("/vfoo/info"), (None, "/vfoo/info"));
        assert_eq!(split_version("/v1.41"), (None, "/v1.41"));
        assert_eq!(split_version("/volumes"), (None, "/volumes"));
        let refusal = |text: &str| admit(text).map_err(|(e, ancient)| (e.message, ancient));
        assert_eq!(refusal("1.41"), Ok(Version::new(1, 41)));
        assert_eq!(
            refusal("1"),
            Err(("client version 1 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version".to_owned(), true))
        );
        assert_eq!(
            refusal("1.99"),
            Err(("client version 1.99 is too new. Maximum supported API version is 1.55".to_owned(), false))
        );
    }

    /// The route a path leads to, and the name in it.
    fn route(method: &str, path: &str) -> Option<(&'static str, String)> {
        let (_, path) = split_version(path);
        ROUTES.iter().filter(|r| r.method.as_str() == method).find_map(|r| {
            let names = api::path::matches(r.path, path)?;
            Some((r.path, names.first().copied().unwrap_or_default().to_owned()))
        })
    }

    #[test]
    fn matching() {
        let check = |method: &str, path: &str, pattern: &str, name: &str| {
            assert_eq!(route(method, path), Some((pattern, name.to_owned())), "{method} {path}");
        };
        check("GET", "/v1.41/containers/json", "/containers/json", "");
        check("GET", "/containers/abc/json", "/containers/{id}/json", "abc");
        check("DELETE", "/containers/abc", "/containers/{id}", "abc");
        check("GET", "/v1.55/images/localhost:5000/a/b:c/json", "/images/{name}/json", "localhost:5000/a/b:c");
        check("GET", "/images/json", "/images/json", "");
        check("POST", "/images/a/b/tag", "/images/{name}/tag", "a/b");
        check("DELETE", "/images/a/b:c", "/images/{name}", "a/b:c");
        check("POST", "/images/load", "/images/load", "");
        check("GET", "/networks", "/networks", "");
        check("HEAD", "/_ping", "/_ping", "");
        for (method, path) in [
            ("POST", "/info"),
            ("GET", "/info/"),
            ("GET", "/"),
            ("GET", "/nosuch"),
            ("PUT", "/containers/abc/json"),
            ("GET", "/containers//json"),
            ("HEAD", "/info"),
        ] {
            assert_eq!(route(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn no_route_hides_another() {
        for (i, late) in ROUTES.iter().enumerate() {
            let path = api::path::fill(late.path, &["x"]);
            for early in &ROUTES[..i] {
                let hides = early.method == late.method && api::path::matches(early.path, &path).is_some();
                assert!(!hides, "{} {} hides {}", early.method, early.path, late.path);
            }
        }
    }
}
