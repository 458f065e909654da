use api::endpoints::ContainerKill;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::given;

/// Signals a container.
pub(crate) async fn container_kill(call: Call<Engine, ContainerKill>) -> Result<Answer> {
    let query = call.query()?;
    call.state().container_kill(call.name(), given(&query.signal)).await?;
    Ok(Answer::no_content())
}
