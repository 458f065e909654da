use api::endpoints::VolumeCreate;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Creates a volume, or finds it.
pub(crate) async fn volume_create(mut call: Call<Engine, VolumeCreate>) -> Result<Answer> {
    let request = call.body().await?;
    let created = call.state().volume_create(request).await?;
    Ok(call.reply_with(StatusCode::CREATED, created))
}
