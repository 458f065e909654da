//! `POST /exec/{id}/start`

use crate::endpoint::{Endpoint, Hijack, Json, Method};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Starts it; with `Detach` the reply is empty, else the connection becomes its streams.
pub struct ExecStart;

impl Endpoint for ExecStart {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/exec/{id}/start";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::ExecStartRequest>;
    type Reply = Hijack;
}
