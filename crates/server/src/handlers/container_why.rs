use api::endpoints::ContainerWhy;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::given;

/// Explains a container's state.
pub(crate) async fn container_why(call: Call<Engine, ContainerWhy>) -> Result<Answer> {
    let query = call.query()?;
    let why = call.state().container_why(call.name(), given(&query.signal)).await?;
    Ok(call.reply(why))
}
