//! Answering with a progress stream.

use api::progress::JsonMessage;
use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedSender};
use values::Result;

use crate::answer::{Answer, JSON};
use crate::body::Body;

/// Runs `work` in a task of its own and streams what it tells. Its error becomes the last message: the status is out by then.
pub(super) fn answer<W, T>(work: W) -> Answer
where
    W: FnOnce(UnboundedSender<JsonMessage>) -> T,
    T: Future<Output = Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let working = work(sender.clone());
    tokio::spawn(async move {
        if let Err(error) = working.await {
            let _ = sender.send(JsonMessage::error(error.message));
        }
    });
    let body = Body::stream(receiver, |mut receiver| async {
        let message: JsonMessage = receiver.recv().await?;
        Some((Bytes::from(message.to_line()), receiver))
    });
    Answer::stream(JSON, body)
}
