use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::Ipv4Net;
use netlink::route::{self, Target};
use netlink::{Batch, Socket};
use values::{Error, Result};

use crate::bridge::{self, failed};
use crate::config::BridgeConfig;
use crate::firewall::{self, Rules};
use crate::lease::Leases;
use crate::namespace::{self, Maker};
use crate::sandbox::{self, EndpointRequest, Identity, Plug, Prepared, Sandbox};
use crate::{egress, files, mac, owner};

const IP_FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// The networks of one daemon: today its default bridge.
pub struct Networks {
    shared: Arc<Shared>,
    thread: namespace::Thread,
}

/// What the namespace thread needs, too.
struct Shared {
    config: BridgeConfig,
    /// The bridge's own address with the subnet's prefix.
    address: Ipv4Net,
    bridge: AtomicU32,
    mtu: AtomicU32,
    host: Mutex<Socket>,
    leases: Mutex<Leases>,
    spare: Mutex<Option<Prepared>>,
    /// A prefetch waits for its turn: one is enough for any number of starts.
    prefetching: AtomicBool,
}

impl Networks {
    /// Makes or adopts the bridge, writes the table, turns forwarding on. All of it is done again at every start, so
    /// that whatever happened to it meanwhile is mended. Belongs to the network namespace of the calling thread.
    ///
    /// Errors: `Conflict` if the bridge's name is another kind of interface, `InvalidArgument` for a bad name or `bip` or
    /// if no subnet is free, `Internal` with the kernel's words.
    pub fn open(config: BridgeConfig) -> Result<Self> {
        let thread = namespace::Thread::start()?;
        let mut host = Socket::route().map_err(failed)?;
        let mtu = config.mtu.map_or_else(|| egress::mtu(&mut host).map_err(failed), Ok)?;
        let made = bridge::ensure(&mut host, &config, mtu, &files::resolv::host_nameservers())?;
        install_rules(&config, made.address)?;
        turn_on_forwarding()?;
        let shared = Shared {
            address: made.address,
            bridge: AtomicU32::new(made.index),
            mtu: AtomicU32::new(mtu),
            host: Mutex::new(host),
            leases: Mutex::new(Leases::new(made.address.trunc(), made.address.addr())),
            spare: Mutex::new(None),
            prefetching: AtomicBool::new(false),
            config,
        };
        Ok(Self { shared: Arc::new(shared), thread })
    }

    /// The bridge's name.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// The bridge's own address with its subnet's prefix, such as 172.17.0.1/16: what to hand in as
    /// [`BridgeConfig::remembered`] next time.
    pub fn address(&self) -> Ipv4Net {
        self.shared.address
    }

    pub fn subnet(&self) -> Ipv4Net {
        self.shared.address.trunc()
    }

    pub fn gateway(&self) -> Ipv4Addr {
        self.shared.address.addr()
    }

    /// Of the bridge and of containers made from now on.
    pub fn mtu(&self) -> u32 {
        self.shared.mtu.load(Ordering::Relaxed)
    }

    pub fn icc(&self) -> bool {
        self.shared.config.icc
    }

    pub fn ip_masq(&self) -> bool {
        self.shared.config.ip_masq
    }

    /// A namespace on the bridge for `container`, which has the address until [`release`](Self::release).
    ///
    /// Errors: `Forbidden` if the wanted address is taken, `InvalidArgument` if it is not in the subnet, `Internal` if
    /// none is free or the kernel refuses. Nothing is left behind.
    pub fn sandbox(&self, container: &str, request: &EndpointRequest) -> Result<Sandbox> {
        let ip = self.lease(container, request.ip)?;
        let identity = Identity {
            container,
            ip,
            prefix_len: self.shared.address.prefix_len(),
            gateway: self.gateway(),
            mac: request.mac.unwrap_or_else(|| mac::of_ip(ip)),
        };
        let made = self.furnish(&identity, request.host_ids);
        if made.is_err() {
            self.release(container);
        }
        made
    }

    /// Frees the address of `container`. Its interfaces go with the namespace, which ends with the container's last
    /// process: deleting them here would wait for the kernel.
    pub fn release(&self, container: &str) {
        self.shared.leases().release(container);
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

    /// After a restart of the daemon: `live` containers (id, address, host's interface) keep their addresses, and
    /// interfaces of this daemon that belong to none of them are removed in the background. Returns these.
    pub fn restore(&self, live: &[(String, Ipv4Addr, String)]) -> Result<Vec<String>> {
        let mut leases = self.shared.leases();
        for (container, ip, _) in live {
            // One outside the subnet (`--bip` was changed) is of no concern to it.
            if self.subnet().contains(ip) {
                leases.claim(container, *ip)?;
            }
        }
        drop(leases);
        let mut stale = self.shared.own_ports()?;
        stale.retain(|name| !live.iter().any(|(_, _, kept)| kept == name));
        let (shared, names) = (Arc::clone(&self.shared), stale.clone());
        self.thread.later(move |_| names.iter().for_each(|name| shared.delete(name)));
        Ok(stale)
    }

    /// Forward chains of other programs' tables which drop what they do not know, as `FAMILY TABLE CHAIN`: they have
    /// to let the bridge pass before a container can reach the outside.
    pub fn foreign_drops(&self) -> Result<Vec<String>> {
        let mut socket = Socket::netfilter().map_err(failed)?;
        let mut found = firewall::foreign_drops(&mut socket).map_err(failed)?;
        let own = format!(" {} ", owner::table(&self.shared.config.owner));
        found.retain(|chain| !chain.contains(&own));
        Ok(found)
    }

    /// Removes the bridge (if this daemon made it) and the table. Containers still running are cut off.
    pub fn close_and_remove(&self) -> Result<()> {
        self.shared.spare().take();
        self.thread.run(|_| Ok(()))?; // a spare being made, stale interfaces being deleted
        self.shared.spare().take();
        let removed = bridge::remove(&mut self.shared.host(), &self.shared.config);
        let mut socket = Socket::netfilter().map_err(failed)?;
        firewall::remove(&mut socket, &self.shared.config.owner).map_err(failed)?;
        removed
    }

    fn lease(&self, container: &str, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr> {
        let mut leases = self.shared.leases();
        match wanted {
            Some(ip) => leases.claim(container, ip).map(|()| ip),
            None => leases.take(container),
        }
    }

    /// With the spare if there is one that still fits.
    fn furnish(&self, identity: &Identity<'_>, host_ids: bool) -> Result<Sandbox> {
        let owned = self.shared.config.namespace_owner.is_some() && !host_ids;
        let fits = |spare: &mut Prepared| spare.mtu == self.mtu() && spare.is_owned() == owned;
        let spare = self.shared.spare().take_if(fits);
        if let Some(spare) = spare
            && let Ok(sandbox) = spare.finish(&self.shared.host, self.shared.plug(), identity)
        {
            return Ok(sandbox);
        }
        let shared = Arc::clone(&self.shared);
        let prepared = self.thread.run(move |maker| shared.prepare(maker, owned))?;
        prepared.finish(&self.shared.host, self.shared.plug(), identity)
    }
}

impl Shared {
    fn host(&self) -> MutexGuard<'_, Socket> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Option<Prepared>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plug(&self) -> Plug<'_> {
        Plug {
            owner: &self.config.owner,
            bridge: self.bridge.load(Ordering::Relaxed),
            mtu: self.mtu.load(Ordering::Relaxed),
            isolated: !self.config.icc,
        }
    }

    /// Makes the bridge again and tries once more if somebody deleted it.
    fn prepare(&self, maker: &Maker, owned: bool) -> Result<Prepared> {
        let owner = self.config.namespace_owner.as_ref().filter(|_| owned);
        match sandbox::prepare(maker, self.plug(), owner, |batch| self.host().execute(batch)) {
            Err(_) if self.bridge_is_gone()? => {
                self.ensure_bridge()?;
                sandbox::prepare(maker, self.plug(), owner, |batch| self.host().execute(batch)).map_err(failed)?
            }
            other => other.map_err(failed)?,
        }
    }

    fn bridge_is_gone(&self) -> Result<bool> {
        let found = route::link(&mut self.host(), Target::Index(self.bridge.load(Ordering::Relaxed)));
        Ok(found.map_err(failed)?.is_none())
    }

    fn ensure_bridge(&self) -> Result<()> {
        let config = BridgeConfig { bip: Some(self.address), ..self.config.clone() };
        let made = bridge::ensure(&mut self.host(), &config, self.mtu.load(Ordering::Relaxed), &[])?;
        self.bridge.store(made.index, Ordering::Relaxed);
        Ok(())
    }

    fn prefetch(&self, maker: &Maker) -> Result<()> {
        self.prefetching.store(false, Ordering::Relaxed);
        self.follow_mtu()?;
        let mut netfilter = Socket::netfilter().map_err(failed)?;
        if !firewall::installed(&mut netfilter, &self.config.owner).map_err(failed)? {
            install_rules(&self.config, self.address)?;
        }
        if self.spare().is_none() {
            let prepared = self.prepare(maker, self.config.namespace_owner.is_some())?;
            *self.spare() = Some(prepared);
        }
        Ok(())
    }

    fn follow_mtu(&self) -> Result<()> {
        if self.config.mtu.is_some() {
            return Ok(());
        }
        let mtu = egress::mtu(&mut self.host()).map_err(failed)?;
        if mtu != self.mtu.swap(mtu, Ordering::Relaxed) {
            self.spare().take();
            self.ensure_bridge()?;
        }
        Ok(())
    }

    /// Names of the bridge's ports that this daemon made.
    fn own_ports(&self) -> Result<Vec<String>> {
        let ports = route::ports(&mut self.host(), self.bridge.load(Ordering::Relaxed)).map_err(failed)?;
        let own = |port: &route::Link| owner::owns(&self.config.owner, port.alias.as_deref());
        Ok(ports.into_iter().filter(own).map(|port| port.name).collect())
    }

    /// Its namespace may take it first, which is as good.
    fn delete(&self, port: &str) {
        let mut batch = Batch::new();
        route::delete_link(&mut batch, Target::Name(port));
        let _ = self.host().execute(batch);
    }
}

fn install_rules(config: &BridgeConfig, address: Ipv4Net) -> Result<()> {
    let mut socket = Socket::netfilter().map_err(failed)?;
    let rules = Rules {
        owner: &config.owner,
        bridge: &config.name,
        subnet: address.trunc(),
        ip_masq: config.ip_masq,
        icc: config.icc,
    };
    firewall::install(&mut socket, &rules).map_err(failed)
}

/// Written only where needed: writing resets per-link settings of whoever tuned them.
fn turn_on_forwarding() -> Result<()> {
    let failed = |e: std::io::Error| Error::internal(format!("turn on IPv4 forwarding in {IP_FORWARD}: {e}"));
    if std::fs::read_to_string(IP_FORWARD).map_err(failed)?.trim() != "1" {
        std::fs::write(IP_FORWARD, "1").map_err(failed)?;
    }
    Ok(())
}
