use api::endpoints::ContainerArchiveHead;
use engine::Engine;
use http::StatusCode;
use values::Result;

use super::path_stat;
use crate::answer::Answer;
use crate::call::Call;

/// What is at a path of a container.
pub(crate) async fn container_archive_head(call: Call<Engine, ContainerArchiveHead>) -> Result<Answer> {
    let path = path_stat::required(call.query()?.path)?;
    let stat = call.state().container_stat_path(call.name(), &path).await?;
    Ok(path_stat::with_stat(Answer::empty(StatusCode::OK), &stat))
}
