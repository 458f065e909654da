use api::endpoints::ImageInspect;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Shows everything about an image.
pub(crate) async fn image_inspect(call: Call<Engine, ImageInspect>) -> Result<Answer> {
    let image = call.state().image_inspect(call.name())?;
    Ok(call.reply(image))
}
