//! What a prune of containers did.

use crate::wire::wire;

wire! {
    /// The reply of `POST /containers/prune`.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainersPruneResponse {
        /// Null when there were none.
        pub containers_deleted: Option<Vec<String>>,
        /// Bytes.
        pub space_reclaimed: u64,
    }
}
