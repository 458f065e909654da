//! `DELETE /containers/{id}`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Removes it.
pub struct ContainerRemove;

impl Endpoint for ContainerRemove {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/containers/{id}";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerRemoveQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerRemove`].
    pub struct ContainerRemoveQuery {
        /// Its anonymous volumes as well.
        "v" => pub volumes: bool,
        /// Kill it when it runs.
        "force" => pub force: bool,
        /// Remove the link of this name, not the container.
        "link" => pub link: bool,
    }
}
