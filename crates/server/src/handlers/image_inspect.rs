use api::endpoints::ImageInspect;
use engine::Engine;
use values::{Error, Result};

use crate::answer::Answer;
use crate::call::Call;
use crate::platform;

/// Shows everything about an image.
pub(crate) async fn image_inspect(call: Call<Engine, ImageInspect>) -> Result<Answer> {
    let query = call.query()?;
    let platform = if call.version().below(49) { None } else { platform::one(&query.platform)? };
    if platform.is_some() && query.manifests {
        return Err(Error::invalid("conflicting options: manifests and platform options cannot both be set"));
    }
    let image = call.state().image_inspect(call.name(), platform.as_ref())?;
    Ok(call.reply(image))
}
