use api::endpoints::ContainerReach;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Tells who can reach a container's ports.
pub(crate) async fn container_reach(call: Call<Engine, ContainerReach>) -> Result<Answer> {
    let reach = call.state().container_reach(call.name()).await?;
    Ok(call.reply(reach))
}
