use api::endpoints::ContainerWait;
use bytes::Bytes;
use engine::{Engine, WaitCondition};
use values::Result;

use crate::answer::{Answer, JSON, json_line};
use crate::body::Body;
use crate::call::Call;

/// Waits for a container's end. The headers go out when the wait is registered: clients start the container after them.
pub(crate) async fn container_wait(call: Call<Engine, ContainerWait>) -> Result<Answer> {
    let query = call.query()?;
    let condition = if call.version().below(30) { "" } else { &query.condition };
    let ended = call.state().container_wait(call.name(), WaitCondition::parse(condition)?)?;
    let body = Body::stream(Some(Box::pin(ended)), |ended| async {
        let response = ended?.await;
        Some((Bytes::from(json_line(&response).ok()?), None))
    });
    Ok(Answer::stream(JSON, body))
}
