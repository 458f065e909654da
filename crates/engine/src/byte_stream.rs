//! Bytes that a blocking thread writes and an async client reads: archives on their way out.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// Bytes in one piece.
const PIECE: usize = 128 << 10;
/// Pieces on their way.
const IN_FLIGHT: usize = 4;

/// The writing end. A client that is gone is a broken pipe.
pub struct ByteSink {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

/// The reading end.
pub struct ByteStream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
}

pub fn byte_stream() -> (ByteSink, ByteStream) {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    (ByteSink { pieces: sender, buffer: BytesMut::new() }, ByteStream { pieces: receiver })
}

impl ByteSink {
    /// The outcome of writing. After an error the client must not take what it has for the whole.
    pub fn end(mut self, outcome: values::Result<()>) {
        let outcome = outcome.and_then(|()| Ok(self.flush()?));
        if let Err(e) = outcome {
            let _ = self.pieces.blocking_send(Err(io::Error::other(e.message)));
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = self.buffer.split().freeze();
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for ByteSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(PIECE);
        }
        let n = bytes.len().min(PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        if self.buffer.len() == PIECE {
            self.send()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.send() }
    }
}

impl ByteStream {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.pieces.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_comes_through_and_errors_too() {
        let (mut sink, mut stream) = byte_stream();
        let data: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
        let sent = data.clone();
        let writer = tokio::task::spawn_blocking(move || {
            sink.write_all(&sent).unwrap();
            sink.end(Err(values::Error::internal("broken")));
        });
        let (mut got, mut error) = (vec![], None);
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(bytes) => got.extend_from_slice(&bytes),
                Err(e) => error = Some(e.to_string()),
            }
        }
        writer.await.unwrap();
        assert!(data.starts_with(&got));
        assert_eq!(error.as_deref(), Some("broken"));
    }
}
