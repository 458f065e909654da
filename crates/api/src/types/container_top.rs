//! A container's processes.

use crate::wire::wire;

wire! {
    /// The reply of `GET /containers/{id}/top`: as `ps` printed it.
    #[serde(rename_all = "PascalCase")]
    pub struct TopResponse {
        pub processes: Option<Vec<Vec<String>>>,
        pub titles: Option<Vec<String>>,
    }
}
