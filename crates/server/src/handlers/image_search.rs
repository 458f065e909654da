use api::endpoints::ImageSearch;
use engine::{Engine, SearchOptions};
use values::Result;

use super::registry_credentials;
use crate::answer::Answer;
use crate::call::Call;

/// Searches an index of images.
pub(crate) async fn image_search(call: Call<Engine, ImageSearch>) -> Result<Answer> {
    let query = call.query()?;
    let options = SearchOptions {
        term: query.term,
        limit: query.limit.unwrap_or(0),
        filters: query.filters,
        // searching works without them: what cannot be read counts as none, as Docker has it
        credentials: registry_credentials::of(&call.raw.headers).unwrap_or_default(),
    };
    let found = call.state().image_search(options).await?;
    Ok(call.reply(found))
}
