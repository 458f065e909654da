//! `GET /_ping`

use crate::endpoint::{Endpoint, Method, NoBody, Ping};
use crate::query::NoQuery;
use crate::version::Version;

/// Whether the daemon is there, and in its headers what it speaks.
pub struct SystemPing;

impl Endpoint for SystemPing {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/_ping";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Ping;
}
