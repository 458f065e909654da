use api::endpoints::NetworkPrune;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes all networks that no container is on.
pub(crate) async fn network_prune(call: Call<Engine, NetworkPrune>) -> Result<Answer> {
    let query = call.query()?;
    let pruned = call.state().network_prune(&query.filters).await?;
    Ok(call.reply(pruned))
}
