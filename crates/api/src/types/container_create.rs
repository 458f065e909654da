//! Creating a container.

use crate::types::{ContainerConfig, HostConfig, NetworkingConfig};
use crate::wire::wire;

wire! {
    /// The body of `POST /containers/create`: the portable configuration at the top level, the rest below.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerCreateRequest {
        #[flatten]
        pub config: ContainerConfig,
        pub host_config: Option<HostConfig>,
        pub networking_config: Option<NetworkingConfig>,
    }
}

wire! {
    /// What was created, and what the user should know.
    #[serde(rename_all = "PascalCase")]
    pub struct CreateResponse {
        pub id: String,
        pub warnings: Vec<String>,
    }
}

wire! {
    /// An id alone.
    #[serde(rename_all = "PascalCase")]
    pub struct IdResponse {
        pub id: String,
    }
}
