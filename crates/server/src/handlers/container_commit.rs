use api::endpoints::ContainerCommit;
use api::types::IdResponse;
use engine::{CommitOptions, Engine};
use http::StatusCode;
use values::{Error, Result};

use crate::answer::Answer;
use crate::call::Call;

/// Makes an image of a container.
pub(crate) async fn container_commit(mut call: Call<Engine, ContainerCommit>) -> Result<Answer> {
    let query = call.query()?;
    let config = call.optional_body().await?.flatten();
    let options = CommitOptions {
        repo: query.repo,
        tag: query.tag,
        author: query.author,
        comment: query.comment,
        pause: pause(&query.pause)?,
        changes: query.changes,
        config,
    };
    let id = call.state().container_commit(&query.container, options).await?;
    Ok(call.reply_with(StatusCode::CREATED, IdResponse { id: id.to_string() }))
}

/// Yes, unless it is said otherwise.
fn pause(text: &str) -> Result<bool> {
    match text {
        "" | "1" | "true" | "True" | "TRUE" | "t" | "T" => Ok(true),
        "0" | "false" | "False" | "FALSE" | "f" | "F" => Ok(false),
        other => Err(Error::invalid(format!("invalid value for pause: {other:?}"))),
    }
}
