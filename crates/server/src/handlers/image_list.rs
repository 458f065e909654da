use api::endpoints::ImageList;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Lists images.
pub(crate) async fn image_list(call: Call<Engine, ImageList>) -> Result<Answer> {
    let mut query = call.query()?;
    if call.version().below(41) && !query.filter.is_empty() {
        query.filters.add("reference", query.filter);
    }
    let list = call.state().image_list(
        query.all,
        &query.filters,
        query.shared_size && !call.version().below(42),
        query.digests,
        query.manifests && !call.version().below(47),
    )?;
    Ok(call.reply(list))
}
