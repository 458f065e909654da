//! WebSockets (RFC 6455), as much as an attached client needs: the handshake, frames, and a relay between a client and a
//! process. No extensions, no subprotocols.

mod frame;
#[cfg(fuzzing)]
mod fuzzing;
mod multiplexed;
mod relay;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use sha1::{Digest, Sha1};
use values::{Error, Result};

pub(crate) use frame::Opcode;
#[cfg(fuzzing)]
pub use fuzzing::frames;
pub(crate) use relay::{Relay, serve};

/// What every server appends to a client's key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The one version there is.
const VERSION: &str = "13";

/// The head of the reply that opens a WebSocket.
///
/// # Errors
/// `InvalidArgument` for a request that is no handshake.
pub(crate) fn handshake(headers: &HeaderMap) -> Result<String> {
    let bad = |why: &str| Error::invalid(format!("not a websocket handshake: {why}"));
    if !names(headers, &UPGRADE, "websocket") || !names(headers, &CONNECTION, "upgrade") {
        return Err(bad("it needs the headers \"Connection: Upgrade\" and \"Upgrade: websocket\""));
    }
    if !names(headers, &SEC_WEBSOCKET_VERSION, VERSION) {
        return Err(bad("only Sec-WebSocket-Version 13 is spoken here"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).map(str::trim).unwrap_or_default();
    if STANDARD.decode(key).map_or(true, |nonce| nonce.len() != 16) {
        return Err(bad("Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept(key)
    ))
}

/// Whether `word` is in the comma-separated list of a header.
fn names(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// Proves that the key was read by one who knows what it is.
fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn handshakes() {
        let whole = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(k, v)| (HeaderName::from_static(k), http::HeaderValue::from_static(v))).collect()
        };
        assert!(handshake(&headers(&whole)).is_ok_and(|head| head.ends_with("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")));
        for missing in 0..whole.len() {
            let rest: Vec<_> = whole.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, one)| *one).collect();
            assert!(handshake(&headers(&rest)).is_err(), "{rest:?}");
        }
        let mut short = whole;
        short[3].1 = "c2hvcnQ=";
        assert!(handshake(&headers(&short)).is_err());
    }
}
