use api::endpoints::ContainerResize;
use engine::Engine;
use http::StatusCode;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::cells;

/// Sets the size of a terminal.
pub(crate) async fn container_resize(call: Call<Engine, ContainerResize>) -> Result<Answer> {
    let query = api::query::pairs(&call.raw.query)?;
    let rows = cells(&query, "h", "height")?;
    let columns = cells(&query, "w", "width")?;
    call.state().container_resize(call.name(), rows, columns).await?;
    Ok(Answer::empty(StatusCode::OK))
}
