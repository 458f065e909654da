use api::endpoints::ContainerInspect;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Shows everything about a container.
pub(crate) async fn container_inspect(call: Call<Engine, ContainerInspect>) -> Result<Answer> {
    let query = call.query()?;
    let container = call.state().container_inspect(call.name(), query.size)?;
    Ok(call.reply(container))
}
