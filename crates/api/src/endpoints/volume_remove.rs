//! `DELETE /volumes/{name}`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Removes a volume.
pub struct VolumeRemove;

impl Endpoint for VolumeRemove {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/volumes/{name}";
    const SINCE: Version = Version::new(1, 24);
    type Query = VolumeRemoveQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`VolumeRemove`].
    pub struct VolumeRemoveQuery {
        /// One that is not there is no error.
        "force" => pub force: bool,
    }
}
