//! `POST /exec/{id}/resize`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Sets the size of its terminal.
pub struct ExecResize;

impl Endpoint for ExecResize {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/exec/{id}/resize";
    const SINCE: Version = Version::new(1, 24);
    type Query = ExecResizeQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ExecResize`].
    pub struct ExecResizeQuery {
        "h" => pub height: Option<i64>,
        "w" => pub width: Option<i64>,
    }
}
