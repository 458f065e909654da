//! Errors on the wire.

use crate::wire::wire;

wire! {
    /// The body of every error reply.
    #[serde(rename_all = "snake_case")]
    pub struct ErrorResponse {
        pub message: String,
    }
}
