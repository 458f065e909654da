//! What the prune of a build cache answers.

use crate::wire::wire;

wire! {
    /// The reply of `POST /build/prune`.
    #[serde(rename_all = "PascalCase")]
    pub struct BuildPruneResponse {
        pub caches_deleted: Option<Vec<String>>,
        /// Bytes.
        pub space_reclaimed: u64,
    }
}
