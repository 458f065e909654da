//! A request's body as a blocking reader, for archives.

use std::io::{self, Read};

use bytes::Bytes;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::request_body::next_piece;

/// Pieces on their way; each is what one read of the socket gave.
const IN_FLIGHT: usize = 8;

/// The reading end; it must be used off the runtime's threads.
pub(crate) struct Upload {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// Starts to receive a body.
///
/// A reader that is dropped early does not end the receiving: what remains is thrown away, since a client that is still
/// sending would otherwise meet a reset and miss the reply.
pub(crate) fn receive(mut body: Option<Incoming>) -> Upload {
    let (sender, pieces) = mpsc::channel(IN_FLIGHT);
    tokio::spawn(async move {
        loop {
            match next_piece(&mut body).await {
                Ok(None) => return,
                Ok(Some(piece)) => {
                    // An error means that the reader is gone.
                    let _ = sender.send(Ok(piece)).await;
                }
                Err(e) => {
                    let _ = sender.send(Err(io::Error::new(io::ErrorKind::UnexpectedEof, e))).await;
                    return;
                }
            }
        }
    });
    Upload { pieces, current: Bytes::new() }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let n = buffer.len().min(self.current.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}
