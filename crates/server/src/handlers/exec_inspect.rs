use api::endpoints::ExecInspect;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Shows what became of an exec.
pub(crate) async fn exec_inspect(call: Call<Engine, ExecInspect>) -> Result<Answer> {
    let exec = call.state().exec_inspect(call.name())?;
    Ok(call.reply(exec))
}
