//! `GET /system/df`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// What takes how much of the disk.
pub struct SystemDf;

impl Endpoint for SystemDf {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/system/df";
    const SINCE: Version = Version::new(1, 25);
    type Query = SystemDfQuery;
    type Body = NoBody;
    type Reply = Json<types::DiskUsage>;
}

query! {
    /// Parameters of [`SystemDf`].
    pub struct SystemDfQuery {
        /// `container`, `image`, `volume`, `build-cache`; none is all.
        "type" => pub types: Vec<String>,
        /// Each object, not the sums alone.
        "verbose" => pub verbose: bool,
    }
}
