use api::endpoints::ContainerRestart;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::given;

/// Stops and starts a container.
pub(crate) async fn container_restart(call: Call<Engine, ContainerRestart>) -> Result<Answer> {
    let query = call.query()?;
    let signal = given(&query.signal).filter(|_| !call.version().below(42));
    let warning = call.state().container_restart(call.name(), signal, query.timeout).await?;
    Ok(Answer::no_content().warned(warning.as_deref()))
}
