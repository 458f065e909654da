//! `POST /containers/{id}/rename`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Gives it another name.
pub struct ContainerRename;

impl Endpoint for ContainerRename {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/rename";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerRenameQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerRename`].
    pub struct ContainerRenameQuery {
        "name" => pub name: String,
    }
}
