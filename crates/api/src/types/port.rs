//! Published ports.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

/// Ports inside (`80/tcp`) to where they are published; null or empty when only exposed.
pub type PortMap = BTreeMap<String, Option<Vec<PortBinding>>>;

wire! {
    /// Where a port is published on the host; both may be empty.
    #[serde(rename_all = "PascalCase")]
    pub struct PortBinding {
        pub host_ip: String,
        /// A port, a range, or empty for one the daemon picks.
        pub host_port: String,
    }
}

wire! {
    /// One port in a list of containers.
    #[serde(rename_all = "PascalCase")]
    pub struct PortSummary {
        #[serde(rename = "IP", skip_serializing_if = "is_default")]
        pub ip: String,
        pub private_port: u16,
        #[serde(skip_serializing_if = "is_default")]
        pub public_port: u16,
        /// `tcp`, `udp`, `sctp`.
        #[serde(rename = "Type")]
        pub kind: String,
    }
}
