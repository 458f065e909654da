//! Why a container is as it is (an endpoint of ours).

use crate::types::Health;
use crate::wire::wire;

wire! {
    /// The reply of `GET /lighter/containers/{id}/why`.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerWhy {
        pub id: String,
        /// Without a slash.
        pub name: String,
        /// As in a list: `Exited (137) 2 minutes ago`.
        pub status: String,
        /// Sentences for people, the most important ones first.
        pub reasons: Vec<String>,
        /// A sentence on what happens without a user; empty: nothing is to be said.
        pub next: String,
        /// RFC 3339: when it is started again by itself; else empty.
        pub restart_at: String,
        /// Of the last run; 0 while it runs.
        pub exit_code: i64,
        /// The signal that killed it (`SIGKILL`); empty when it exited or runs.
        pub signal: String,
        #[serde(rename = "OOMKilled")]
        pub oom_killed: bool,
        /// The most memory it has held, bytes: of what runs, and of what ended for want of memory; 0: not known.
        pub memory_peak: i64,
        /// Its own limit, bytes; 0: none.
        pub memory_limit: i64,
        /// Why it could not be started.
        pub error: String,
        pub health: Option<Health>,
        /// For a running one which the stop signal would not end: says so; else empty.
        pub stop_warning: String,
        /// The end of its log.
        pub log: Vec<String>,
    }
}
