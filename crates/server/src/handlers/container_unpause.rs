use api::endpoints::ContainerUnpause;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Thaws a container.
pub(crate) async fn container_unpause(call: Call<Engine, ContainerUnpause>) -> Result<Answer> {
    call.state().container_unpause(call.name()).await?;
    Ok(Answer::no_content())
}
