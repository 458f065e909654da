use api::endpoints::ImageTag;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Gives an image a name.
pub(crate) async fn image_tag(call: Call<Engine, ImageTag>) -> Result<Answer> {
    let query = call.query()?;
    call.state().image_tag(call.name(), &query.repo, &query.tag).await?;
    Ok(Answer::empty(StatusCode::CREATED))
}
