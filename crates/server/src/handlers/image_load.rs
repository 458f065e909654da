use api::endpoints::ImageLoad;
use engine::Engine;
use values::Result;

use super::progress;
use crate::answer::Answer;
use crate::call::Call;
use crate::platform;

/// Loads images from an archive.
pub(crate) async fn image_load(mut call: Call<Engine, ImageLoad>) -> Result<Answer> {
    let query = call.query()?;
    let asked = if call.version().below(48) { &[][..] } else { &query.platform[..] };
    let platform = platform::only(asked, "multiple platform parameters not supported")?;
    let archive = Box::new(call.upload());
    let engine = call.raw.state;
    Ok(progress::answer(|messages| async move { engine.image_load(archive, query.quiet, platform, messages).await }))
}
