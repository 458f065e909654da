use api::endpoints::NetworkDoctor;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Looks whether networks are as they should be.
pub(crate) async fn network_doctor(call: Call<Engine, NetworkDoctor>) -> Result<Answer> {
    let found = call.state().network_doctor().await?;
    Ok(call.reply(found))
}
