//! One network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use netlink::nft::{Element, Key};
use values::{Error, Result};

use crate::endpoint::EndpointRequest;
use crate::firewall::set;
use crate::lease::Leases;
use crate::mac;
use crate::plan::{Driver, GatewayMode, Plan};

/// MAX_NEIGHBOR_ADVERTISEMENT and RETRANS_TIMER of RFC 4861, as in Docker.
const ADVERTISEMENTS: u32 = 3;
const ADVERTISED_EVERY: Duration = Duration::from_secs(1);

/// One network.
pub(super) struct Net {
    pub(super) plan: Plan,
    /// Of the bridge or the parent; 0 while it is not there.
    pub(super) link: AtomicU32,
    pub(super) mtu: AtomicU32,
    pub(super) leases: Mutex<Vec<Leases>>,
    /// There has been a container here whose hardware address did not follow from its address.
    strangers: AtomicBool,
    /// It is being removed: nobody is put here any more. Changed while the leases are held.
    closed: AtomicBool,
}

impl Net {
    pub(super) fn new(plan: Plan) -> Self {
        let leases = Mutex::new(plan.subnets.iter().map(Leases::new).collect());
        Self {
            plan,
            link: AtomicU32::new(0),
            mtu: AtomicU32::new(0),
            leases,
            strangers: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn leases(&self) -> MutexGuard<'_, Vec<Leases>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody comes here from now on.
    ///
    /// # Errors
    /// `Forbidden` if somebody is here.
    pub(super) fn close(&self) -> Result<()> {
        let leases = self.leases();
        if leases.iter().any(Leases::are_held) {
            return Err(Error::forbidden(format!(
                "error while removing network: network {} has active endpoints (of a container that is being started or ended)",
                self.plan.name
            )));
        }
        self.closed.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn open_again(&self) {
        self.closed.store(false, Ordering::Relaxed);
    }

    /// Addresses for a container. On an error it has none.
    pub(super) fn lease(&self, container: &str, request: &EndpointRequest) -> Result<(Option<IpNet>, Option<IpNet>)> {
        let mut leases = self.leases();
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::not_found(format!("network {} not found", self.plan.name)));
        }
        let taken = lease(&mut leases, container, request);
        taken.inspect_err(|_| leases.iter_mut().for_each(|one| one.release(container)))
    }

    /// Somebody has these addresses from now on.
    pub(super) fn notice(&self, mac: Option<[u8; 6]>, ip: Option<Ipv4Addr>, ip6: Option<Ipv6Addr>) {
        if mac.is_some() && (ip6.is_some() || mac != ip.map(mac::of_ip)) {
            self.strangers.store(true, Ordering::Relaxed);
        }
    }

    /// How often who comes here is to be told to its neighbours.
    pub(super) fn advertisements(&self) -> u32 {
        let needed = if self.strangers.load(Ordering::Relaxed) { ADVERTISEMENTS } else { 0 };
        self.plan.advertisements.unwrap_or(needed)
    }

    pub(super) fn advertised_every(&self) -> Duration {
        self.plan.advertised_every.map_or(ADVERTISED_EVERY, |time| Duration::from_millis(time.into()))
    }

    pub(super) fn release(&self, container: &str) {
        self.leases().iter_mut().for_each(|leases| leases.release(container));
    }

    pub(super) fn gateway(&self, ipv4: bool) -> Option<IpAddr> {
        if self.plan.internal {
            return None;
        }
        let subnet = self.plan.subnets.iter().find(|subnet| subnet.net.addr().is_ipv4() == ipv4)?;
        if !self.plan.driver.has_gateway() {
            return Some(if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() });
        }
        subnet.gateway
    }

    /// What the firewall's sets have of it.
    pub(super) fn elements(&self) -> Vec<(&'static str, Element)> {
        if self.plan.driver != Driver::Bridge {
            return vec![];
        }
        let link = || Key::default().link(&self.plan.link);
        let mut all = vec![(set::BRIDGES, Element::new(link()))];
        if self.plan.icc {
            all.push((set::ICC, Element::new(link().link(&self.plan.link))));
        }
        if self.plan.internal {
            all.push((set::INTERNAL, Element::new(link())));
        }
        for trusted in &self.plan.trusted {
            all.push((set::TRUSTED, Element::new(Key::default().link(trusted).link(&self.plan.link))));
        }
        for subnet in &self.plan.subnets {
            let ipv4 = subnet.net.addr().is_ipv4();
            let mode = self.plan.gateway_mode(ipv4);
            let (local, masquerade, open, routed) = if ipv4 {
                (set::LOCAL4, set::MASQUERADE4, set::OPEN4, set::ROUTED4)
            } else {
                (set::LOCAL6, set::MASQUERADE6, set::OPEN6, set::ROUTED6)
            };
            let network = Element::network(subnet.net.network(), subnet.net.broadcast());
            match mode {
                GatewayMode::NatUnprotected => all.push((open, Element::new(link()))),
                GatewayMode::Routed => all.push((routed, Element::new(link()))),
                GatewayMode::Nat | GatewayMode::Isolated => {}
            }
            if self.plan.masquerade && !self.plan.internal && mode != GatewayMode::Routed {
                all.push((masquerade, network.clone()));
                let source = if ipv4 { self.plan.source4.map(IpAddr::V4) } else { self.plan.source6.map(IpAddr::V6) };
                let sources = if ipv4 { set::SOURCES4 } else { set::SOURCES6 };
                let mapped = |to| Element::network_mapped(subnet.net.network(), subnet.net.broadcast(), to);
                all.extend(source.map(|ip| (sources, mapped(Key::default().ip(ip)))));
            }
            all.push((local, network));
        }
        all
    }
}

/// Addresses with their prefixes, of both families where the network has them.
fn lease(leases: &mut [Leases], container: &str, request: &EndpointRequest) -> Result<(Option<IpNet>, Option<IpNet>)> {
    let wanted = [request.ip.map(IpAddr::V4), request.ip6.map(IpAddr::V6)];
    let mut found = [None, None];
    for (family, v4) in [(0, true), (1, false)] {
        let mut of_it: Vec<&mut Leases> = leases.iter_mut().filter(|l| l.is_ipv4() == v4).collect();
        let ip = match wanted[family] {
            Some(ip) => match of_it.iter_mut().find(|leases| leases.covers(ip)) {
                Some(leases) => leases.claim(container, ip).map(|()| (ip, leases.prefix_len()))?,
                None => {
                    return Err(Error::invalid(format!(
                        "Invalid address {ip}: It does not belong to any of this network's subnets"
                    )));
                }
            },
            None => {
                let mut result = None;
                for leases in &mut of_it {
                    result = Some(leases.take(container).map(|ip| (ip, leases.prefix_len())));
                    if result.as_ref().is_some_and(Result::is_ok) {
                        break;
                    }
                }
                match result {
                    Some(taken) => taken?,
                    None => continue,
                }
            }
        };
        found[family] = IpNet::new(ip.0, ip.1).ok();
    }
    let [v4, v6] = found;
    Ok((v4, v6))
}
