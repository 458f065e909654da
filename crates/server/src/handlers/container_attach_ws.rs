use api::endpoints::ContainerAttachWs;
use engine::Engine;
use values::Result;

use super::container_attach::options;
use crate::answer::Answer;
use crate::call::Call;
use crate::hijack::Hijack;
use crate::websocket::{self, Opcode, Relay};

/// Connects a client to a container's streams by WebSocket.
pub(crate) async fn container_attach_ws(call: Call<Engine, ContainerAttachWs>) -> Result<Answer> {
    let query = call.query()?;
    let head = websocket::handshake(&call.raw.headers)?;
    let opcode = if call.version().below(28) { Opcode::Text } else { Opcode::Binary };
    let relay = Relay { stdin: query.stdin, opcode };
    let attached = call.state().container_attach(call.name(), options(&query)).await?;
    Ok(Answer::Hijack(Hijack::with_head(head, move |client, early| websocket::serve(attached, relay, client, early))))
}
