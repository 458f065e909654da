use api::endpoints::ImageSave;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::platform;

/// An archive of an image.
pub(crate) async fn image_save(call: Call<Engine, ImageSave>) -> Result<Answer> {
    let platform = platform::only(&call.query()?.platform, SEVERAL)?;
    let archive = call.state().image_save(&[call.name().to_owned()], platform.as_ref())?;
    Ok(Answer::download("application/x-tar", archive))
}

pub(super) const SEVERAL: &str = "multiple platform parameters not supported";
