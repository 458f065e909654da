//! A container's state.

use crate::lenient::is_default;
use crate::types::Health;
use crate::wire::wire;

wire! {
    /// The state of a container. Times are RFC 3339 with nanoseconds, `0001-01-01T00:00:00Z` when they never came.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerState {
        /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
        pub status: String,
        pub running: bool,
        pub paused: bool,
        pub restarting: bool,
        #[serde(rename = "OOMKilled")]
        pub oom_killed: bool,
        pub dead: bool,
        pub pid: i64,
        pub exit_code: i64,
        pub error: String,
        pub started_at: String,
        pub finished_at: String,
        #[serde(skip_serializing_if = "is_default")]
        pub health: Option<Health>,
    }
}
