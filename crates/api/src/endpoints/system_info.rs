//! `GET /info`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// What the daemon is and has.
pub struct SystemInfo;

impl Endpoint for SystemInfo {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/info";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::SystemInfo>;
}
