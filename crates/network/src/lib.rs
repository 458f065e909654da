//! The networks of containers: bridges, addresses, ports on the host, and the three files that go with a network.
//!
//! [`Networks::open`] writes the private nftables table; [`Networks::open_default`] makes (or finds again) the default
//! bridge and chooses its subnet; [`Networks::plan`] and [`Networks::up`] do so for networks that users create.
//! [`Networks::sandbox`] makes what a container gets: a network namespace with `lo`, a link for each network and a
//! default route, as a descriptor to hand to the runtime. Nothing is kept in the file system: a namespace lives as long
//! as its processes, and its pairs of interfaces die with it. [`Networks::publish`] leads ports of the host to it.
//!
//! Everything in the kernel carries its owner: bridges and the host's ends of the pairs in their alias
//! (`lighter:OWNER:…`), the table in its name. So [`Networks::restore`] can sweep what a killed daemon left, and
//! several daemons live side by side. What networks there are and who has which port is recorded by the caller, who tells
//! it again at a start.
//!
//! The API blocks (for about 0.2–2 ms): call it from blocking threads.
//!
//! Other people's firewalls: rules of other tables stay in force. A packet must be accepted by *every* forward chain,
//! so a foreign one with policy `drop` (ufw, firewalld, a Docker beside us) cuts containers off until it lets our
//! bridge pass; [`Networks::foreign_drops`] names such chains, and we change none of them.

mod announce;
mod bridge;
mod child;
mod claims;
mod config;
pub mod dns;
mod doctor;
mod egress;
mod endpoint;
pub mod files;
mod firewall;
mod flows;
mod forwarding;
mod gate;
mod host_firewall;
mod lease;
mod mac;
mod namespace;
mod networks;
mod owner;
mod plan;
mod pool;
mod ports;
mod sandbox;

pub use bridge::may_name_link;
pub use config::{BridgeConfig, Ipv6Config, Options};
pub use doctor::{Finding, Severity};
pub use endpoint::{Endpoint, EndpointRequest, ways_out};
pub use host_firewall::{HostFirewall, Knock, Opinion};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use namespace::{Isolated, NamespaceOwner, isolated};
pub use networks::{HostAddress, Networks, Passage, Stale, namespace_of};
pub use owner::Names;
pub use plan::{Driver, GatewayMode, Plan, Subnet, SubnetRequest};
pub use pool::default_pools;
pub use ports::{PortRequest, Protocol, Published, Relay, Taken};
pub use sandbox::Sandbox;
