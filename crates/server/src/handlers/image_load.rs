use api::endpoints::ImageLoad;
use engine::Engine;
use values::{Error, Result};

use super::progress;
use crate::answer::Answer;
use crate::call::Call;

/// Loads images from an archive.
pub(crate) async fn image_load(mut call: Call<Engine, ImageLoad>) -> Result<Answer> {
    let query = call.query()?;
    if !query.platform.is_empty() {
        return Err(Error::not_implemented("loading single platforms of an archive is not supported yet"));
    }
    let archive = Box::new(call.upload());
    let engine = call.raw.state;
    Ok(progress::answer(|messages| async move { engine.image_load(archive, query.quiet, messages).await }))
}
