//! `POST /containers/create`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Creates a container.
pub struct ContainerCreate;

impl Endpoint for ContainerCreate {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/create";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerCreateQuery;
    type Body = Json<types::ContainerCreateRequest>;
    type Reply = Json<types::CreateResponse>;
}

query! {
    /// Parameters of [`ContainerCreate`].
    pub struct ContainerCreateQuery {
        "name" => pub name: String,
        /// `os[/arch[/variant]]`.
        "platform" => pub platform: String,
    }
}
