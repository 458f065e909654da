//! Bodies of requests.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc::Receiver;

/// Nothing, bytes in memory, or pieces that come one after another; always of known length.
pub(crate) enum Body {
    Whole(Option<Bytes>),
    Pieces { pieces: Receiver<io::Result<Bytes>>, left: u64, sent: Arc<AtomicU64> },
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::Whole(None)
    }

    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces { left: 0, .. } => Poll::Ready(None),
            Self::Pieces { pieces, left, sent } => pieces.poll_recv(context).map(|piece| match piece {
                Some(Ok(piece)) => {
                    sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
                    *left = left.saturating_sub(piece.len() as u64);
                    Some(Ok(Frame::data(piece)))
                }
                Some(Err(e)) => Some(Err(e)),
                // never a body that only looks whole
                None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Pieces { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
