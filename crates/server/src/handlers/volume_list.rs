use api::endpoints::VolumeList;
use api::types;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Lists volumes: there are none before they can be created.
pub(crate) async fn volume_list(call: Call<Engine, VolumeList>) -> Result<Answer> {
    call.query()?.filters.validate(&["dangling", "name", "driver", "label"])?;
    Ok(call.reply(types::VolumeList::default()))
}
