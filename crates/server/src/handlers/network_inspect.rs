use api::endpoints::NetworkInspect;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Shows everything about a network.
pub(crate) async fn network_inspect(call: Call<Engine, NetworkInspect>) -> Result<Answer> {
    let network = call.state().network_inspect(call.name())?;
    Ok(call.reply(network))
}
