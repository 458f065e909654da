use api::endpoints::NetworkList;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Lists networks.
pub(crate) async fn network_list(call: Call<Engine, NetworkList>) -> Result<Answer> {
    let query = call.query()?;
    let networks = call.state().network_list(&query.filters)?;
    Ok(call.reply(networks))
}
