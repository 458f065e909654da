use api::endpoints::DistributionInspect;
use engine::Engine;
use values::Result;

use super::registry_credentials;
use crate::answer::Answer;
use crate::call::Call;

/// Asks a registry what it has under a name.
pub(crate) async fn distribution_inspect(call: Call<Engine, DistributionInspect>) -> Result<Answer> {
    let credentials = registry_credentials::of(&call.raw.headers)?;
    let found = call.state().distribution_inspect(call.name(), credentials).await?;
    Ok(call.reply(found))
}
