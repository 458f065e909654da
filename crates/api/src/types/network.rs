//! Networks.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::types::EndpointSettings;
use crate::wire::wire;

wire! {
    /// A network, as list and inspect show it.
    #[serde(rename_all = "PascalCase")]
    pub struct Network {
        pub name: String,
        pub id: String,
        pub created: String,
        pub scope: String,
        pub driver: String,
        #[serde(rename = "EnableIPv4")]
        pub enable_ipv4: bool,
        #[serde(rename = "EnableIPv6")]
        pub enable_ipv6: bool,
        #[serde(rename = "IPAM")]
        pub ipam: Ipam,
        pub internal: bool,
        pub attachable: bool,
        pub ingress: bool,
        pub config_from: ConfigReference,
        pub config_only: bool,
        /// Of an inspect; empty in lists below 1.52.
        #[serde(skip_serializing_if = "is_default")]
        pub containers: Option<BTreeMap<String, EndpointResource>>,
        pub options: Option<BTreeMap<String, String>>,
        pub labels: Option<BTreeMap<String, String>>,
    }
}

wire! {
    /// Address management of a network.
    #[serde(rename_all = "PascalCase")]
    pub struct Ipam {
        pub driver: String,
        pub options: Option<BTreeMap<String, String>>,
        pub config: Option<Vec<IpamConfig>>,
    }
}

wire! {
    /// One pool.
    #[serde(rename_all = "PascalCase")]
    pub struct IpamConfig {
        #[serde(skip_serializing_if = "is_default")]
        pub subnet: String,
        #[serde(rename = "IPRange", skip_serializing_if = "is_default")]
        pub ip_range: String,
        #[serde(skip_serializing_if = "is_default")]
        pub gateway: String,
        #[serde(skip_serializing_if = "is_default")]
        pub auxiliary_addresses: BTreeMap<String, String>,
    }
}

wire! {
    /// The network whose configuration is used.
    #[serde(rename_all = "PascalCase")]
    pub struct ConfigReference {
        pub network: String,
    }
}

wire! {
    /// A container on a network.
    #[serde(rename_all = "PascalCase")]
    pub struct EndpointResource {
        pub name: String,
        #[serde(rename = "EndpointID")]
        pub endpoint_id: String,
        pub mac_address: String,
        /// With its prefix length.
        #[serde(rename = "IPv4Address")]
        pub ipv4_address: String,
        #[serde(rename = "IPv6Address")]
        pub ipv6_address: String,
    }
}

wire! {
    /// The body of `POST /networks/create`.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkCreateRequest {
        pub name: String,
        /// `bridge` when empty.
        pub driver: String,
        pub scope: String,
        /// Null is on.
        #[serde(rename = "EnableIPv4", skip_serializing_if = "is_default")]
        pub enable_ipv4: Option<bool>,
        /// Null is the daemon's default, off.
        #[serde(rename = "EnableIPv6", skip_serializing_if = "is_default")]
        pub enable_ipv6: Option<bool>,
        #[serde(rename = "IPAM")]
        pub ipam: Option<Ipam>,
        pub internal: bool,
        pub attachable: bool,
        pub ingress: bool,
        pub config_only: bool,
        pub config_from: Option<ConfigReference>,
        pub options: Option<BTreeMap<String, String>>,
        pub labels: Option<BTreeMap<String, String>>,
    }
}

wire! {
    /// What was created.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkCreateResponse {
        pub id: String,
        pub warning: String,
    }
}

wire! {
    /// The body of `POST /networks/{id}/connect`.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkConnectRequest {
        pub container: String,
        pub endpoint_config: Option<EndpointSettings>,
    }
}

wire! {
    /// The body of `POST /networks/{id}/disconnect`.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkDisconnectRequest {
        pub container: String,
        pub force: bool,
    }
}

wire! {
    /// Names of the networks that were pruned.
    #[serde(rename_all = "PascalCase")]
    pub struct NetworkPruneResponse {
        pub networks_deleted: Option<Vec<String>>,
    }
}
