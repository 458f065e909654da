use api::endpoints::ContainerExport;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// A container's root filesystem as a tar.
pub(crate) async fn container_export(call: Call<Engine, ContainerExport>) -> Result<Answer> {
    let tar = call.state().container_export(call.name()).await?;
    Ok(Answer::download("application/octet-stream", tar))
}
