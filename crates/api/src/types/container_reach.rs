//! Who can reach a container's ports (an endpoint of ours).

use crate::wire::wire;

wire! {
    /// The reply of `GET /lighter/containers/{id}/reach`.
    #[serde(rename_all = "PascalCase")]
    pub struct ContainerReach {
        pub id: String,
        /// Without a slash.
        pub name: String,
        /// Sentences on the whole container: whose network it has, that it does not run.
        pub notes: Vec<String>,
        /// Published and exposed ones, by number.
        pub ports: Vec<PortReach>,
    }
}

wire! {
    /// One port of a container, on one address of the host where it is published.
    #[serde(rename_all = "PascalCase")]
    pub struct PortReach {
        /// Inside: `80/tcp`.
        pub port: String,
        /// Empty for one that is exposed only.
        #[serde(rename = "HostIP")]
        pub host_ip: String,
        /// Empty for one that has none on the host.
        pub host_port: String,
        /// From those nearest to it to those farthest.
        pub who: Vec<Reach>,
    }
}

wire! {
    /// Some who may or may not reach a port.
    #[serde(rename_all = "PascalCase")]
    pub struct Reach {
        /// `loopback`, `host`, `host-networks`, `containers` or `anybody`.
        pub who: String,
        /// `yes`, `no` or `depends`.
        pub reaches: String,
        /// Where it is reached, and why it is or is not.
        pub why: String,
    }
}
