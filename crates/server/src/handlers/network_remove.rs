use api::endpoints::NetworkRemove;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Removes a network.
pub(crate) async fn network_remove(call: Call<Engine, NetworkRemove>) -> Result<Answer> {
    call.state().network_remove(call.name()).await?;
    Ok(Answer::no_content())
}
