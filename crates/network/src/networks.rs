use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ipnet::{IpNet, Ipv4Net};
use netlink::nft::{Element, Key, Watch};
use netlink::route::{self, ChildKind, LinkChange, Target};
use netlink::{Batch, Errno, Socket};
use values::{Error, Id, Result};

use crate::bridge::{self, failed};
use crate::claims::{Claim, Claims};
use crate::config::{BridgeConfig, Ipv6Config, Options};
use crate::doctor::{self, Finding, Seen};
use crate::endpoint::{Endpoint, EndpointRequest, ways_out};
use crate::firewall::{self, Firewall, set};
use crate::host_firewall::HostFirewall;
use crate::lease::Leases;
use crate::namespace::{self, Maker, Namespace};
use crate::plan::{self, Driver, GatewayMode, Plan, Space, Subnet, SubnetRequest};
use crate::ports::{Direct, PortRequest, Ports, Published, Relay, Taken, Targets};
use crate::sandbox::{self, Identity, Plug, Prepared, Routes, Sandbox};
use crate::{child, dns, egress, files, flows, forwarding, gate, mac, owner};

/// The networks of one daemon, and the ports that its containers have on the host.
pub struct Networks {
    shared: Arc<Shared>,
    thread: namespace::Thread,
    /// Deletes links: the kernel takes tens of milliseconds for each.
    removals: namespace::Thread,
}

/// What the namespace thread needs, too.
struct Shared {
    owner: String,
    options: Options,
    host: Mutex<Socket>,
    firewall: Mutex<Firewall>,
    claims: Claims,
    ports: Mutex<Ports>,
    networks: RwLock<BTreeMap<String, Arc<Net>>>,
    /// Links that are being removed, by whose they were: a container's or a bridge by its name.
    dying: Mutex<BTreeMap<String, usize>>,
    /// Id of the default bridge's network, if there is one.
    default: Mutex<Option<String>>,
    /// For the default bridge.
    spare: Mutex<Option<Prepared>>,
    /// A prefetch waits for its turn: one is enough for any number of starts.
    prefetching: AtomicBool,
}

/// One network.
struct Net {
    plan: Plan,
    /// Of the bridge or the parent; 0 while it is not there.
    link: AtomicU32,
    mtu: AtomicU32,
    leases: Mutex<Vec<Leases>>,
}

impl Net {
    fn new(plan: Plan) -> Self {
        let leases = Mutex::new(plan.subnets.iter().map(Leases::new).collect());
        Self { plan, link: AtomicU32::new(0), mtu: AtomicU32::new(0), leases }
    }

    fn leases(&self) -> MutexGuard<'_, Vec<Leases>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, container: &str) {
        self.leases().iter_mut().for_each(|leases| leases.release(container));
    }

    fn gateway(&self, ipv4: bool) -> Option<IpAddr> {
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
    fn elements(&self) -> Vec<(&'static str, Element)> {
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
            }
            all.push((local, network));
        }
        all
    }
}

/// An address of the host with its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// Name of the link that has it.
    pub link: String,
    pub net: IpNet,
}

/// A link between two containers of a network whose containers do not reach each other: from, to, and the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    pub ports: Vec<(crate::ports::Protocol, u16)>,
}

/// A link that an earlier daemon made and nothing tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    pub link: String,
    /// The container it was for, or what else.
    pub purpose: String,
}

impl Networks {
    /// Writes an empty table, or holds what the daemon before left until [`settle`](Self::settle): what was open stays open
    /// while containers are looked for. Belongs to the network namespace of the calling thread.
    ///
    /// Errors: `Internal` with the kernel's words.
    pub fn open(owner: &str, options: Options) -> Result<Self> {
        let (thread, removals) = (namespace::Thread::start()?, namespace::Thread::start()?);
        let shared = Shared {
            owner: owner.into(),
            options,
            host: Mutex::new(Socket::route().map_err(failed)?),
            firewall: Mutex::new(Firewall::open(owner).map_err(failed)?),
            claims: Claims::default(),
            ports: Mutex::default(),
            networks: RwLock::default(),
            dying: Mutex::default(),
            default: Mutex::default(),
            spare: Mutex::new(None),
            prefetching: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared), thread, removals })
    }

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
            None => egress::mtu(&mut shared.host()).map_err(failed)?,
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
    pub fn remove(&self, id: &str) -> Result<()> {
        let Ok(net) = self.shared.net(id) else { return Ok(()) };
        self.down(&net)?;
        self.shared.networks.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(())
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

    /// A namespace for `container` with a link for each of its places, which has the addresses until
    /// [`release`](Self::release). `host_ids`: the namespace belongs to the host's root, whoever owns the others.
    ///
    /// Errors: `Forbidden` if a wanted address is taken, `InvalidArgument` if it is not in the subnet, `Internal` if none
    /// is free or the kernel refuses. Nothing is left behind.
    pub fn sandbox(&self, container: &str, requests: &[EndpointRequest], host_ids: bool) -> Result<Sandbox> {
        let made = self.furnish(container, requests, host_ids);
        if made.is_err() {
            requests.iter().for_each(|request| self.release(container, &request.network));
        }
        made
    }

    /// A place on one more network for a container that runs in `netns` and has `present` ones.
    ///
    /// Errors: as [`sandbox`](Self::sandbox).
    pub fn connect(
        &self,
        container: &str,
        netns: OwnedFd,
        request: &EndpointRequest,
        present: &[Endpoint],
    ) -> Result<Endpoint> {
        let net = self.shared.net(&request.network)?;
        let ifname = free_name(&net, request, present);
        // what it left a moment ago may still have that name
        self.removed(container)?;
        let identity = self.shared.identity(&net, container, request)?;
        let endpoint_id = Id::random();
        let attached = || -> Result<_> {
            let (netns, mut inside) = self.inside(netns)?;
            let plug = self.shared.plug(&net)?;
            // it runs: its port must be watched over before it is there
            self.shared.admit_one(container, &net, &endpoint_id, &identity)?;
            let (host, place, routes) = (&self.shared.host, (&endpoint_id, ifname.as_str()), Routes::default());
            let made = sandbox::attach(host, &mut inside, netns.as_fd(), plug, place, &identity, routes)?;
            Ok((netns, inside, made))
        };
        let (netns, mut inside, endpoint) = attached().inspect_err(|_| {
            self.release(container, &request.network);
            let _ = Claims::forget(&self.shared.firewall, &[sandbox::host_name(&endpoint_id)]);
        })?;
        let all: Vec<Endpoint> = present.iter().cloned().chain([endpoint.clone()]).collect();
        route_out(&mut inside, &all)?;
        self.sysctls(netns, &endpoint.ifname, &request.sysctls)?;
        Ok(endpoint)
    }

    /// Takes a running container off a network; `rest` are the places it keeps.
    pub fn disconnect(&self, container: &str, netns: OwnedFd, endpoint: &Endpoint, rest: &[Endpoint]) -> Result<()> {
        let (_netns, mut inside) = self.inside(netns)?;
        if endpoint.host_ifname.is_empty() {
            sandbox::detach(&mut inside, &endpoint.ifname)?;
        } else {
            let port = sandbox::cut(&mut self.shared.host(), &mut inside, endpoint)?;
            self.remove_later(container, port);
        }
        self.release(container, &endpoint.network_id);
        let port = std::slice::from_ref(&endpoint.host_ifname);
        Claims::forget(&self.shared.firewall, port).map_err(failed)?;
        route_out(&mut inside, rest)
    }

    /// Deletes a link in the background, which is cut off already. `whose`: who waits for that with [`removed`](Self::removed).
    /// A daemon that comes after this one finds it by its alias.
    fn remove_later(&self, whose: &str, index: Option<u32>) {
        let Some(index) = index else { return };
        *self.shared.dying().entry(whose.to_owned()).or_default() += 1;
        let (shared, whose) = (Arc::clone(&self.shared), whose.to_owned());
        self.removals.later(move |_| {
            shared.delete(index);
            let mut dying = shared.dying();
            if let Some(count) = dying.get_mut(&whose) {
                *count -= 1;
                if *count == 0 {
                    dying.remove(&whose);
                }
            }
        });
    }

    /// Waits for the links that are being removed of `whose`.
    fn removed(&self, whose: &str) -> Result<()> {
        let waits = self.shared.dying().contains_key(whose);
        if waits { self.removals.run(|_| Ok(())) } else { Ok(()) }
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

    /// Frees the container's addresses on a network. Its interfaces go with the namespace, which ends with the container's
    /// last process: deleting them here would wait for the kernel.
    pub fn release(&self, container: &str, network: &str) {
        // refused only where the rules cannot be written at all, which every start then says
        let _ = self.shared.claims.silence(&self.shared.firewall, container, network);
        if let Ok(net) = self.shared.net(network) {
            net.release(container);
        }
    }

    /// Removes those of our links that are still there, whose places are [released](Self::release). Waits for the kernel. For the daemon's own network namespace.
    pub fn sweep(&self, links: &[String]) -> Result<()> {
        // a socket of its own: others do not wait as well
        let mut host = Socket::route().map_err(failed)?;
        for name in links.iter().filter(|name| !name.is_empty()) {
            let found = route::link(&mut host, Target::Name(name)).map_err(failed)?;
            let Some(link) = found.filter(|l| owner::owns(&self.shared.owner, l.alias.as_deref())) else { continue };
            let mut batch = Batch::new();
            route::delete_link(&mut batch, Target::Index(link.index));
            match host.execute(batch) {
                Err(error) if !error.missing() => return Err(failed(error)),
                _ => {}
            }
        }
        Claims::forget(&self.shared.firewall, links).map_err(failed)
    }

    /// Gives a container its ports on the host: all or none. They lead to its place `endpoint`.
    ///
    /// Errors: `Internal` in Docker's words, the container that has it or the program of the host being in the way.
    pub fn publish(&self, container: &str, name: &str, requests: &[PortRequest], endpoint: &Endpoint) -> Result<Taken> {
        if requests.is_empty() {
            return Ok(Taken::default());
        }
        let mut ports = self.shared.ports();
        let taken = ports.take(container, name, requests, self.shared.targets(endpoint))?;
        let elements = ports.elements(container);
        let open = || -> netlink::Result<()> {
            // where br_netfilter is on, a container's way to its own published port leads back through the bridge's port
            let mut batch = Batch::new();
            let change = LinkChange { hairpin: Some(true), ..LinkChange::name(&endpoint.host_ifname) };
            route::set_link(&mut batch, &change);
            self.shared.host().execute(batch)?;
            self.shared.firewall().apply(&elements, &[])?;
            flows::led(&ports.ways(container))
        };
        if let Err(error) = open() {
            let _ = self.shared.firewall().apply(&[], &elements);
            ports.release(container);
            return Err(failed(error));
        }
        Ok(taken)
    }

    /// Takes a container's ports off the host.
    pub fn unpublish(&self, container: &str) -> Result<()> {
        let mut ports = self.shared.ports();
        let (elements, ways) = (ports.elements(container), ports.ways(container));
        ports.release(container);
        if elements.is_empty() {
            return Ok(());
        }
        self.shared.firewall().apply(&[], &elements).map_err(failed)?;
        flows::left(&ways).map_err(failed)
    }

    /// Ports of a container that ran when the daemon began, led to its place `endpoint`. Answers what the daemon has to
    /// serve, and what is amiss.
    pub fn adopt_ports(
        &self,
        container: &str,
        name: &str,
        published: &[Published],
        endpoint: &Endpoint,
    ) -> Result<(Vec<Relay>, Vec<String>)> {
        let mut ports = self.shared.ports();
        let (relays, problems) = ports.adopt(container, name, published, self.shared.targets(endpoint));
        self.shared.firewall().apply(&ports.elements(container), &[]).map_err(failed)?;
        // one that is found late had no ports for a while
        flows::led(&ports.ways(container)).map_err(failed)?;
        Ok((relays, problems))
    }

    /// All that runs is told: from now on the kernel has the rules for that, and for nothing else.
    pub fn settle(&self) -> Result<()> {
        self.shared.firewall().settle().map_err(failed)
    }

    /// Opens the way of links where containers do not reach each other.
    pub fn open_passages(&self, passages: &[Passage]) -> Result<()> {
        self.shared.firewall().apply(&passage_elements(passages), &[]).map_err(failed)
    }

    pub fn close_passages(&self, passages: &[Passage]) -> Result<()> {
        self.shared.firewall().apply(&[], &passage_elements(passages)).map_err(failed)
    }

    /// Sockets for DNS in a container's namespace, and what leads its queries there.
    pub fn dns_sockets(&self, netns: OwnedFd) -> Result<dns::Sockets> {
        self.thread.run(move |maker| maker.inside(netns.as_fd(), dns::open))
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

    /// After a restart of the daemon: `live` containers keep their addresses, and links of this daemon that belong to none
    /// of them, or to no network, are removed in the background. Returns these.
    pub fn restore(&self, live: &[(String, Vec<Endpoint>)]) -> Result<Vec<Stale>> {
        for (container, endpoints) in live {
            for endpoint in endpoints {
                let Ok(net) = self.shared.net(&endpoint.network_id) else { continue };
                // One outside the subnet (`--bip` was changed) is of no concern to it.
                let mut leases = net.leases();
                for ip in endpoint.addresses() {
                    if let Some(of_it) = leases.iter_mut().find(|leases| leases.covers(ip)) {
                        of_it.claim(container, ip)?;
                    }
                }
            }
            self.shared.admit(container, endpoints)?;
        }
        let mut stale = self.shared.own_links()?;
        stale.retain(|(_, stale)| !self.is_kept(&stale.link, live));
        let (indexes, stale): (Vec<u32>, Vec<Stale>) = stale.into_iter().unzip();
        let links: Vec<String> = stale.iter().map(|stale| stale.link.clone()).collect();
        // somebody may still be behind one
        Claims::mute(&self.shared.firewall, &links).map_err(failed)?;
        let shared = Arc::clone(&self.shared);
        self.removals.later(move |_| {
            indexes.iter().for_each(|index| shared.delete(*index));
            let _ = Claims::forget(&shared.firewall, &links);
        });
        Ok(stale)
    }

    /// Makes the ways out of a running container those of its places, after a stale link was removed.
    pub fn route(&self, netns: OwnedFd, endpoints: &[Endpoint]) -> Result<()> {
        self.removals.run(|_| Ok(()))?;
        let (_netns, mut inside) = self.inside(netns)?;
        route_out(&mut inside, endpoints)
    }

    /// Whether a link of this daemon belongs to something.
    fn is_kept(&self, name: &str, live: &[(String, Vec<Endpoint>)]) -> bool {
        live.iter().flat_map(|(_, e)| e).any(|e| e.host_ifname == name)
            || self.shared.has_bridge(name)
            || self.shared.has_gate(name)
    }

    /// Forward chains of other programs' tables which drop what they do not know, as `FAMILY TABLE CHAIN`: they have
    /// to let the bridge pass before a container can reach the outside.
    pub fn foreign_drops(&self) -> Result<Vec<String>> {
        let mut socket = Socket::netfilter().map_err(failed)?;
        let mut found = firewall::foreign_drops(&mut socket).map_err(failed)?;
        let own = format!(" {} ", self.shared.firewall().name());
        found.retain(|chain| !chain.contains(&own));
        Ok(found)
    }

    /// Addresses of the host on links that are not ours, loopback and link-local ones left out.
    pub fn host_addresses(&self) -> Result<Vec<HostAddress>> {
        let mut host = self.shared.host();
        let links = route::links(&mut host).map_err(failed)?;
        let mut all = route::addresses(&mut host).map_err(failed)?;
        all.extend(route::addresses6(&mut host).unwrap_or_default());
        drop(host);
        let found = all.into_iter().filter(|address| !bridge::is_link_local(address.ip) && !address.ip.is_loopback());
        let named = found.filter_map(|address| {
            let link = links.iter().find(|link| link.index == address.link)?;
            let is_ours = owner::owns(&self.shared.owner, link.alias.as_deref()) || self.shared.has_bridge(&link.name);
            let net = IpNet::new(address.ip, address.prefix_len).ok()?;
            (!is_ours).then(|| HostAddress { link: link.name.clone(), net })
        });
        Ok(named.collect())
    }

    /// Looks whether all is as it should be. `live`: names, ids and places of running containers.
    pub fn examine(&self, live: &[(String, Vec<Endpoint>)]) -> Result<Vec<Finding>> {
        let shared = &self.shared;
        let (seen, way_out_mtu) = {
            let mut host = shared.host();
            (Seen::now(&mut host).map_err(failed)?, egress::mtu(&mut host).map_err(failed)?)
        };
        let plans: Vec<Plan> = shared.all().iter().map(|net| net.plan.clone()).collect();
        let bridges: Vec<doctor::Bridge> =
            plans.iter().filter(|plan| plan.driver == Driver::Bridge).map(|plan| seen.bridge(plan)).collect();
        let own: Vec<String> = shared.own_links()?.into_iter().map(|(_, stale)| stale.link).collect();
        let kept = |name: &str| self.is_kept(name, live);
        let lost = live.iter().flat_map(|(name, endpoints)| {
            let missing = endpoints.iter().filter(|e| !e.host_ifname.is_empty() && !seen.has_link(&e.host_ifname));
            missing.map(|endpoint| (name.clone(), endpoint.network.clone()))
        });
        let mut rules = shared.firewall().examine().map_err(failed)?;
        let gates = [gate::out(&shared.owner), gate::back(&shared.owner)];
        rules.gate = rules.gate.map(|tables| tables && gates.iter().all(|name| seen.has_link(name)));
        let uplinks = seen.uplinks();
        let facts = doctor::Facts {
            way_out_mtu,
            sysctls: doctor::sysctls(bridges.iter().map(|bridge| &bridge.link).chain(&uplinks)),
            taken: seen.taken(|link| own.contains(&link.to_owned()) || shared.has_bridge(link)),
            nameservers: files::resolv::servers(),
            firewall: self.host_firewall()?,
            rules,
            stale: own.iter().filter(|name| !kept(name) && !shared.is_spare(name)).cloned().collect(),
            lost: lost.collect(),
            bridges,
            uplinks,
        };
        Ok(doctor::findings(&facts))
    }

    /// The firewall of the host as it is now, for what it says about ports.
    pub fn host_firewall(&self) -> Result<HostFirewall> {
        let mut socket = Socket::netfilter().map_err(failed)?;
        HostFirewall::read(&mut socket).map_err(failed)
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

    fn inside(&self, netns: OwnedFd) -> Result<(OwnedFd, Socket)> {
        self.thread.run(move |maker| {
            let socket = maker.inside(netns.as_fd(), || Socket::route().map_err(failed))?;
            Ok((netns, socket))
        })
    }

    fn furnish(&self, container: &str, requests: &[EndpointRequest], host_ids: bool) -> Result<Sandbox> {
        let owned = self.shared.options.namespace_owner.is_some() && !host_ids;
        let mut identities = Vec::new();
        let nets = requests.iter().map(|r| self.shared.net(&r.network)).collect::<Result<Vec<_>>>()?;
        for (request, net) in requests.iter().zip(&nets) {
            identities.push(self.shared.identity(net, container, request)?);
        }
        let ways = ways_out_of(&identities);
        let (Some(net), Some(identity), Some(request)) = (nets.first(), identities.first(), requests.first()) else {
            let made = namespace::isolated(self.shared.options.namespace_owner.clone().filter(|_| owned))?;
            return Ok(Sandbox { netns: made.netns, userns: made.userns, endpoints: vec![] });
        };
        let (mut namespace, first) = if net.plan.driver == Driver::Bridge && free_name(net, request, &[]) == "eth0" {
            self.first_pair(net, identity, ways[0], owned)?
        } else {
            let owner = self.shared.options.namespace_owner.clone().filter(|_| owned);
            let mut namespace = self.thread.run(move |maker| maker.namespace(owner.as_ref()))?;
            let name = free_name(net, request, &[]);
            let endpoint = self.attach(&mut namespace, net, &name, identity, ways[0])?;
            (namespace, endpoint)
        };
        let mut endpoints = vec![first];
        for (at, identity) in identities.iter().enumerate().skip(1) {
            let name = free_name(&nets[at], &requests[at], &endpoints);
            endpoints.push(self.attach(&mut namespace, &nets[at], &name, identity, ways[at])?);
        }
        let Namespace { fd: mut netns, user: userns, .. } = namespace;
        for (request, endpoint) in requests.iter().zip(&endpoints) {
            netns = self.sysctls(netns, &endpoint.ifname, &request.sysctls)?;
        }
        // nothing runs in it yet
        self.shared.admit(container, &endpoints)?;
        Ok(Sandbox { netns, userns, endpoints })
    }

    fn attach(
        &self,
        namespace: &mut Namespace,
        net: &Net,
        ifname: &str,
        identity: &Identity<'_>,
        routes: Routes,
    ) -> Result<Endpoint> {
        let (host, plug) = (&self.shared.host, self.shared.plug(net)?);
        let place = (&Id::random(), ifname);
        sandbox::attach(host, &mut namespace.socket, namespace.fd.as_fd(), plug, place, identity, routes)
    }

    /// With the spare if there is one that still fits.
    fn first_pair(
        &self,
        net: &Arc<Net>,
        identity: &Identity<'_>,
        routes: Routes,
        owned: bool,
    ) -> Result<(Namespace, Endpoint)> {
        let host = &self.shared.host;
        if self.shared.is_default(&net.plan.id) {
            let mtu = net.mtu.load(Ordering::Relaxed);
            let spare = self.shared.spare().take_if(|spare| spare.mtu == mtu && spare.is_owned() == owned);
            if let Some(spare) = spare
                && let Ok(made) = spare.finish(host, self.shared.plug(net)?, identity, routes)
            {
                return Ok(made);
            }
        }
        let (shared, of) = (Arc::clone(&self.shared), net.clone());
        let prepared = self.thread.run(move |maker| shared.prepare(maker, &of, owned))?;
        prepared.finish(host, self.shared.plug(net)?, identity, routes)
    }

    /// Gives the namespace back.
    fn sysctls(&self, netns: OwnedFd, ifname: &str, sysctls: &[(String, String)]) -> Result<OwnedFd> {
        if sysctls.is_empty() {
            return Ok(netns);
        }
        let (ifname, sysctls) = (ifname.to_owned(), sysctls.to_vec());
        self.thread.run(move |maker| {
            maker.inside(netns.as_fd(), || {
                sysctls.iter().try_for_each(|(key, value)| {
                    let path = format!("/proc/sys/{}", key.replace('.', "/").replace("IFNAME", &ifname));
                    let failed = |e| Error::internal(format!("failed to set endpoint sysctl {key}={value}: {e}"));
                    std::fs::write(path, value).map_err(failed)
                })
            })?;
            Ok(netns)
        })
    }
}

/// What containers' links are, where they are not pairs that end in a bridge.
fn child_kind(driver: Driver) -> Option<ChildKind> {
    match driver {
        Driver::Bridge => None,
        Driver::Macvlan { mode } => Some(ChildKind::Macvlan { mode }),
        Driver::Ipvlan { mode, flags } => Some(ChildKind::Ipvlan { mode, flags }),
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

fn passage_elements(passages: &[Passage]) -> Vec<(&'static str, Element)> {
    let element = |passage: &Passage, (protocol, port): (crate::ports::Protocol, u16)| {
        let key = Key::default().ip(passage.from.into()).ip(passage.to.into());
        (set::LINKS, Element::new(key.protocol(protocol.number()).port(port)))
    };
    passages.iter().flat_map(|p| p.ports.iter().map(move |port| element(p, *port))).collect()
}

fn free_name(net: &Net, request: &EndpointRequest, present: &[Endpoint]) -> String {
    if let Some(name) = &request.ifname {
        return name.clone();
    }
    let mut names = (0..).map(|number| format!("{}{number}", net.plan.ifname_prefix));
    names.find(|name| !present.iter().any(|e| e.ifname == *name)).unwrap_or_default()
}

/// Which of a new container's places lead out.
fn ways_out_of(identities: &[Identity<'_>]) -> Vec<Routes> {
    let best = |has: &dyn Fn(&Identity<'_>) -> bool| {
        let able = identities.iter().enumerate().filter(|(_, i)| has(i));
        able.min_by(|(_, a), (_, b)| b.gateway_priority.cmp(&a.gateway_priority).then_with(|| a.network.cmp(b.network)))
            .map(|(at, _)| at)
    };
    let (v4, v6) = (best(&|i| i.gateway.is_some()), best(&|i| i.gateway6.is_some()));
    (0..identities.len()).map(|at| Routes { v4: v4 == Some(at), v6: v6 == Some(at) }).collect()
}

/// Makes the default routes of a namespace what its endpoints ask for.
fn route_out(inside: &mut Socket, endpoints: &[Endpoint]) -> Result<()> {
    let (v4, v6) = ways_out(endpoints);
    let wanted = [
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), v4.and_then(|e| Some((&e.ifname, IpAddr::V4(e.gateway?))))),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), v6.and_then(|e| Some((&e.ifname, IpAddr::V6(e.gateway6?))))),
    ];
    for (any, way) in wanted {
        let index = match way {
            Some((ifname, _)) => route::link(inside, Target::Name(ifname)).map_err(failed)?.map(|link| link.index),
            None => None,
        };
        let mut batch = Batch::new();
        let leads = index.zip(way.map(|(_, gateway)| gateway));
        match leads {
            // in one step: whoever sends meanwhile finds the old way or the new one
            Some((index, gateway)) => sandbox::add_route(&mut batch, index, gateway),
            None => route::delete_default_route(&mut batch, any),
        }
        match inside.execute(batch) {
            Err(error) if leads.is_some() || !error.missing() => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

impl Shared {
    fn host(&self) -> MutexGuard<'_, Socket> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn firewall(&self) -> MutexGuard<'_, Firewall> {
        self.firewall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Option<Prepared>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn default(&self) -> MutexGuard<'_, Option<String>> {
        self.default.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn targets(&self, endpoint: &Endpoint) -> Targets {
        let mut targets = Targets { ip: endpoint.ip, ip6: endpoint.ip6, ..Targets::default() };
        targets.relays = self.options.relays;
        if let Ok(net) = self.net(&endpoint.network_id) {
            let plan = &net.plan;
            let routed = |ipv4: bool| plan.gateway_mode(ipv4) == GatewayMode::Routed;
            targets.guarded = self.guards(plan);
            (targets.routed4, targets.routed6) = (routed(true), routed(false));
            targets.direct = match (self.options.direct_routing, plan.trusted.is_empty()) {
                (true, _) => Direct::All,
                (false, false) => Direct::Trusted,
                (false, true) => Direct::Nobody,
            };
        }
        targets
    }

    /// What guarded ports need: a pair of links and the tables that send copies by it.
    fn open_gate(&self) -> Result<()> {
        let link = gate::make(&mut self.host(), &self.owner)?;
        self.firewall().open_gate(link).map_err(|error| match error.errno {
            Errno::NOENT => Error::invalid(
                "the kernel cannot ask the host's firewall about published ports: it has no nftables \"dup\" \
                 (CONFIG_NFT_DUP_IPV4, CONFIG_NFT_DUP_IPV6)",
            ),
            _ => failed(error),
        })
    }

    fn guards(&self, plan: &Plan) -> bool {
        plan.driver == Driver::Bridge && plan.guarded.unwrap_or(self.options.guarded)
    }

    /// Whether containers on a network claim no addresses but their own.
    fn watches(&self, plan: &Plan) -> bool {
        plan.driver == Driver::Bridge && !plan.foreign_addresses.unwrap_or(self.options.foreign_addresses)
    }

    /// Lets a container claim what its places have, and nothing else.
    fn admit(&self, container: &str, endpoints: &[Endpoint]) -> Result<()> {
        let watched = |e: &Endpoint| self.net(&e.network_id).is_ok_and(|net| self.watches(&net.plan));
        let claims = endpoints
            .iter()
            .filter(|e| watched(e))
            .filter_map(|endpoint| Some((container, endpoint.network_id.as_str(), Claim::of(endpoint)?)));
        self.claims.admit(&self.firewall, claims.collect()).map_err(failed)
    }

    /// The same before a place is there.
    fn admit_one(&self, container: &str, net: &Net, endpoint_id: &Id, identity: &Identity<'_>) -> Result<()> {
        let Some(mac) = identity.mac.filter(|_| self.watches(&net.plan)) else { return Ok(()) };
        let addresses = identity.ip.iter().chain(&identity.ip6).map(IpNet::addr).chain(identity.link_local.clone());
        let claim = Claim::new(&sandbox::host_name(endpoint_id), mac, addresses);
        self.claims.admit(&self.firewall, vec![(container, net.plan.id.as_str(), claim)]).map_err(failed)
    }

    fn is_guarded(&self) -> bool {
        self.all().iter().any(|net| self.guards(&net.plan))
    }

    fn is_spare(&self, name: &str) -> bool {
        self.spare().as_ref().is_some_and(|spare| spare.host_ifname() == name)
    }

    fn has_gate(&self, name: &str) -> bool {
        [gate::out(&self.owner), gate::back(&self.owner)].contains(&name.to_owned()) && self.is_guarded()
    }

    fn is_default(&self, id: &str) -> bool {
        self.default().as_deref() == Some(id)
    }

    fn default_net(&self) -> Option<Arc<Net>> {
        let id = self.default().clone()?;
        self.net(&id).ok()
    }

    fn all(&self) -> Vec<Arc<Net>> {
        self.networks.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn net(&self, id: &str) -> Result<Arc<Net>> {
        let networks = self.networks.read().unwrap_or_else(PoisonError::into_inner);
        networks.get(id).cloned().ok_or_else(|| Error::not_found(format!("network {id} not found")))
    }

    fn insert(&self, net: Net) {
        self.networks.write().unwrap_or_else(PoisonError::into_inner).insert(net.plan.id.clone(), Arc::new(net));
    }

    fn plug(&self, net: &Net) -> Result<Plug<'_>> {
        let link = net.link.load(Ordering::Relaxed);
        if link == 0 {
            return Err(Error::internal(format!("network {} is not up: the daemon's log says why", net.plan.name)));
        }
        let child = child_kind(net.plan.driver);
        let mtu = net.mtu.load(Ordering::Relaxed);
        Ok(Plug { owner: &self.owner, link, mtu, isolated: !net.plan.icc, child })
    }

    /// Leases addresses. On an error none is kept.
    fn identity<'a>(&self, net: &'a Net, container: &'a str, request: &EndpointRequest) -> Result<Identity<'a>> {
        let taken = lease(&mut net.leases(), container, request);
        let (ip, ip6) = taken.inspect_err(|_| net.release(container))?;
        let own_mac = !matches!(net.plan.driver, Driver::Ipvlan { .. });
        let mac = match (request.mac, ip.map(|net| net.addr())) {
            _ if !own_mac => None,
            (Some(mac), _) => Some(mac),
            (None, Some(IpAddr::V4(ip))) => Some(mac::of_ip(ip)),
            _ => Some(mac::random()?),
        };
        let v4 = |ip: IpAddr| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
        let v6 = |ip: IpAddr| if let IpAddr::V6(ip) = ip { Some(ip) } else { None };
        Ok(Identity {
            container,
            network_id: &net.plan.id,
            network: &net.plan.name,
            ip,
            ip6,
            gateway: net.gateway(true).filter(|_| ip.is_some()).and_then(v4),
            gateway6: net.gateway(false).filter(|_| ip6.is_some()).and_then(v6),
            link_local: request.link_local.clone(),
            mac,
            gateway_priority: request.gateway_priority,
        })
    }

    fn make(&self, net: &Net) -> Result<()> {
        let plan = &net.plan;
        if plan.driver != Driver::Bridge {
            if let Some(kind) = child_kind(plan.driver) {
                child::check(&mut self.host(), kind)?;
            }
            let parent = child::parent(&mut self.host(), &self.owner, &plan.link)?;
            net.mtu.store(plan.mtu.unwrap_or(parent.mtu), Ordering::Relaxed);
            net.link.store(parent.index, Ordering::Relaxed);
            return Ok(());
        }
        let mtu = match plan.mtu {
            Some(mtu) => mtu,
            None => egress::mtu(&mut self.host()).map_err(failed)?,
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

    /// Makes the bridge again and tries once more if somebody deleted it.
    fn prepare(&self, maker: &Maker, net: &Net, owned: bool) -> Result<Prepared> {
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

    fn prefetch(&self, maker: &Maker) -> Result<()> {
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
        if net.plan.mtu.is_some() {
            return Ok(());
        }
        let mtu = egress::mtu(&mut self.host()).map_err(failed)?;
        if mtu != net.mtu.swap(mtu, Ordering::Relaxed) {
            self.spare().take();
            self.ensure_bridge(net)?;
        }
        Ok(())
    }

    fn has_bridge(&self, name: &str) -> bool {
        self.all().iter().any(|net| net.plan.link == name)
    }

    /// All links that this daemon made.
    fn own_links(&self) -> Result<Vec<(u32, Stale)>> {
        let links = route::links(&mut self.host()).map_err(failed)?;
        let own = |link: route::Link| {
            let purpose = owner::purpose(&self.owner, link.alias.as_deref())?.to_owned();
            Some((link.index, Stale { link: link.name, purpose }))
        };
        Ok(links.into_iter().filter_map(own).collect())
    }

    /// Its namespace may take it first, which is as good. By its number: the next one of its name is not meant.
    /// A socket of its own: nobody else waits as well.
    fn delete(&self, index: u32) {
        let mut batch = Batch::new();
        route::delete_link(&mut batch, Target::Index(index));
        let _ = Socket::route().and_then(|mut host| host.execute(batch));
    }

    fn dying(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.dying.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A descriptor of the namespace a process is in.
///
/// Errors: `Internal` where it has ended.
pub fn namespace_of(pid: i32) -> Result<OwnedFd> {
    let open = |path: String| {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(path, flags, rustix::fs::Mode::empty())
    };
    open(format!("/proc/{pid}/ns/net")).map_err(|e| Error::internal(format!("open network namespace of {pid}: {e}")))
}
