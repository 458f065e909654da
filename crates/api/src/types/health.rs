//! Health checks: configuration, state and results.

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// How health is probed. Durations are nanoseconds; zero means inherit.
    #[serde(rename_all = "PascalCase")]
    pub struct HealthConfig {
        /// `[]` inherits, `["NONE"]` disables, `["CMD", ..]`, `["CMD-SHELL", ".."]`.
        #[serde(skip_serializing_if = "is_default")]
        pub test: Option<Vec<String>>,
        #[serde(skip_serializing_if = "is_default")]
        pub interval: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub timeout: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub start_period: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub start_interval: i64,
        #[serde(skip_serializing_if = "is_default")]
        pub retries: i64,
        /// Ours, not Docker's: what is done when the container becomes unhealthy: `none`, `kill`, `restart`, `stop`; empty is
        /// `none`.
        #[serde(skip_serializing_if = "is_default")]
        pub on_failure: String,
    }
}

wire! {
    /// The health of a running container.
    #[serde(rename_all = "PascalCase")]
    pub struct Health {
        /// `none`, `starting`, `healthy`, `unhealthy`.
        pub status: String,
        pub failing_streak: i64,
        /// The last five probes, oldest first.
        pub log: Option<Vec<HealthcheckResult>>,
    }
}

wire! {
    /// One probe's outcome.
    #[serde(rename_all = "PascalCase")]
    pub struct HealthcheckResult {
        /// RFC 3339.
        pub start: String,
        /// RFC 3339.
        pub end: String,
        pub exit_code: i64,
        /// At most 4096 bytes.
        pub output: String,
    }
}

wire! {
    /// The health in a list of containers (from 1.52).
    #[serde(rename_all = "PascalCase")]
    pub struct HealthSummary {
        pub status: String,
        pub failing_streak: i64,
    }
}
