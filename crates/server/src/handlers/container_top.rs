use api::endpoints::ContainerTop;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::given;

/// Lists the processes of a container.
pub(crate) async fn container_top(call: Call<Engine, ContainerTop>) -> Result<Answer> {
    let query = call.query()?;
    let processes = call.state().container_top(call.name(), given(&query.ps_args).unwrap_or("-ef")).await?;
    Ok(call.reply(processes))
}
