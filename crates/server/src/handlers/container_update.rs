use api::endpoints::ContainerUpdate;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Changes a container's limits and its restart policy.
pub(crate) async fn container_update(mut call: Call<Engine, ContainerUpdate>) -> Result<Answer> {
    let mut body = call.body().await?;
    api::versions::raise_update(&mut body, call.version());
    let updated = call.state().container_update(call.name(), body).await?;
    Ok(call.reply(updated))
}
