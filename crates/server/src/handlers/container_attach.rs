use api::endpoints::{ContainerAttach, ContainerAttachQuery};
use engine::{AttachOptions, Engine};
use values::Result;

use super::{attached, given};
use crate::answer::Answer;
use crate::call::Call;
use crate::hijack::{Hijack, stream_type};

/// Connects a client to a container's streams.
pub(crate) async fn container_attach(call: Call<Engine, ContainerAttach>) -> Result<Answer> {
    let query = call.query()?;
    let stdin = query.stdin;
    let attached = call.state().container_attach(call.name(), options(&query)).await?;
    let content_type = stream_type(attached.tty, call.version());
    Ok(Answer::Hijack(Hijack::new(call.wants_upgrade(), content_type, move |client, early| {
        attached::serve(attached, stdin, client, early)
    })))
}

pub(super) fn options(query: &ContainerAttachQuery) -> AttachOptions {
    AttachOptions {
        stream: query.stream,
        logs: query.logs,
        stdin: query.stdin,
        stdout: query.stdout,
        stderr: query.stderr,
        detach_keys: given(&query.detach_keys).map(str::to_owned),
    }
}
