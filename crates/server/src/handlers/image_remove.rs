use api::endpoints::ImageRemove;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::platform;

/// Removes a name of an image, and with the last one the image.
pub(crate) async fn image_remove(call: Call<Engine, ImageRemove>) -> Result<Answer> {
    let query = call.query()?;
    let asked = if call.version().below(50) { &[][..] } else { &query.platforms[..] };
    let platform = platform::only(asked, "multiple platforms are not supported")?;
    let steps = call.state().image_remove(call.name(), query.force, query.noprune, platform.as_ref()).await?;
    Ok(call.reply(steps))
}
