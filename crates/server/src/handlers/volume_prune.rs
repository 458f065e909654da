use api::endpoints::VolumePrune;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes volumes that no container has.
pub(crate) async fn volume_prune(call: Call<Engine, VolumePrune>) -> Result<Answer> {
    let pruned = call.state().volume_prune(call.query()?.filters).await?;
    Ok(call.reply(pruned))
}
