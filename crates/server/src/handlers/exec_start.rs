use api::endpoints::ExecStart;
use api::stream::{self, StreamKind};
use engine::Engine;
use http::StatusCode;
use values::{Error, ErrorKind, Result};

use super::attached;
use crate::answer::Answer;
use crate::call::Call;
use crate::hijack::{Hijack, stream_type};
use crate::relay::finish;

/// Starts the process of an exec and connects the client to its streams.
pub(crate) async fn exec_start(mut call: Call<Engine, ExecStart>) -> Result<Answer> {
    let request = call.body().await?;
    let (detach, tty) = (request.detach, request.tty);
    let (upgrade, content_type) = (call.wants_upgrade(), stream_type(tty, call.version()));
    match call.state().exec_start(call.name(), request).await {
        Ok(None) => Ok(Answer::empty(StatusCode::OK)),
        Ok(Some(attached)) => Ok(Answer::Hijack(Hijack::new(upgrade, content_type, |client, early| {
            attached::serve(attached, true, client, early)
        }))),
        Err(error) if detach || error.kind != ErrorKind::Internal => Err(error),
        Err(error) => Ok(Answer::Hijack(failure(upgrade, content_type, tty, &error))),
    }
}

/// Docker has left HTTP when it tries to start the process: clients expect the error in the output, and ask for the exit
/// code (126, 127) afterwards.
fn failure(upgrade: bool, content_type: &str, tty: bool, error: &Error) -> Hijack {
    let text = format!("{}\r\n", error.message);
    let mut output = Vec::new();
    if !tty {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        output.extend_from_slice(&stream::header(StreamKind::Stdout, len));
    }
    output.extend_from_slice(text.as_bytes());
    Hijack::new(upgrade, content_type, |client, _| async move {
        if client.write_all(&output).await.is_ok() {
            finish(client).await;
        }
    })
}
