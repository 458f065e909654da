use api::endpoints::ContainerStop;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::given;

/// Stops a container.
pub(crate) async fn container_stop(call: Call<Engine, ContainerStop>) -> Result<Answer> {
    let query = call.query()?;
    let signal = given(&query.signal).filter(|_| !call.version().below(42));
    let warning = call.state().container_stop(call.name(), signal, query.timeout).await?;
    Ok(Answer::no_content().warned(warning.as_deref()))
}
