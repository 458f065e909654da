//! The network of containers: the default bridge of one daemon, and the three files that go with a network.
//!
//! [`Networks::open`] makes (or finds again) the bridge, chooses its subnet, writes the private nftables table and
//! turns forwarding on. [`Networks::sandbox`] makes what a container gets: a network namespace with `lo`, `eth0` and
//! a default route, as a descriptor to hand to the runtime. Nothing is kept in the file system: a namespace lives as
//! long as its processes, and its pair of interfaces dies with it.
//!
//! Everything in the kernel carries its owner: the bridge and the host's ends of the pairs in their alias
//! (`lighter:OWNER:…`), the table in its name. So [`Networks::restore`] can sweep what a killed daemon left, and
//! several daemons live side by side.
//!
//! The API blocks (for about 0.2–2 ms): call it from blocking threads.
//!
//! Other people's firewalls: rules of other tables stay in force. A packet must be accepted by *every* forward chain,
//! so a foreign one with policy `drop` (ufw, firewalld, a Docker beside us) cuts containers off until it lets our
//! bridge pass; [`Networks::foreign_drops`] names such chains, and we change none of them.

mod bridge;
mod config;
mod egress;
pub mod files;
mod firewall;
mod lease;
mod mac;
mod namespace;
mod networks;
mod owner;
mod pool;
mod sandbox;

pub use config::BridgeConfig;
pub use ipnet::Ipv4Net;
pub use namespace::{Isolated, NamespaceOwner, isolated};
pub use networks::Networks;
pub use owner::Names;
pub use pool::default_pools;
pub use sandbox::{Endpoint, EndpointRequest, Sandbox};
