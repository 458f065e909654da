//! What happened.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// One event of `GET /events`.
    #[serde(rename_all = "camelCase")]
    pub struct EventMessage {
        /// Clients below 1.52 only; so are the next two.
        #[serde(skip_serializing_if = "is_default")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub id: Option<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub from: Option<String>,
        #[serde(rename = "Type")]
        pub kind: String,
        #[serde(rename = "Action")]
        pub action: String,
        #[serde(rename = "Actor")]
        pub actor: EventActor,
        /// `local` or `swarm`.
        #[serde(skip_serializing_if = "is_default")]
        pub scope: String,
        /// UNIX seconds.
        #[serde(skip_serializing_if = "is_default")]
        pub time: i64,
        /// UNIX nanoseconds.
        #[serde(skip_serializing_if = "is_default")]
        pub time_nano: i64,
    }
}

wire! {
    /// What it happened to.
    #[serde(rename_all = "PascalCase")]
    pub struct EventActor {
        #[serde(rename = "ID")]
        pub id: String,
        pub attributes: BTreeMap<String, String>,
    }
}
