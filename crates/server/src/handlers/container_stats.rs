use api::endpoints::ContainerStats;
use api::versions::Lower;
use engine::Engine;
use bytes::Bytes;
use http::StatusCode;
use values::{Error, Result};

use crate::answer::{Answer, json_line};
use crate::body::Body;
use crate::call::Call;
use crate::media::JsonForm;

/// Reports what a container uses.
pub(crate) async fn container_stats(call: Call<Engine, ContainerStats>) -> Result<Answer> {
    let query = call.query()?;
    let (version, form) = (call.version(), JsonForm::accepted(&call.raw.headers));
    // older clients always get the processor's earlier use
    let one_shot = query.one_shot && !version.below(41);
    match query.stream.unwrap_or(true) {
        true if one_shot => Err(Error::invalid("cannot have stream=true and one-shot=true")),
        true => {
            let stream = call.state().container_stats_stream(call.name())?;
            let body = Body::stream(stream, move |mut stream| async move {
                let mut stats = stream.next().await?;
                stats.lower(version);
                Some((Bytes::from(form.frame(json_line(&stats).ok()?)), stream))
            });
            Ok(Answer::stream(form.content_type(), body))
        }
        false => {
            let mut stats = call.state().container_stats(call.name(), !one_shot).await?;
            stats.lower(version);
            Ok(Answer::json(StatusCode::OK, &stats))
        }
    }
}
