//! Reading requests' bodies.

use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use hyper::body::{Body as _, Incoming};
use serde::de::DeserializeOwned;
use values::{Error, Result};

/// The largest JSON that is read; the largest real ones (a create with thousands of labels) are a hundredth of it.
const JSON_LIMIT: usize = 8 * 1024 * 1024;

/// The next piece of a body, `None` at its end.
///
/// # Errors
/// `InvalidArgument` when the client went away or broke the protocol.
pub(crate) async fn next_piece(body: &mut Option<Incoming>) -> Result<Option<Bytes>> {
    let Some(body) = body else { return Ok(None) };
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        match frame {
            None => return Ok(None),
            Some(Err(e)) => return Err(Error::invalid(format!("cannot read the request's body: {e}"))),
            Some(Ok(frame)) => {
                // Trailers are of no interest.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads a JSON body.
///
/// # Errors
/// `InvalidArgument` with Docker's texts: a content type that is not JSON, no body, malformed JSON, more than one value.
pub(crate) async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, mut body: Option<Incoming>) -> Result<T> {
    let content_type = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let mut text = Vec::new();
    let mut checked = false;
    while let Some(piece) = next_piece(&mut body).await? {
        if !checked {
            check_type(content_type)?;
            checked = true;
        }
        if text.len() + piece.len() > JSON_LIMIT {
            return Err(Error::invalid(format!("invalid JSON: the request's body is larger than {JSON_LIMIT} bytes")));
        }
        text.extend_from_slice(&piece);
    }
    if !content_type.is_empty() {
        check_type(content_type)?;
    }
    parse(&text)
}

/// A media type with or without parameters.
fn check_type(content_type: &str) -> Result<()> {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::invalid(format!("unsupported Content-Type header ({content_type}): must be 'application/json'")))
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<T>();
    let value = match values.next() {
        None => return Err(Error::invalid("invalid JSON: got EOF while reading request body")),
        Some(Err(e)) => return Err(Error::invalid(format!("invalid JSON: {e}"))),
        Some(Ok(value)) => value,
    };
    let rest = text.get(values.byte_offset()..).unwrap_or_default();
    if !rest.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::invalid("unexpected content after JSON"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        let message = |t: &str| check_type(t).map_err(|e| e.message);
        assert_eq!(message("application/json"), Ok(()));
        assert_eq!(message("Application/JSON; charset=utf-8"), Ok(()));
        assert_eq!(
            message("text/plain"),
            Err("unsupported Content-Type header (text/plain): must be 'application/json'".to_owned())
        );
        assert!(message("").is_err());
    }

    #[test]
    fn values() {
        let check = |text: &str, expected: std::result::Result<u32, &str>| {
            assert_eq!(
                parse::<u32>(text.as_bytes()).map_err(|e| e.message),
                expected.map_err(str::to_owned),
                "{text:?}"
            );
        };
        check(" 3\n", Ok(3));
        check("", Err("invalid JSON: got EOF while reading request body"));
        check("3 4", Err("unexpected content after JSON"));
        assert!(parse::<u32>(b"{").expect_err("malformed").message.starts_with("invalid JSON: "));
        assert!(parse::<u32>(b"\"x\"").expect_err("wrong type").message.starts_with("invalid JSON: "));
    }
}
