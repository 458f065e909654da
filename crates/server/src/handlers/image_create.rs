use api::endpoints::{ImageCreate, ImageCreateQuery};
use engine::{Engine, ImportOptions, PullOptions};
use values::{Error, Result};

use super::{progress, registry_credentials};
use crate::answer::Answer;
use crate::call::Call;

/// Pulls an image, or imports one from an archive of a file system.
pub(crate) async fn image_create(mut call: Call<Engine, ImageCreate>) -> Result<Answer> {
    let query = call.query()?;
    if !query.from_image.is_empty() {
        return pull(call, query).await;
    }
    if query.from_src != "-" {
        let source = &query.from_src;
        return Err(Error::not_implemented(format!(
            "importing from a URL is not supported yet: {source:?} (send the archive)"
        )));
    }
    let archive = Box::new(call.upload());
    let engine = call.raw.state;
    let options = ImportOptions {
        repo: query.repo,
        tag: query.tag,
        message: query.message,
        changes: query.changes,
        platform: query.platform,
    };
    progress::answer_once_begun(|messages| async move { engine.image_import(archive, options, messages).await }).await
}

async fn pull(call: Call<Engine, ImageCreate>, query: ImageCreateQuery) -> Result<Answer> {
    let options = PullOptions {
        image: query.from_image,
        tag: query.tag,
        platform: query.platform,
        credentials: registry_credentials::of(&call.raw.headers)?,
    };
    let engine = call.raw.state;
    progress::answer_once_begun(|messages| async move { engine.image_pull(options, messages).await }).await
}
