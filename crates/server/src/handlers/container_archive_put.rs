use api::endpoints::ContainerArchivePut;
use engine::{CopyOptions, Engine};
use http::StatusCode;
use values::Result;

use super::path_stat;
use crate::answer::Answer;
use crate::call::Call;

/// Unpacks a tar in a container.
pub(crate) async fn container_archive_put(mut call: Call<Engine, ContainerArchivePut>) -> Result<Answer> {
    let query = call.query()?;
    let path = path_stat::required(query.path)?;
    let options = CopyOptions { keep_kinds: query.no_overwrite_dir_non_dir, owned_by_user: query.copy_uid_gid };
    let tar = Box::new(call.upload());
    call.state().container_copy_in(call.name(), &path, tar, options).await?;
    Ok(Answer::empty(StatusCode::OK))
}
