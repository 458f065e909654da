//! What a handler gives back, and the usual replies.

use api::types::ErrorResponse;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use values::{Error, ErrorKind};

use crate::body::Body;
use crate::hijack::Hijack;
use crate::status::status;

/// The exact header of JSON: the Go client compares the whole string.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

const WARNING: HeaderName = HeaderName::from_static("lighter-warning");

/// The outcome of a request.
pub(crate) enum Answer {
    Reply(Response<Body>),
    /// The connection leaves HTTP.
    Hijack(Hijack),
}

impl Answer {
    /// Status 204.
    pub(crate) fn no_content() -> Answer {
        Answer::empty(StatusCode::NO_CONTENT)
    }

    /// A status without a body.
    pub(crate) fn empty(status: StatusCode) -> Answer {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Answer::Reply(response)
    }

    /// With a warning in a header of ours, which other clients do not look at.
    pub(crate) fn warned(mut self, warning: Option<&str>) -> Answer {
        if let Answer::Reply(response) = &mut self
            && let Some(Ok(value)) = warning.map(HeaderValue::from_str)
        {
            response.headers_mut().insert(WARNING, value);
        }
        self
    }

    /// A value as compact JSON with a newline behind it, as Go's encoder writes it.
    pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
        match json_line(value) {
            Ok(line) => Answer::json_text(status, line),
            Err(e) => Answer::Reply(error(&e)),
        }
    }

    /// The same for what is JSON already.
    pub(crate) fn json_text(status: StatusCode, text: Vec<u8>) -> Answer {
        Answer::Reply(with_type(status, JSON, Body::full(text)))
    }

    /// An archive, as it is written. Where writing fails the connection is cut: what came so far is not the whole.
    pub(crate) fn download(content_type: &'static str, bytes: engine::ByteStream) -> Answer {
        let body = Body::stream(bytes, |mut bytes| async {
            let piece = bytes.next().await?;
            Some((piece, bytes))
        });
        Answer::stream(HeaderValue::from_static(content_type), body)
    }

    /// A body that comes piece by piece; its headers are sent at once.
    pub(crate) fn stream(content_type: HeaderValue, body: Body) -> Answer {
        Answer::Reply(with_type(StatusCode::OK, content_type, body))
    }
}

/// A value as one line of JSON.
pub(crate) fn json_line<T: Serialize>(value: &T) -> values::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(128);
    write_json(&mut line, value)?;
    line.push(b'\n');
    Ok(line)
}

/// Adds a value as JSON.
pub(crate) fn write_json<T: Serialize>(text: &mut Vec<u8>, value: &T) -> values::Result<()> {
    serde_json::to_writer(text, value).map_err(|e| Error::internal(format!("cannot encode a reply: {e}")))
}

/// The reply to a request that failed.
pub(crate) fn error(error: &Error) -> Response<Body> {
    let status = status(error.kind);
    if error.kind == ErrorKind::NotModified {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        return response;
    }
    with_type(status, JSON, Body::full(message_line(&error.message)))
}

/// The reply to a path or method that does not exist.
pub(crate) fn page_not_found() -> Response<Body> {
    with_type(StatusCode::NOT_FOUND, JSON, Body::full(message_line("page not found")))
}

/// An error for clients from before 1.24, which do not read JSON.
pub(crate) fn text_error(error: &Error) -> Response<Body> {
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    with_type(status(error.kind), text, Body::full(format!("{}\n", error.message)))
}

fn message_line(message: &str) -> Vec<u8> {
    json_line(&ErrorResponse { message: message.to_owned() }).unwrap_or_default()
}

fn with_type(status: StatusCode, content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
