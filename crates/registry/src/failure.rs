//! What can go wrong with a registry, and whether to try again.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use values::{Error, ErrorKind};

/// A request that did not end well.
#[derive(Clone, Debug)]
pub struct Failure {
    pub error: Error,
    /// The reply's, 0 where there was none.
    pub status: u16,
    /// The first code of the distribution specification that the reply has (`MANIFEST_UNKNOWN`), or nothing.
    pub code: String,
    pub(crate) again: Again,
}

/// Whether a second try may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    Soon,
    /// The peer said when.
    After(Duration),
}

impl Failure {
    pub(crate) fn new(error: Error) -> Self {
        Self { error, status: 0, code: String::new(), again: Again::Never }
    }

    /// No reply came: the network, a proxy, the peer's death.
    pub(crate) fn broken(message: String) -> Self {
        Self { again: Again::Soon, ..Self::new(Error::unavailable(message)) }
    }

    /// A reply that says no.
    pub(crate) fn of_reply(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let errors = serde_json::from_slice::<Errors>(body).unwrap_or_default().errors;
        let code = errors.first().map_or(String::new(), |first| first.code.clone());
        let again = match status {
            StatusCode::TOO_MANY_REQUESTS => retry_after.map_or(Again::Soon, Again::After),
            StatusCode::SERVICE_UNAVAILABLE => retry_after.map_or(Again::Soon, Again::After),
            StatusCode::REQUEST_TIMEOUT => Again::Soon,
            status if status.is_server_error() => Again::Soon,
            _ => Again::Never,
        };
        let error = Error::new(kind(status, &code), words(status, &errors, body));
        Self { error, status: status.as_u16(), code, again }
    }

    pub fn is_not_found(&self) -> bool {
        self.status == 404
    }

    /// The registry wants credentials, or better ones.
    pub fn is_denied(&self) -> bool {
        matches!(self.status, 401 | 403) || matches!(self.code.as_str(), "UNAUTHORIZED" | "DENIED")
    }

    pub(crate) fn context(mut self, what: impl std::fmt::Display) -> Self {
        self.error = self.error.context(what);
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// OCI distribution-spec, "Error Codes".
#[derive(Debug, Default, Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<One>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct One {
    code: String,
    message: String,
}

fn kind(status: StatusCode, code: &str) -> ErrorKind {
    match (status.as_u16(), code) {
        (401, _) | (_, "UNAUTHORIZED") => ErrorKind::Unauthorized,
        (403, _) | (_, "DENIED") => ErrorKind::Forbidden,
        (404, _) => ErrorKind::NotFound,
        (429 | 503, _) => ErrorKind::Unavailable,
        (400..=499, _) => ErrorKind::InvalidArgument,
        _ => ErrorKind::Internal,
    }
}

/// `manifest unknown: manifest unknown`: the code's own sentence, then the registry's.
fn words(status: StatusCode, errors: &[One], body: &[u8]) -> String {
    if errors.is_empty() {
        // some gateways say why in plain words
        let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
        let text = text.trim();
        let reason = status.canonical_reason().unwrap_or_default();
        let shown = !text.is_empty() && !text.contains(['<', '{']) && !text.contains(char::is_control);
        return match shown {
            true => format!("received unexpected HTTP status: {} {reason}: {text}", status.as_u16()),
            false => format!("received unexpected HTTP status: {} {reason}", status.as_u16()),
        };
    }
    let one = |error: &One| {
        let title = error.code.to_ascii_lowercase().replace('_', " ");
        match error.message.as_str() {
            "" => title,
            message => format!("{title}: {message}"),
        }
    };
    let all: Vec<String> = errors.iter().map(one).collect();
    let text = all.join("; ");
    // it comes from outside and ends in terminals
    text.chars().filter(|c| !c.is_control()).take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        for (status, body, expected, kind) in [
            (
                404,
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
                "manifest unknown: manifest unknown",
                ErrorKind::NotFound,
            ),
            (
                403,
                r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
                "denied: requested access to the resource is denied",
                ErrorKind::Forbidden,
            ),
            (429, r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#, "toomanyrequests", ErrorKind::Unavailable),
            (502, "<html>", "received unexpected HTTP status: 502 Bad Gateway", ErrorKind::Internal),
            (500, "oh no", "received unexpected HTTP status: 500 Internal Server Error: oh no", ErrorKind::Internal),
            (400, r#"{"errors":null}"#, "received unexpected HTTP status: 400 Bad Request", ErrorKind::InvalidArgument),
        ] {
            let failure = Failure::of_reply(StatusCode::from_u16(status).unwrap(), None, body.as_bytes());
            assert_eq!((failure.error.message.as_str(), failure.error.kind), (expected, kind), "{status} {body}");
        }
        let evil = Failure::of_reply(
            StatusCode::NOT_FOUND,
            None,
            b"{\"errors\":[{\"code\":\"A\",\"message\":\"\\u001b[2J\"}]}",
        );
        assert_eq!(evil.error.message, "a: [2J");
    }
}
