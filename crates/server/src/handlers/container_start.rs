use api::endpoints::ContainerStart;
use engine::Engine;
use values::{Error, Result};

use crate::answer::Answer;
use crate::call::Call;
use crate::request_body::next_piece;

/// Starts a container.
pub(crate) async fn container_start(mut call: Call<Engine, ContainerStart>) -> Result<Answer> {
    // Clients from before 1.22 sent a HostConfig here. `null` and `{}` still come from some.
    let mut sent = Vec::new();
    while let Some(piece) = next_piece(&mut call.raw.body).await? {
        sent.extend_from_slice(&piece[..piece.len().min(16)]);
        if !matches!(sent.trim_ascii(), b"" | b"null" | b"n" | b"nu" | b"nul" | b"{}" | b"{") {
            return Err(Error::invalid(
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
            ));
        }
    }
    call.state().container_start(call.name()).await?;
    Ok(Answer::no_content())
}
