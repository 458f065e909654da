use api::endpoints::ImagePrune;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes images that nothing uses.
pub(crate) async fn image_prune(call: Call<Engine, ImagePrune>) -> Result<Answer> {
    let filters = call.query()?.filters;
    let pruned = call.state().image_prune(filters).await?;
    Ok(call.reply(pruned))
}
