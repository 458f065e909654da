use api::endpoints::ContainerPause;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Freezes a container.
pub(crate) async fn container_pause(call: Call<Engine, ContainerPause>) -> Result<Answer> {
    call.state().container_pause(call.name()).await?;
    Ok(Answer::no_content())
}
