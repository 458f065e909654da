use api::endpoints::DistributionPut;
use engine::Engine;
use values::Result;

use super::registry_credentials;
use crate::answer::Answer;
use crate::call::Call;

/// Puts a manifest into a registry.
pub(crate) async fn distribution_put(mut call: Call<Engine, DistributionPut>) -> Result<Answer> {
    let credentials = registry_credentials::of(&call.raw.headers)?;
    let (insecure, put) = (call.query()?.insecure, call.body().await?);
    let stored = call.state().distribution_put(call.name(), insecure, credentials, put).await?;
    Ok(call.reply(stored))
}
