use api::endpoints::NetworkCreate;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Creates a network.
pub(crate) async fn network_create(mut call: Call<Engine, NetworkCreate>) -> Result<Answer> {
    let request = call.body().await?;
    let created = call.state().network_create(request).await?;
    Ok(call.reply_with(StatusCode::CREATED, created))
}
