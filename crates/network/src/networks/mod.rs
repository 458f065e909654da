//! The networks of one daemon.

mod default;
mod links;
mod look;
mod net;
mod places;
mod publish;
mod shared;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ipnet::IpNet;
use netlink::Socket;
use netlink::nft::Watch;
use values::{Error, Result};

use crate::announce::Announcer;
use crate::bridge::{self, failed};
use crate::claims::Claims;
use crate::config::Options;
use crate::doctor;
use crate::firewall::Firewall;
use crate::namespace;
use crate::plan::{self, Driver, GatewayMode, Plan, Space, SubnetRequest};
use crate::{child, files, gate};
use net::Net;
use shared::Shared;

pub use links::Stale;
pub use look::HostAddress;
pub use places::namespace_of;
pub use publish::Passage;

/// The networks of one daemon, and the ports that its containers have on the host.
pub struct Networks {
    shared: Arc<Shared>,
    thread: namespace::Thread,
    /// Deletes links: the kernel takes tens of milliseconds for each.
    removals: namespace::Thread,
    /// Opens sockets for containers' questions: whoever starts does not wait behind one that asks much.
    questions: namespace::Thread,
}

impl Networks {
    /// Writes an empty table, or holds what the daemon before left until [`settle`](Self::settle): what was open stays open
    /// while containers are looked for. Belongs to the network namespace of the calling thread.
    ///
    /// Errors: `Internal` with the kernel's words.
    pub fn open(owner: &str, options: Options) -> Result<Self> {
        let start = namespace::Thread::start;
        let (thread, removals, questions) = (start()?, start()?, start()?);
        let shared = Shared {
            owner: owner.into(),
            options,
            host: Mutex::new(Socket::route().map_err(failed)?),
            firewall: Mutex::new(Firewall::open(owner).map_err(failed)?),
            claims: Claims::default(),
            announcer: Announcer::default(),
            ports: Mutex::default(),
            networks: RwLock::default(),
            dying: Mutex::default(),
            default: Mutex::default(),
            spare: Mutex::new(None),
            prefetching: AtomicBool::new(false),
            way_out: AtomicU32::new(0),
        };
        Ok(Self { shared: Arc::new(shared), thread, removals, questions })
    }

    /// Chooses what `plan` and the subnets asked for leave open, and takes it. Nothing is in the kernel yet:
    /// [`up`](Self::up). `ipv4`, `ipv6`: the network shall have it.
    ///
    /// Errors: those of the subnets, see [`SubnetRequest`].
    pub fn plan(&self, mut plan: Plan, asked: &[SubnetRequest], ipv4: bool, ipv6: bool) -> Result<Plan> {
        let mut taken = bridge::taken_by_host(&mut self.shared.host())?;
        taken.extend(files::resolv::host_nameservers().into_iter().map(IpNet::V4));
        // two networks at the same moment: the second looks when the first is entered
        let mut networks = self.shared.networks.write().unwrap_or_else(PoisonError::into_inner);
        let own: Vec<IpNet> = networks.values().flat_map(|net| net.plan.subnets.iter().map(|s| s.net)).collect();
        let space = Space {
            pools: &self.shared.options.pools,
            taken: &taken,
            own: &own,
            seed: seed(&self.shared.owner, &plan.id),
        };
        plan.subnets = plan::subnets(asked, ipv4, ipv6, &space)?;
        let isolated = [true, false].map(|ipv4| plan.gateway_mode(ipv4) == GatewayMode::Isolated);
        for subnet in &mut plan.subnets {
            // nobody would answer there
            let named = asked.iter().any(|one| one.gateway.is_some() && one.gateway == subnet.gateway);
            let isolated = isolated[usize::from(subnet.net.addr().is_ipv6())];
            subnet.gateway = subnet.gateway.filter(|_| named || !isolated);
        }
        networks.insert(plan.id.clone(), Arc::new(Net::new(plan.clone())));
        Ok(plan)
    }

    /// Enters a network as it was recorded.
    pub fn enter(&self, plan: Plan) {
        self.shared.insert(Net::new(plan));
    }

    /// Makes a network's bridge and its rules, or finds them again. On an error nothing is left of it in the kernel.
    pub fn up(&self, id: &str) -> Result<()> {
        let net = self.shared.net(id)?;
        self.removed(&net.plan.link)?;
        let made = self.shared.make(&net);
        if made.is_err() {
            let _ = self.down(&net);
        }
        made
    }

    /// Forgets a network and takes it out of the kernel.
    ///
    /// Errors: `Forbidden` if a container has a place there, or is just being given one.
    pub fn remove(&self, id: &str) -> Result<()> {
        let Ok(net) = self.shared.net(id) else { return Ok(()) };
        net.close()?;
        self.down(&net).inspect_err(|_| net.open_again())?;
        self.shared.networks.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(())
    }

    /// Takes back a network of which nobody was told, whatever cannot be taken out of the kernel: what it has there without a
    /// record goes with the daemon's next start.
    pub fn withdraw(&self, id: &str) -> Result<()> {
        let removed = self.remove(id);
        self.shared.networks.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        removed
    }

    /// What became of a network: its MTU, for the default bridge also the subnet.
    pub fn mtu(&self, id: &str) -> u32 {
        self.shared.net(id).map_or(0, |net| net.mtu.load(Ordering::Relaxed))
    }

    /// A line for the daemon's owner where containers on one network can claim each other's addresses, which they should not.
    pub fn unwatched(&self) -> Option<&'static str> {
        let wanted = self.shared.all().iter().any(|net| self.shared.watches(&net.plan));
        (wanted && !self.shared.firewall().watches_bridges()).then_some(doctor::UNWATCHED)
    }

    /// Whether the host's own firewall decides who reaches ports of containers on a network.
    pub fn is_guarded(&self, id: &str) -> bool {
        self.shared.net(id).is_ok_and(|net| self.shared.guards(&net.plan))
    }

    pub fn current_plan(&self, id: &str) -> Option<Plan> {
        self.shared.net(id).ok().map(|net| net.plan.clone())
    }

    fn down(&self, net: &Net) -> Result<()> {
        match net.plan.driver {
            Driver::Bridge => {
                let bridge = bridge::retire(&mut self.shared.host(), &self.shared.owner, &net.plan.link)?;
                self.remove_later(&net.plan.link, bridge);
            }
            _ => child::remove_parent(&mut self.shared.host(), &self.shared.owner, &net.plan.link)?,
        }
        net.link.store(0, Ordering::Relaxed);
        self.shared.firewall().apply(&[], &net.elements()).map_err(failed)
    }

    /// All that runs is told: from now on the kernel has the rules for that, and for nothing else.
    pub fn settle(&self) -> Result<()> {
        self.shared.firewall().settle().map_err(failed)
    }

    /// Gets the next sandbox ready in the background, and looks after what the host may have changed meanwhile: the
    /// MTU of the way out, a flushed rule set, a deleted bridge. Returns at once. Call it when a start is over.
    pub fn prefetch(&self) {
        if self.shared.prefetching.swap(true, Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        // Whatever fails here is met again, and reported, by the next start.
        self.thread.later(move |maker| drop(shared.prefetch(maker)));
    }

    /// Calls `told` whenever somebody took the table away and it was written again, on a thread of its own, for as long
    /// as the daemon lives. Call it when all is [settled](Self::settle). Nobody can where the kernel lets us own it.
    pub fn watch(&self, told: impl Fn(Result<()>) + Send + 'static) -> Result<()> {
        if self.shared.firewall().is_owned() {
            return Ok(());
        }
        let mut watch = {
            let firewall = self.shared.firewall();
            Watch::new(firewall.families(), firewall.name()).map_err(failed)?
        };
        let shared = Arc::clone(&self.shared);
        let run = move || {
            while watch.removed().is_ok() {
                match shared.firewall().mend() {
                    Ok(true) => told(Ok(())),
                    Ok(false) => {} // we did it ourselves
                    Err(error) => told(Err(failed(error))),
                }
            }
        };
        let builder = std::thread::Builder::new().name("firewall".into()).stack_size(128 * 1024);
        builder.spawn(run).map_err(|e| Error::internal(format!("start thread: {e}")))?;
        Ok(())
    }

    /// Removes the bridges this daemon made, and the table. Containers still running are cut off.
    pub fn close_and_remove(&self) -> Result<()> {
        self.shared.spare().take();
        self.thread.run(|_| Ok(()))?; // a spare being made
        self.removals.run(|_| Ok(()))?;
        self.shared.spare().take();
        let mut result = Ok(());
        for net in self.shared.all() {
            if net.plan.driver == Driver::Bridge {
                result = result.and(bridge::remove(&mut self.shared.host(), &self.shared.owner, &net.plan.link));
            }
        }
        result = result.and(gate::remove(&mut self.shared.host(), &self.shared.owner));
        self.shared.firewall().remove().map_err(failed)?;
        result
    }
}

/// Half of a ULA is the daemon's, half the network's.
fn seed(owner: &str, id: &str) -> [u8; 8] {
    let hash = |text: &str| {
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        text.bytes().fold(0x811c_9dc5, step).to_be_bytes()
    };
    let ([a, b, c, d], [e, f, g, h]) = (hash(owner), hash(id));
    [a, b, c, d, e, f, g, h]
}
