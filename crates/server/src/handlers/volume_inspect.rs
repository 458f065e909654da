use api::endpoints::VolumeInspect;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Shows everything about a volume.
pub(crate) async fn volume_inspect(call: Call<Engine, VolumeInspect>) -> Result<Answer> {
    let volume = call.state().volume_inspect(call.name())?;
    Ok(call.reply(volume))
}
