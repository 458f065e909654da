use api::endpoints::ContainerChanges;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// What a container changed of its image's files.
pub(crate) async fn container_changes(call: Call<Engine, ContainerChanges>) -> Result<Answer> {
    let changes = call.state().container_changes(call.name()).await?;
    Ok(Answer::json(http::StatusCode::OK, &(!changes.is_empty()).then_some(changes)))
}
