use api::endpoints::ContainerArchiveGet;
use engine::Engine;
use values::Result;

use super::path_stat;
use crate::answer::Answer;
use crate::call::Call;

/// A tar of what is at a path of a container.
pub(crate) async fn container_archive_get(call: Call<Engine, ContainerArchiveGet>) -> Result<Answer> {
    let path = path_stat::required(call.query()?.path)?;
    let (stat, tar) = call.state().container_copy_out(call.name(), &path).await?;
    Ok(path_stat::with_stat(Answer::download("application/x-tar", tar), &stat))
}
