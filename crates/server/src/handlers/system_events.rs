use api::endpoints::SystemEvents;
use api::versions::Lower;
use bytes::Bytes;
use engine::Engine;
use values::Result;

use super::moment;
use crate::answer::{Answer, json_line};
use crate::body::Body;
use crate::call::Call;
use crate::media::JsonForm;

/// Streams events.
pub(crate) async fn system_events(call: Call<Engine, SystemEvents>) -> Result<Answer> {
    let query = call.query()?;
    let (version, form) = (call.version(), JsonForm::accepted(&call.raw.headers));
    let events = call.state().events(moment(&query.since)?, moment(&query.until)?, query.filters);
    let body = Body::stream(events, move |mut events| async move {
        let mut event = events.next().await?;
        event.lower(version);
        let line = json_line(&event).ok()?;
        Some((Bytes::from(form.frame(line)), events))
    });
    Ok(Answer::stream(form.content_type(), body))
}
