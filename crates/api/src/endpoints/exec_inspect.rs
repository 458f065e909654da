//! `GET /exec/{id}/json`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// What became of it.
pub struct ExecInspect;

impl Endpoint for ExecInspect {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/exec/{id}/json";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::ExecInspect>;
}
