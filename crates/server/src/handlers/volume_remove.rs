use api::endpoints::VolumeRemove;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes a volume.
pub(crate) async fn volume_remove(call: Call<Engine, VolumeRemove>) -> Result<Answer> {
    let query = call.query()?;
    call.state().volume_remove(call.name(), query.force).await?;
    Ok(Answer::no_content())
}
