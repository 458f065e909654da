use api::endpoints::NetworkConnect;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Connects a container to a network.
pub(crate) async fn network_connect(mut call: Call<Engine, NetworkConnect>) -> Result<Answer> {
    let request = call.body().await?;
    call.state().network_connect(call.name(), request).await?;
    Ok(Answer::empty(StatusCode::OK))
}
