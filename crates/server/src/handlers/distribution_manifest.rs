use api::endpoints::DistributionManifest;
use engine::Engine;
use values::Result;

use super::registry_credentials;
use crate::answer::Answer;
use crate::call::Call;

/// Fetches a manifest as a registry has it.
pub(crate) async fn distribution_manifest(call: Call<Engine, DistributionManifest>) -> Result<Answer> {
    let credentials = registry_credentials::of(&call.raw.headers)?;
    let insecure = call.query()?.insecure;
    let found = call.state().distribution_manifest(call.name(), insecure, credentials).await?;
    Ok(call.reply(found))
}
