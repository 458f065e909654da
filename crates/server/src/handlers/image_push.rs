use api::endpoints::ImagePush;
use engine::{Engine, PushOptions};
use values::{Error, Platform, Result};

use super::{progress, registry_credentials};
use crate::answer::Answer;
use crate::call::Call;

/// Pushes an image to the registry it is named after.
pub(crate) async fn image_push(call: Call<Engine, ImagePush>) -> Result<Answer> {
    let query = call.query()?;
    let options = PushOptions {
        image: call.name().to_owned(),
        tag: query.tag,
        platform: platform(&query.platform)?,
        credentials: registry_credentials::of(&call.raw.headers)?,
    };
    let engine = call.raw.state;
    progress::answer_once_begun(|messages| async move { engine.image_push(options, messages).await }).await
}

/// JSON of a platform; nothing is none.
fn platform(json: &str) -> Result<Option<Platform>> {
    if json.is_empty() {
        return Ok(None);
    }
    let parsed: api::types::Platform =
        serde_json::from_str(json).map_err(|e| Error::invalid(format!("failed to parse platform: {e}")))?;
    let variant = if parsed.variant.is_empty() { String::new() } else { format!("/{}", parsed.variant) };
    Ok(Some(format!("{}/{}{variant}", parsed.os, parsed.architecture).parse()?))
}
