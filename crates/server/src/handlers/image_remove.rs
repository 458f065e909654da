use api::endpoints::ImageRemove;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes a name of an image, and with the last one the image.
pub(crate) async fn image_remove(call: Call<Engine, ImageRemove>) -> Result<Answer> {
    let query = call.query()?;
    let steps = call.state().image_remove(call.name(), query.force, query.noprune).await?;
    Ok(call.reply(steps))
}
