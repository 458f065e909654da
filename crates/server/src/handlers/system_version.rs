use api::endpoints::SystemVersion;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Says which version the daemon has.
pub(crate) async fn system_version(call: Call<Engine, SystemVersion>) -> Result<Answer> {
    let version = call.state().version();
    Ok(call.reply(version))
}
