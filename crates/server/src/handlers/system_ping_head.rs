use api::endpoints::SystemPingHead;
use engine::Engine;
use http::header::{CONTENT_LENGTH, HeaderValue};
use values::Result;

use super::system_ping::pong;
use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;

/// Says that the daemon is there, without a body.
pub(crate) async fn system_ping_head(_: Call<Engine, SystemPingHead>) -> Result<Answer> {
    let mut response = pong(Body::empty());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(Answer::Reply(response))
}
