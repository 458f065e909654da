use api::endpoints::VolumeList;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Lists volumes.
pub(crate) async fn volume_list(call: Call<Engine, VolumeList>) -> Result<Answer> {
    let volumes = call.state().volume_list(&call.query()?.filters)?;
    Ok(call.reply(volumes))
}
