//! A container's networks as inspect shows them.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::types::{EndpointSettings, PortMap};
use crate::wire::wire;

wire! {
    /// The networks of a container. The optional fields are gone since 1.52: `versions` fills them for older clients.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkSettings {
        #[serde(skip_serializing_if = "is_default")]
        pub bridge: Option<String>,
        #[serde(rename = "SandboxID")]
        pub sandbox_id: String,
        pub sandbox_key: String,
        pub ports: Option<PortMap>,
        #[serde(skip_serializing_if = "is_default")]
        pub hairpin_mode: Option<bool>,
        #[serde(rename = "LinkLocalIPv6Address", skip_serializing_if = "is_default")]
        pub link_local_ipv6_address: Option<String>,
        #[serde(rename = "LinkLocalIPv6PrefixLen", skip_serializing_if = "is_default")]
        pub link_local_ipv6_prefix_len: Option<i64>,
        #[serde(rename = "SecondaryIPAddresses", skip_serializing_if = "is_default")]
        pub secondary_ip_addresses: Option<Option<Vec<Address>>>,
        #[serde(rename = "SecondaryIPv6Addresses", skip_serializing_if = "is_default")]
        pub secondary_ipv6_addresses: Option<Option<Vec<Address>>>,
        #[serde(rename = "EndpointID", skip_serializing_if = "is_default")]
        pub endpoint_id: Option<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub gateway: Option<String>,
        #[serde(rename = "GlobalIPv6Address", skip_serializing_if = "is_default")]
        pub global_ipv6_address: Option<String>,
        #[serde(rename = "GlobalIPv6PrefixLen", skip_serializing_if = "is_default")]
        pub global_ipv6_prefix_len: Option<i64>,
        #[serde(rename = "IPAddress", skip_serializing_if = "is_default")]
        pub ip_address: Option<String>,
        #[serde(rename = "IPPrefixLen", skip_serializing_if = "is_default")]
        pub ip_prefix_len: Option<i64>,
        #[serde(rename = "IPv6Gateway", skip_serializing_if = "is_default")]
        pub ipv6_gateway: Option<String>,
        #[serde(skip_serializing_if = "is_default")]
        pub mac_address: Option<String>,
        pub networks: Option<BTreeMap<String, EndpointSettings>>,
    }
}

wire! {
    /// An address with its prefix.
    #[serde(rename_all = "PascalCase")]
    pub struct Address {
        pub addr: String,
        pub prefix_len: i64,
    }
}
