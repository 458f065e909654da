use api::endpoints::NetworkDisconnect;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Takes a container off a network.
pub(crate) async fn network_disconnect(mut call: Call<Engine, NetworkDisconnect>) -> Result<Answer> {
    let request = call.body().await?;
    call.state().network_disconnect(call.name(), request).await?;
    Ok(Answer::empty(StatusCode::OK))
}
