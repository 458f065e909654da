//! `HEAD /_ping`

use crate::endpoint::{Endpoint, Method, NoBody, Ping};
use crate::query::NoQuery;
use crate::version::Version;

/// As `SystemPing`, without a body. (Since 1.40, answered to all.)
pub struct SystemPingHead;

impl Endpoint for SystemPingHead {
    const METHOD: Method = Method::Head;
    const PATH: &'static str = "/_ping";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Ping;
}
