use api::endpoints::ContainerRemove;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes a container.
pub(crate) async fn container_remove(call: Call<Engine, ContainerRemove>) -> Result<Answer> {
    let query = call.query()?;
    call.state().container_remove(call.name(), query.force, query.volumes, query.link).await?;
    Ok(Answer::no_content())
}
