use api::endpoints::BuildPrune;
use api::types::BuildPruneResponse;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Nothing is in the cache of a builder that is not there. Filters it does not know count for nothing, as in Docker.
pub(crate) async fn build_prune(call: Call<Engine, BuildPrune>) -> Result<Answer> {
    call.query()?;
    Ok(call.reply(BuildPruneResponse::default()))
}
