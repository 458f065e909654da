//! Serving a hijacked connection: what was written before, then the live streams.

use bytes::Bytes;
use engine::Attached;

use crate::relay::{End, Input, finish, relay};
use crate::socket::Socket;

/// Relays between a client and what it is attached to.
pub(super) async fn serve(attached: Attached, stdin: bool, client: Socket, early: Bytes) {
    let Attached { stream, prefix, detach_keys, detached, mut ended, .. } = attached;
    if let Some(mut logs) = prefix {
        client.taken().await;
        while let Some(piece) = logs.next().await {
            if client.write_all(&piece).await.is_err() {
                return;
            }
        }
    }
    let input = if stdin { Input::Forward { detach_keys } } else { Input::Discard };
    match relay(&client, early, stream, input).await {
        // Clients ask for the exit code as soon as they see the end.
        End::Output => ended.wait().await,
        End::Detached => detached.notify(),
        End::Gone => {}
    }
    finish(client).await;
}
