use api::endpoints::ContainerPrune;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes containers that do not run.
pub(crate) async fn container_prune(call: Call<Engine, ContainerPrune>) -> Result<Answer> {
    let query = call.query()?;
    let pruned = call.state().container_prune(&query.filters).await?;
    Ok(call.reply(pruned))
}
