//! The default bridge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;

use ipnet::{IpNet, Ipv4Net};
use netlink::route::{self, Target};
use values::{Error, Result};

use super::Networks;
use super::net::Net;
use super::seed;
use crate::bridge::{self, failed};
use crate::config::{BridgeConfig, Ipv6Config};
use crate::plan::{self, Driver, Plan, Space, Subnet};
use crate::{egress, files, forwarding};

impl Networks {
    /// Makes or adopts the default bridge, turns forwarding on. All of it is done again at every start, so that whatever
    /// happened to it meanwhile is mended. Answers the bridge's own address with its prefix: what to hand in as
    /// [`BridgeConfig::remembered`] next time.
    ///
    /// Errors: `Conflict` if the bridge's name is another kind of interface, `InvalidArgument` for a bad name or `bip` or
    /// if no subnet is free, `Internal` with the kernel's words.
    pub fn open_default(&self, id: &str, config: &BridgeConfig) -> Result<Ipv4Net> {
        let shared = &self.shared;
        let mtu = match config.mtu {
            Some(mtu) => mtu,
            None => egress::link_mtu(shared.look_outside()?),
        };
        let made = bridge::ensure(&mut shared.host(), config, mtu, &files::resolv::host_nameservers())?;
        let net = made.address.trunc();
        if let Some(outside) = config.fixed.filter(|fixed| !net.contains(&fixed.trunc())) {
            return Err(Error::invalid(format!("fixed-cidr {outside} is not in the bridge's network {net}")));
        }
        let subnet = Subnet { range: config.fixed.map(|fixed| fixed.trunc().into()), ..Subnet::of(net.into()) };
        let own = Some(made.address.addr().into());
        let mut subnets = vec![plan::with_own(subnet, own, config.gateway.map(IpAddr::V4))?];
        if let Some(ipv6) = &config.ipv6 {
            subnets.push(self.default6(id, ipv6, &config.name)?);
        }
        let plan = Plan {
            subnets,
            link: config.name.clone(),
            mtu: config.mtu,
            icc: config.icc,
            masquerade: config.ip_masq,
            host_ip: config.host_ip,
            ..Plan::new(id, "bridge", Driver::Bridge)
        };
        let net = Net::new(plan);
        net.link.store(made.index, Ordering::Relaxed);
        net.mtu.store(mtu, Ordering::Relaxed);
        shared.firewall().apply(&net.elements(), &[]).map_err(failed)?;
        if config.ipv6.is_some() {
            bridge::make(&mut shared.host(), &shared.owner, &net.plan, mtu)?;
            forwarding::ipv6()?;
        }
        if shared.options.guarded {
            shared.open_gate()?;
        }
        bridge::tune(&config.name, !config.icc);
        forwarding::ipv4()?;
        shared.insert(net);
        *shared.default() = Some(id.into());
        Ok(made.address)
    }

    /// The default bridge's IPv6 subnet: what is on the bridge already is in nobody's way.
    fn default6(&self, id: &str, asked: &Ipv6Config, link: &str) -> Result<Subnet> {
        let mut host = self.shared.host();
        let own = route::link(&mut host, Target::Name(link)).map_err(failed)?.map(|link| link.index);
        let routes = route::routes6(&mut host).unwrap_or_default();
        let others = routes.iter().filter(|route| route.link != own && route.prefix_len >= 8);
        let taken: Vec<IpNet> =
            others.filter_map(|route| IpNet::new(route.destination, route.prefix_len).ok()).collect();
        drop(host);
        let pools = &self.shared.options.pools;
        plan::default6(asked, &Space { pools, taken: &taken, own: &[], seed: seed(&self.shared.owner, id) })
    }

    /// The default bridge's own address.
    pub fn default_gateway(&self) -> Option<Ipv4Addr> {
        let net = self.shared.default_net()?;
        net.plan.subnets.iter().filter_map(Subnet::own_net).find_map(|net| match net.addr() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }

    /// The same of IPv6, if it has it.
    pub fn default_gateway6(&self) -> Option<Ipv6Addr> {
        let net = self.shared.default_net()?;
        net.plan.subnets.iter().filter_map(Subnet::own_net).find_map(|net| match net.addr() {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip),
        })
    }
}
