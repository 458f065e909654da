use api::endpoints::SystemVerify;
use engine::Engine;
use values::Result;

use super::{progress, registry_credentials};
use crate::answer::Answer;
use crate::call::Call;

/// Looks at all that is kept.
pub(crate) async fn system_verify(call: Call<Engine, SystemVerify>) -> Result<Answer> {
    let repair = call.query()?.repair.then(|| registry_credentials::of_all(&call.raw.headers)).transpose()?;
    let engine = call.raw.state;
    progress::answer_once_begun(|messages| async move { engine.system_verify(repair, messages).await }).await
}
