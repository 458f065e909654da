use api::endpoints::ExecStart;
use api::stream::{self, StreamKind};
use engine::Engine;
use http::StatusCode;
use values::{Error, Result};

use super::attached;
use crate::answer::Answer;
use crate::call::Call;
use crate::hijack::{Hijack, stream_type};
use crate::relay::finish;
use crate::socket::Socket;

/// Starts the process of an exec and connects the client to its streams.
///
/// As Docker, the head of the reply is sent before the process is tried: a failure is output then, and clients ask for
/// the exit code (126, 127) afterwards. There are clients (docker-py) that lose output which comes in one piece with the
/// head, so the head must not wait for the process.
pub(crate) async fn exec_start(mut call: Call<Engine, ExecStart>) -> Result<Answer> {
    let request = call.body().await?;
    let (detach, tty) = (request.detach, request.tty);
    let (upgrade, content_type) = (call.wants_upgrade(), stream_type(tty, call.version()));
    let start = call.state().exec_start(call.name(), request)?;
    if detach {
        return start.run().await.map(|_| Answer::empty(StatusCode::OK));
    }
    Ok(Answer::Hijack(Hijack::new(upgrade, content_type, move |client, early| async move {
        match start.run().await {
            Ok(Some(attached)) => attached::serve(attached, true, client, early).await,
            Ok(None) => finish(client).await,
            Err(error) => tell(client, tty, &error).await,
        }
    })))
}

async fn tell(client: Socket, tty: bool, error: &Error) {
    let text = format!("{}\r\n", error.message);
    let mut output = Vec::new();
    if !tty {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        output.extend_from_slice(&stream::header(StreamKind::Stdout, len));
    }
    output.extend_from_slice(text.as_bytes());
    client.taken().await;
    if client.write_all(&output).await.is_ok() {
        finish(client).await;
    }
}
