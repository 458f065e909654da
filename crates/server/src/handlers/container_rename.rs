use api::endpoints::ContainerRename;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Gives a container another name.
pub(crate) async fn container_rename(call: Call<Engine, ContainerRename>) -> Result<Answer> {
    let query = call.query()?;
    call.state().container_rename(call.name(), &query.name).await?;
    Ok(Answer::no_content())
}
