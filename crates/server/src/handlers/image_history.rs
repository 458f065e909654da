use api::endpoints::ImageHistory;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Shows how an image was made.
pub(crate) async fn image_history(call: Call<Engine, ImageHistory>) -> Result<Answer> {
    let history = call.state().image_history(call.name())?;
    Ok(call.reply(history))
}
