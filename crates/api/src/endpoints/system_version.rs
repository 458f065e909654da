//! `GET /version`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Versions of the daemon.
pub struct SystemVersion;

impl Endpoint for SystemVersion {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/version";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::SystemVersion>;
}
