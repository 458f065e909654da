use ipnet::{Ipv4Net, Ipv6Net};

use crate::namespace::NamespaceOwner;
use crate::owner::Names;
use crate::pool;

/// What holds for all networks of a daemon.
#[derive(Clone, Debug)]
pub struct Options {
    /// Subnets to choose from, in this order.
    pub pools: Vec<Ipv4Net>,
    /// Who owns containers' namespaces, unless one asks for the host's ids.
    pub namespace_owner: Option<NamespaceOwner>,
    /// The host's own firewall is asked who may reach a published port, unless a network says otherwise.
    pub guarded: bool,
    /// Containers may claim addresses that are not theirs, unless a network says otherwise.
    pub foreign_addresses: bool,
    /// Whoever has a route to a container's address reaches its published ports there.
    pub direct_routing: bool,
    /// The daemon passes on what the kernel cannot: `[::1]`, and IPv6 to containers without it.
    pub relays: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pools: pool::default_pools(),
            namespace_owner: None,
            guarded: false,
            foreign_addresses: false,
            direct_routing: false,
            relays: true,
        }
    }
}

/// IPv6 on the default bridge; what is `None` is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipv6Config {
    /// The bridge's own address and its network.
    pub bip: Option<Ipv6Net>,
    /// Where containers' addresses are taken from; without `bip` the network itself.
    pub fixed: Option<Ipv6Net>,
    pub gateway: Option<std::net::Ipv6Addr>,
}

/// How the default bridge of one daemon shall be.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// Of the link, at most 15 bytes.
    pub name: String,
    /// The bridge's own address and its network (`--bip`). `None`: what the bridge has, or `remembered`, or one from
    /// `pools`.
    pub bip: Option<Ipv4Net>,
    /// Networks to choose from, in this order.
    pub pools: Vec<Ipv4Net>,
    /// `None` follows the route to the outside.
    pub mtu: Option<u32>,
    /// [`Names::owner`].
    pub owner: String,
    /// Containers' packets leave the machine with its address.
    pub ip_masq: bool,
    /// Containers on the bridge can talk to each other.
    pub icc: bool,
    /// Where ports are published that name no address; `None`: on all of the host's.
    pub host_ip: Option<std::net::IpAddr>,
    /// Where containers' addresses are taken from; `None`: all of the network.
    pub fixed: Option<Ipv4Net>,
    /// Containers' default gateway, where it is not the bridge.
    pub gateway: Option<std::net::Ipv4Addr>,
    /// It has IPv6, too.
    pub ipv6: Option<Ipv6Config>,
    /// What [`Networks::open_default`](crate::Networks::open_default) answered the last time, taken again if it is still free.
    pub remembered: Option<Ipv4Net>,
}

impl BridgeConfig {
    /// Nothing chosen.
    pub(crate) fn bare() -> Self {
        Self::new(Names { owner: String::new(), bridge: String::new() })
    }

    /// Docker's defaults under our names.
    pub fn new(names: Names) -> Self {
        Self {
            name: names.bridge,
            bip: None,
            pools: pool::default_pools(),
            mtu: None,
            owner: names.owner,
            ip_masq: true,
            icc: true,
            host_ip: None,
            fixed: None,
            gateway: None,
            ipv6: None,
            remembered: None,
        }
    }
}
