use api::endpoints::ImageHistory;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::platform;

/// Shows how an image was made.
pub(crate) async fn image_history(call: Call<Engine, ImageHistory>) -> Result<Answer> {
    let query = call.query()?;
    let platform = if call.version().below(48) { None } else { platform::one(&query.platform)? };
    let history = call.state().image_history(call.name(), platform.as_ref())?;
    Ok(call.reply(history))
}
