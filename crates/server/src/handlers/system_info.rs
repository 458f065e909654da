use api::endpoints::SystemInfo;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Says what the daemon is and has.
pub(crate) async fn system_info(call: Call<Engine, SystemInfo>) -> Result<Answer> {
    let info = call.state().info().await;
    Ok(call.reply(info))
}
