//! What all of it works with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ipnet::IpNet;
use netlink::route::{self, ChildKind, Target};
use netlink::{Errno, Socket};
use values::{Error, Id, Result};

use super::net::Net;
use crate::announce::Announcer;
use crate::bridge::{self, failed};
use crate::claims::{Claim, Claims};
use crate::config::Options;
use crate::endpoint::Endpoint;
use crate::firewall::Firewall;
use crate::namespace::Maker;
use crate::plan::{Driver, Plan};
use crate::ports::Ports;
use crate::sandbox::{self, Identity, Prepared};
use crate::{child, egress, forwarding, gate};

/// What the namespace thread needs, too.
pub(super) struct Shared {
    pub(super) owner: String,
    pub(super) options: Options,
    pub(super) host: Mutex<Socket>,
    pub(super) firewall: Mutex<Firewall>,
    pub(super) claims: Claims,
    pub(super) announcer: Announcer,
    pub(super) ports: Mutex<Ports>,
    pub(super) networks: RwLock<BTreeMap<String, Arc<Net>>>,
    /// Links that are being removed, by whose they were: a container's or a bridge by its name.
    pub(super) dying: Mutex<BTreeMap<String, usize>>,
    /// Id of the default bridge's network, if there is one.
    pub(super) default: Mutex<Option<String>>,
    /// For the default bridge.
    pub(super) spare: Mutex<Option<Prepared>>,
    /// A prefetch waits for its turn: one is enough for any number of starts.
    pub(super) prefetching: AtomicBool,
    /// What the way outside takes, bytes, as it was last looked at; 0 before.
    pub(super) way_out: AtomicU32,
}

impl Shared {
    pub(super) fn host(&self) -> MutexGuard<'_, Socket> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks what the way outside takes.
    pub(super) fn look_outside(&self) -> Result<u32> {
        let mtu = egress::mtu(&mut self.host()).map_err(failed)?;
        self.way_out.store(mtu, Ordering::Relaxed);
        Ok(mtu)
    }

    /// What default routes of a network's containers are limited to: nothing where somebody gave it an MTU, or its links take no more.
    pub(super) fn route_limit(&self, net: &Net) -> Option<u32> {
        let is_followed = net.plan.driver == Driver::Bridge && net.plan.mtu.is_none();
        let way_out = self.way_out.load(Ordering::Relaxed);
        (is_followed && way_out > 0 && way_out < net.mtu.load(Ordering::Relaxed)).then_some(way_out)
    }

    pub(super) fn firewall(&self) -> MutexGuard<'_, Firewall> {
        self.firewall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spare(&self) -> MutexGuard<'_, Option<Prepared>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn default(&self) -> MutexGuard<'_, Option<String>> {
        self.default.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What guarded ports need: a pair of links and the tables that send copies by it.
    pub(super) fn open_gate(&self) -> Result<()> {
        let link = gate::make(&mut self.host(), &self.owner)?;
        self.firewall().open_gate(link).map_err(|error| match error.errno {
            Errno::NOENT => Error::invalid(
                "the kernel cannot ask the host's firewall about published ports: it has no nftables \"dup\" \
                 (CONFIG_NFT_DUP_IPV4, CONFIG_NFT_DUP_IPV6)",
            ),
            _ => failed(error),
        })
    }

    pub(super) fn guards(&self, plan: &Plan) -> bool {
        plan.driver == Driver::Bridge && plan.guarded.unwrap_or(self.options.guarded)
    }

    /// Whether containers on a network claim no addresses but their own.
    pub(super) fn watches(&self, plan: &Plan) -> bool {
        plan.driver == Driver::Bridge && !plan.foreign_addresses.unwrap_or(self.options.foreign_addresses)
    }

    /// Lets a container claim what its places have, and nothing else.
    pub(super) fn admit(&self, container: &str, endpoints: &[Endpoint]) -> Result<()> {
        let watched = |e: &Endpoint| self.net(&e.network_id).is_ok_and(|net| self.watches(&net.plan));
        let claims = endpoints
            .iter()
            .filter(|e| watched(e))
            .filter_map(|endpoint| Some((container, endpoint.network_id.as_str(), Claim::of(endpoint)?)));
        self.claims.admit(&self.firewall, claims.collect()).map_err(failed)
    }

    /// The same before a place is there.
    pub(super) fn admit_one(
        &self,
        container: &str,
        net: &Net,
        endpoint_id: &Id,
        identity: &Identity<'_>,
    ) -> Result<()> {
        let Some(mac) = identity.mac.filter(|_| self.watches(&net.plan)) else { return Ok(()) };
        let addresses = identity.ip.iter().chain(&identity.ip6).map(IpNet::addr).chain(identity.link_local.clone());
        let claim = Claim::new(&sandbox::host_name(endpoint_id), mac, addresses);
        self.claims.admit(&self.firewall, vec![(container, net.plan.id.as_str(), claim)]).map_err(failed)
    }

    pub(super) fn is_guarded(&self) -> bool {
        self.all().iter().any(|net| self.guards(&net.plan))
    }

    pub(super) fn is_spare(&self, name: &str) -> bool {
        self.spare().as_ref().is_some_and(|spare| spare.host_ifname() == name)
    }

    pub(super) fn has_gate(&self, name: &str) -> bool {
        [gate::out(&self.owner), gate::back(&self.owner)].contains(&name.to_owned()) && self.is_guarded()
    }

    pub(super) fn is_default(&self, id: &str) -> bool {
        self.default().as_deref() == Some(id)
    }

    pub(super) fn default_net(&self) -> Option<Arc<Net>> {
        let id = self.default().clone()?;
        self.net(&id).ok()
    }

    pub(super) fn all(&self) -> Vec<Arc<Net>> {
        self.networks.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn net(&self, id: &str) -> Result<Arc<Net>> {
        let networks = self.networks.read().unwrap_or_else(PoisonError::into_inner);
        networks.get(id).cloned().ok_or_else(|| Error::not_found(format!("network {id} not found")))
    }

    pub(super) fn insert(&self, net: Net) {
        self.networks.write().unwrap_or_else(PoisonError::into_inner).insert(net.plan.id.clone(), Arc::new(net));
    }

    pub(super) fn make(&self, net: &Net) -> Result<()> {
        let plan = &net.plan;
        if plan.driver != Driver::Bridge {
            if let Some(kind) = child_kind(plan.driver) {
                child::check(&mut self.host(), kind)?;
            }
            return self.find_parent(net);
        }
        let mtu = match plan.mtu {
            Some(mtu) => mtu,
            None => egress::link_mtu(self.look_outside()?),
        };
        // the rules come first: nothing passes a bridge that they do not know
        self.firewall().apply(&net.elements(), &[]).map_err(failed)?;
        if self.guards(plan) {
            self.open_gate()?;
        }
        let index = bridge::make(&mut self.host(), &self.owner, plan, mtu)?;
        bridge::tune(&plan.link, !plan.icc);
        forwarding::ipv4()?;
        if plan.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6()) {
            forwarding::ipv6()?;
        }
        net.mtu.store(mtu, Ordering::Relaxed);
        net.link.store(index, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn find_parent(&self, net: &Net) -> Result<()> {
        let parent = child::parent(&mut self.host(), &self.owner, &net.plan.link)?;
        net.mtu.store(net.plan.mtu.unwrap_or(parent.mtu), Ordering::Relaxed);
        net.link.store(parent.index, Ordering::Relaxed);
        Ok(())
    }

    /// Makes the bridge again and tries once more if somebody deleted it.
    pub(super) fn prepare(&self, maker: &Maker, net: &Net, owned: bool) -> Result<Prepared> {
        let owner = self.options.namespace_owner.as_ref().filter(|_| owned);
        match sandbox::prepare(maker, self.plug(net)?, owner, |batch| self.host().execute(batch)) {
            Err(_) if self.bridge_is_gone(net)? => {
                self.ensure_bridge(net)?;
                sandbox::prepare(maker, self.plug(net)?, owner, |batch| self.host().execute(batch)).map_err(failed)?
            }
            other => other.map_err(failed)?,
        }
    }

    fn bridge_is_gone(&self, net: &Net) -> Result<bool> {
        let found = route::link(&mut self.host(), Target::Index(net.link.load(Ordering::Relaxed)));
        Ok(found.map_err(failed)?.is_none())
    }

    fn ensure_bridge(&self, net: &Net) -> Result<()> {
        let index = bridge::make(&mut self.host(), &self.owner, &net.plan, net.mtu.load(Ordering::Relaxed))?;
        bridge::tune(&net.plan.link, !net.plan.icc);
        net.link.store(index, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn prefetch(&self, maker: &Maker) -> Result<()> {
        self.prefetching.store(false, Ordering::Relaxed);
        let Some(net) = self.default_net() else { return Ok(()) };
        self.follow_mtu(&net)?;
        self.firewall().mend().map_err(failed)?;
        if self.is_guarded() {
            self.open_gate()?;
        }
        if self.spare().is_none() {
            let prepared = self.prepare(maker, &net, self.options.namespace_owner.is_some())?;
            *self.spare() = Some(prepared);
        }
        Ok(())
    }

    fn follow_mtu(&self, net: &Net) -> Result<()> {
        let mtu = egress::link_mtu(self.look_outside()?);
        if net.plan.mtu.is_some() {
            return Ok(());
        }
        if mtu != net.mtu.swap(mtu, Ordering::Relaxed) {
            self.spare().take();
            self.ensure_bridge(net)?;
        }
        Ok(())
    }

    pub(super) fn has_bridge(&self, name: &str) -> bool {
        self.all().iter().any(|net| net.plan.link == name)
    }
}

/// What containers' links are, where they are not pairs that end in a bridge.
pub(super) fn child_kind(driver: Driver) -> Option<ChildKind> {
    match driver {
        Driver::Bridge => None,
        Driver::Macvlan { mode } => Some(ChildKind::Macvlan { mode }),
        Driver::Ipvlan { mode, flags } => Some(ChildKind::Ipvlan { mode, flags }),
    }
}
