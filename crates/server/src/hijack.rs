//! Taking a connection out of HTTP: attach and exec, and WebSockets.
//!
//! The head of the reply is written by hand. Clients compare it byte by byte (`101 UPGRADED`), and without an `Upgrade`
//! header Docker answers `200 OK` and the raw socket follows all the same, which is no HTTP that a library could write.

use std::pin::Pin;

use api::Version;
use api::stream::{MULTIPLEXED_STREAM, RAW_STREAM};
use bytes::Bytes;

use crate::socket::Socket;

/// Serves the socket; the second argument is what the client had sent ahead.
type Serve = Box<dyn FnOnce(Socket, Bytes) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What becomes of a connection that leaves HTTP.
pub(crate) struct Hijack {
    head: String,
    serve: Serve,
}

impl Hijack {
    /// `upgrade` says whether the client asked for it with a header.
    pub(crate) fn new<F, T>(upgrade: bool, content_type: &str, serve: F) -> Hijack
    where
        F: FnOnce(Socket, Bytes) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        Self::with_head(head(upgrade, content_type), serve)
    }

    /// With a head of another protocol.
    pub(crate) fn with_head<F, T>(head: String, serve: F) -> Hijack
    where
        F: FnOnce(Socket, Bytes) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        Hijack { head, serve: Box::new(|socket, early| Box::pin(serve(socket, early))) }
    }

    /// Writes the head of the reply and serves the socket until its end.
    pub(crate) async fn run(self, socket: Socket, early: Bytes) {
        if socket.write_all(self.head.as_bytes()).await.is_ok() {
            (self.serve)(socket, early).await;
        }
    }
}

fn head(upgrade: bool, content_type: &str) -> String {
    if upgrade {
        format!("HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    } else {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {RAW_STREAM}\r\n\r\n")
    }
}

/// The media type of a container's output: framed without a terminal, but called so only from 1.42.
pub(crate) fn stream_type(tty: bool, version: Version) -> &'static str {
    if tty || version.below(42) { RAW_STREAM } else { MULTIPLEXED_STREAM }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        assert_eq!(
            head(true, MULTIPLEXED_STREAM),
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        );
        assert_eq!(
            head(false, MULTIPLEXED_STREAM),
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        );
    }

    #[test]
    fn types() {
        assert_eq!(stream_type(true, Version::MAX), RAW_STREAM);
        assert_eq!(stream_type(false, Version::MAX), MULTIPLEXED_STREAM);
        assert_eq!(stream_type(false, Version::new(1, 41)), RAW_STREAM);
    }
}
