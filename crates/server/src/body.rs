//! Bodies of replies.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// A reply's body: all at once, or piece by piece as it comes into being.
pub(crate) enum Body {
    /// `None` once it was taken.
    Full(Option<Bytes>),
    Stream(Pin<Box<dyn Pieces + Send>>),
}

impl Body {
    pub(crate) fn empty() -> Body {
        Body::Full(None)
    }

    pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
        Body::Full(Some(bytes.into()))
    }

    /// A body made by calling `step` for each piece, until it gives `None`. A client that goes away drops the state.
    /// After an error the connection is cut, so that nobody takes what came before for the whole.
    pub(crate) fn stream<S, F, T, P>(state: S, step: F) -> Body
    where
        S: Send + Unpin + 'static,
        F: FnMut(S) -> T + Send + Unpin + 'static,
        T: Future<Output = Option<(P, S)>> + Send + 'static,
        P: IntoPiece + 'static,
    {
        Body::Stream(Box::pin(Unfold { step, state: Some(state), running: None }))
    }
}

/// What a step of a streamed body gives.
pub(crate) trait IntoPiece {
    fn into_piece(self) -> io::Result<Bytes>;
}

impl IntoPiece for Bytes {
    fn into_piece(self) -> io::Result<Bytes> {
        Ok(self)
    }
}

impl IntoPiece for io::Result<Bytes> {
    fn into_piece(self) -> io::Result<Bytes> {
        self
    }
}

/// Where the pieces of a body come from.
pub(crate) trait Pieces {
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>>;
}

struct Unfold<S, F, T> {
    step: F,
    /// Between two pieces.
    state: Option<S>,
    /// While a piece is being made.
    running: Option<Pin<Box<T>>>,
}

impl<S, F, T, P> Pieces for Unfold<S, F, T>
where
    S: Unpin,
    F: FnMut(S) -> T + Unpin,
    T: Future<Output = Option<(P, S)>>,
    P: IntoPiece,
{
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(state) = self.state.take() {
            self.running = Some(Box::pin((self.step)(state)));
        }
        let Some(running) = &mut self.running else { return Poll::Ready(None) };
        let Poll::Ready(outcome) = running.as_mut().poll(cx) else { return Poll::Pending };
        self.running = None;
        Poll::Ready(outcome.map(|(piece, state)| {
            self.state = Some(state);
            piece.into_piece()
        }))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Body::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Body::Stream(pieces) => pieces.as_mut().poll_piece(cx).map(|piece| piece.map(|b| b.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}
