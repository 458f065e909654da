//! Waiting for a container's end.

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// The reply of `POST /containers/{id}/wait`.
    #[serde(rename_all = "PascalCase")]
    pub struct WaitResponse {
        pub status_code: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub error: Option<WaitExitError>,
    }
}

wire! {
    /// Why waiting failed.
    #[serde(rename_all = "PascalCase")]
    pub struct WaitExitError {
        pub message: String,
    }
}
