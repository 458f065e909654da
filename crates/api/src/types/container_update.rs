//! Changing a container's limits.

use crate::types::{Resources, RestartPolicy};
use crate::wire::wire;

wire! {
    /// The body of `POST /containers/{id}/update`; zero values change nothing.
    #[serde(rename_all = "PascalCase")]
    pub struct UpdateRequest {
        #[flatten]
        pub resources: Resources,
        pub restart_policy: RestartPolicy,
    }
}

wire! {
    /// Warnings of an update.
    #[serde(rename_all = "PascalCase")]
    pub struct UpdateResponse {
        pub warnings: Option<Vec<String>>,
    }
}
