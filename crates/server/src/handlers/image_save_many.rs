use api::endpoints::ImageSaveMany;
use engine::Engine;
use values::{Error, Result};

use super::image_save::SEVERAL;
use crate::answer::Answer;
use crate::call::Call;
use crate::platform;

/// An archive of several images.
pub(crate) async fn image_save_many(call: Call<Engine, ImageSaveMany>) -> Result<Answer> {
    let query = call.query()?;
    if query.names.is_empty() {
        return Err(Error::invalid("no images specified"));
    }
    let platform = platform::only(&query.platform, SEVERAL)?;
    let archive = call.state().image_save(&query.names, platform.as_ref())?;
    Ok(Answer::download("application/x-tar", archive))
}
