//! `POST /commit`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Makes an image of a container.
pub struct ContainerCommit;

impl Endpoint for ContainerCommit {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/commit";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerCommitQuery;
    type Body = Json<Option<types::ContainerConfig>>;
    type Reply = Json<types::IdResponse>;
}

query! {
    /// Parameters of [`ContainerCommit`].
    pub struct ContainerCommitQuery {
        "container" => pub container: String,
        "repo" => pub repo: String,
        "tag" => pub tag: String,
        "comment" => pub comment: String,
        "author" => pub author: String,
        /// Freeze it meanwhile; empty is yes.
        "pause" => pub pause: String,
        /// Dockerfile instructions, one a line.
        "changes" => pub changes: Vec<String>,
    }
}
