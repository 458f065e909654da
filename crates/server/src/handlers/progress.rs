//! Answering with a progress stream.

use api::progress::JsonMessage;
use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use values::Result;

use crate::answer::{Answer, JSON};
use crate::body::Body;

/// Runs `work` in a task of its own and streams what it tells. Its error becomes the last message: the status is out by then.
pub(super) fn answer<W, T>(work: W) -> Answer
where
    W: FnOnce(UnboundedSender<JsonMessage>) -> T,
    T: Future<Output = Result<()>> + Send + 'static,
{
    Progress::of(work).answer()
}

/// The same, but the status waits for the first message: an error before that is the reply.
///
/// # Errors
/// Those of `work` before it told anything.
pub(super) async fn answer_once_begun<W, T>(work: W) -> Result<Answer>
where
    W: FnOnce(UnboundedSender<JsonMessage>) -> T,
    T: Future<Output = Result<()>> + Send + 'static,
{
    let mut progress = Progress::of(work);
    progress.first = progress.messages.recv().await;
    if progress.first.is_none()
        && let Some(task) = progress.task.take()
        && let Ok(outcome) = task.await
    {
        outcome?;
    }
    Ok(progress.answer())
}

struct Progress {
    /// Taken from `messages` already.
    first: Option<JsonMessage>,
    messages: UnboundedReceiver<JsonMessage>,
    /// Until its outcome is known.
    task: Option<JoinHandle<Result<()>>>,
}

impl Progress {
    fn of<W, T>(work: W) -> Self
    where
        W: FnOnce(UnboundedSender<JsonMessage>) -> T,
        T: Future<Output = Result<()>> + Send + 'static,
    {
        let (sender, messages) = mpsc::unbounded_channel();
        Self { first: None, messages, task: Some(tokio::spawn(work(sender))) }
    }

    fn answer(self) -> Answer {
        let body = Body::stream(self, |mut progress| async {
            let line = progress.next().await?.to_line();
            Some((Bytes::from(line), progress))
        });
        Answer::stream(JSON, body)
    }

    /// All messages, then the error, if there is one.
    async fn next(&mut self) -> Option<JsonMessage> {
        if self.first.is_some() {
            return self.first.take();
        }
        if let Some(message) = self.messages.recv().await {
            return Some(message);
        }
        let error = self.task.take()?.await.ok()?.err()?;
        Some(JsonMessage::error(error.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::Error;

    async fn lines(mut progress: Progress) -> String {
        let mut all = String::new();
        while let Some(message) = progress.next().await {
            all += &String::from_utf8_lossy(&message.to_line());
        }
        all
    }

    #[tokio::test]
    async fn an_error_is_the_last_message() {
        let progress = Progress::of(|sender| async move {
            let _ = sender.send(JsonMessage::status("one"));
            Err(Error::invalid("broken"))
        });
        let text = lines(progress).await;
        let (first, last) = text.split_once('\n').unwrap();
        assert!(first.contains("one") && last.contains("broken"), "{text}");
    }

    #[tokio::test]
    async fn an_error_before_all_messages_is_the_reply() {
        let reply = answer_once_begun(|_| async { Err(Error::invalid("broken")) }).await;
        assert_eq!(reply.err().map(|e| e.message).as_deref(), Some("broken"));
        let begun = answer_once_begun(|sender| async move {
            let _ = sender.send(JsonMessage::status("one"));
            Err(Error::invalid("broken"))
        });
        assert!(begun.await.is_ok());
    }
}
