//! `POST /lighter/system/verify`

use crate::endpoint::{Endpoint, JsonStream, Method, NoBody};
use crate::progress::JsonMessage;
use crate::query::query;
use crate::version::Version;

/// Looks at all that is kept. Ours: Docker has nothing of the kind.
pub struct SystemVerify;

impl Endpoint for SystemVerify {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/lighter/system/verify";
    const SINCE: Version = Version::new(1, 24);
    type Query = SystemVerifyQuery;
    type Body = NoBody;
    type Reply = JsonStream<JsonMessage>;
}

query! {
    /// Parameters of [`SystemVerify`].
    pub struct SystemVerifyQuery {
        "repair" => pub repair: bool,
    }
}
