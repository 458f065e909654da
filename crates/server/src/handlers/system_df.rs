use api::endpoints::SystemDf;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// What takes how much of the disk.
pub(crate) async fn system_df(call: Call<Engine, SystemDf>) -> Result<Answer> {
    let query = call.query()?;
    // older clients get nothing but the items
    let items = query.verbose || call.version().below(52);
    let usage = call.state().disk_usage(query.types, items).await?;
    Ok(call.reply(usage))
}
