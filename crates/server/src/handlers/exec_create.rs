use api::endpoints::ExecCreate;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Prepares a process in a container.
pub(crate) async fn exec_create(mut call: Call<Engine, ExecCreate>) -> Result<Answer> {
    let request = call.body().await?;
    let created = call.state().exec_create(call.name(), request).await?;
    Ok(call.reply_with(StatusCode::CREATED, created))
}
