use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use netlink::route::{self, Address, Child, ChildKind, LinkChange, Target, Veth};
use netlink::{Batch, Socket};
use values::{Error, Id, Result};

use crate::bridge::failed;
use crate::endpoint::Endpoint;
use crate::namespace::{Maker, Namespace, NamespaceOwner};
use crate::{egress, mac, owner};

const FIRST: &str = "eth0";

/// A finished network for one container. It ends when the descriptor is closed and no process is in it.
#[derive(Debug)]
pub struct Sandbox {
    pub netns: OwnedFd,
    /// The user namespace which `netns` belongs to.
    pub userns: Option<OwnedFd>,
    pub endpoints: Vec<Endpoint>,
}

/// What a container's link is plugged into.
#[derive(Clone, Copy)]
pub(crate) struct Plug<'a> {
    pub(crate) owner: &'a str,
    /// Index of the bridge or of the parent.
    pub(crate) link: u32,
    pub(crate) mtu: u32,
    /// What the way outside takes, where that is less than the link.
    pub(crate) way_out: Option<u32>,
    /// Containers may not talk to each other.
    pub(crate) isolated: bool,
    /// `None`: a pair of links and a bridge.
    pub(crate) child: Option<ChildKind>,
}

/// A sandbox before it is anybody's: namespace and pair are there, address and name are missing.
pub(crate) struct Prepared {
    namespace: Namespace,
    endpoint_id: Id,
    host_ifname: String,
    /// Of `eth0`.
    index: u32,
    pub(crate) mtu: u32,
}

/// The slow part (1–1.5 ms), the same for every container. `host` gives the host's socket for one batch.
pub(crate) fn prepare(
    maker: &Maker,
    plug: Plug<'_>,
    namespace_owner: Option<&NamespaceOwner>,
    host: impl FnOnce(Batch) -> netlink::Result<()>,
) -> netlink::Result<Result<Prepared>> {
    let mut namespace = match maker.namespace(namespace_owner) {
        Ok(namespace) => namespace,
        Err(error) => return Ok(Err(error)),
    };
    let endpoint_id = Id::random();
    let host_ifname = host_name(&endpoint_id);
    host(pair(plug, &host_ifname, FIRST, "spare", namespace.fd.as_fd()))?;
    let Some(eth0) = route::link(&mut namespace.socket, Target::Name(FIRST))? else {
        return Ok(Err(Error::internal("eth0 vanished while it was set up")));
    };
    let mut batch = Batch::new();
    route::set_link(&mut batch, &LinkChange { no_ipv6_address: true, ..LinkChange::index(eth0.index) });
    namespace.socket.execute(batch)?;
    Ok(Ok(Prepared { namespace, endpoint_id, host_ifname, index: eth0.index, mtu: plug.mtu }))
}

/// The port of a place.
pub(crate) fn host_name(endpoint_id: &Id) -> String {
    format!("veth{}", &endpoint_id.as_str()[..7])
}

/// The pair with its host end up. Its alias comes in the same system call, so no crash leaves one without an owner.
fn pair(plug: Plug<'_>, name: &str, peer_name: &str, purpose: &str, peer: BorrowedFd<'_>) -> Batch {
    let alias = owner::alias(plug.owner, purpose);
    let isolated = plug.isolated.then_some(true);
    let mut batch = Batch::new();
    let veth =
        Veth { name, master: Some(plug.link), mtu: plug.mtu, peer_name, peer_mac: None, peer_namespace: Some(peer) };
    route::add_veth(&mut batch, &veth);
    let change = LinkChange { alias: Some(&alias), no_ipv6_address: true, isolated, ..LinkChange::name(name) };
    route::set_link(&mut batch, &change);
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name(name) });
    batch
}

/// What makes a link one container's.
#[derive(Clone, Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) container: &'a str,
    pub(crate) network_id: &'a str,
    pub(crate) network: &'a str,
    pub(crate) ip: Option<IpNet>,
    pub(crate) ip6: Option<IpNet>,
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) gateway6: Option<Ipv6Addr>,
    pub(crate) link_local: Vec<IpAddr>,
    /// `None`: the link has its parent's.
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) gateway_priority: i64,
}

impl Identity<'_> {
    fn endpoint(&self, endpoint_id: &Id, ifname: &str, host_ifname: String) -> Endpoint {
        let v4 = self.ip.and_then(|net| if let IpAddr::V4(ip) = net.addr() { Some(ip) } else { None });
        let v6 = self.ip6.and_then(|net| if let IpAddr::V6(ip) = net.addr() { Some(ip) } else { None });
        Endpoint {
            network_id: self.network_id.into(),
            network: self.network.into(),
            endpoint_id: endpoint_id.to_string(),
            ifname: ifname.into(),
            host_ifname,
            mac: self.mac.map(crate::endpoint::mac_text).unwrap_or_default(),
            ip: v4,
            prefix_len: self.ip.map_or(0, |net| net.prefix_len()),
            gateway: self.gateway,
            ip6: v6,
            prefix_len6: self.ip6.map_or(0, |net| net.prefix_len()),
            gateway6: self.gateway6,
            gateway_priority: self.gateway_priority,
            link_local: self.link_local.clone(),
        }
    }

    /// Names the link's addresses and brings it up.
    fn inside(&self, index: u32) -> Batch {
        let mut batch = Batch::new();
        if self.mac.is_some() {
            route::set_link(&mut batch, &LinkChange { mac: self.mac, ..LinkChange::index(index) });
        }
        for net in self.ip.iter().chain(&self.ip6) {
            let address = Address { link: index, ip: net.addr(), prefix_len: net.prefix_len() };
            route::add_address(&mut batch, &address);
        }
        if let (Some(_), Some(mac)) = (self.ip6, self.mac) {
            let ip = mac::link_local(mac).into();
            route::add_address(&mut batch, &Address { link: index, ip, prefix_len: 64 });
        }
        for ip in &self.link_local {
            let prefix_len = if ip.is_ipv4() { 16 } else { 64 };
            route::add_address(&mut batch, &Address { link: index, ip: *ip, prefix_len });
        }
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(index) });
        batch
    }
}

/// The ways out of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routes {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
}

fn add_routes(batch: &mut Batch, index: u32, identity: &Identity<'_>, routes: Routes, way_out: Option<u32>) {
    if let Some(gateway) = identity.gateway.filter(|_| routes.v4) {
        add_route(batch, index, gateway.into(), way_out);
    }
    if let Some(gateway) = identity.gateway6.filter(|_| routes.v6) {
        add_route(batch, index, gateway.into(), way_out);
    }
}

/// An unspecified gateway stands for a link that needs none. `way_out`: of [`Plug`].
pub(crate) fn add_route(batch: &mut Batch, index: u32, gateway: IpAddr, way_out: Option<u32>) {
    if gateway.is_unspecified() {
        route::add_link_route(batch, index, gateway);
    } else {
        let mtu = way_out.map(|way_out| egress::route_mtu(gateway, way_out));
        route::add_default_route(batch, index, gateway, mtu);
    }
}

impl Prepared {
    /// Whether it belongs to a user namespace of its own.
    pub(crate) fn is_owned(&self) -> bool {
        self.namespace.user.is_some()
    }

    pub(crate) fn host_ifname(&self) -> &str {
        &self.host_ifname
    }

    /// The quick part (0.1–0.2 ms): names, address, route.
    pub(crate) fn finish(
        mut self,
        host: &Mutex<Socket>,
        plug: Plug<'_>,
        identity: &Identity<'_>,
        routes: Routes,
    ) -> Result<(Namespace, Endpoint)> {
        let lock = || host.lock().unwrap_or_else(PoisonError::into_inner);
        let alias = owner::alias(plug.owner, identity.container);
        let mut batch = Batch::new();
        // A spare may have lost its bridge meanwhile: naming the master costs nothing where it is so, and fails here
        // where there is none.
        let change = LinkChange { alias: Some(&alias), master: Some(plug.link), ..LinkChange::name(&self.host_ifname) };
        route::set_link(&mut batch, &change);
        lock().execute(batch).map_err(failed)?;
        let mut batch = identity.inside(self.index);
        add_routes(&mut batch, self.index, identity, routes, plug.way_out);
        self.namespace.socket.execute(batch).map_err(failed)?;
        settle(&mut lock(), plug, &self.host_ifname)?;
        let endpoint = identity.endpoint(&self.endpoint_id, FIRST, self.host_ifname);
        Ok((self.namespace, endpoint))
    }
}

/// Now both ends are up. The container's first packet shall not be lost to a port that is not open yet, or to a bridge
/// that had no port with a carrier before: ARP would repeat it only after a second.
fn settle(host: &mut Socket, plug: Plug<'_>, port: &str) -> Result<()> {
    let mut batch = Batch::new();
    route::settle_link(&mut batch, Target::Name(port));
    route::settle_link(&mut batch, Target::Index(plug.link));
    host.execute(batch).map_err(failed)
}

/// One more link in a namespace that is there: of the place `endpoint_id`, with that name inside. On an error nothing of it is
/// left.
pub(crate) fn attach(
    host: &Mutex<Socket>,
    inside: &mut Socket,
    namespace: BorrowedFd<'_>,
    plug: Plug<'_>,
    (endpoint_id, ifname): (&Id, &str),
    identity: &Identity<'_>,
    routes: Routes,
) -> Result<Endpoint> {
    let lock = || host.lock().unwrap_or_else(PoisonError::into_inner);
    let (batch, host_ifname) = match plug.child {
        None => {
            let name = host_name(endpoint_id);
            (pair(plug, &name, ifname, identity.container, namespace), name)
        }
        Some(kind) => {
            let mut batch = Batch::new();
            let (mtu, mac) = (Some(plug.mtu).filter(|mtu| *mtu > 0), identity.mac);
            let child = Child { name: ifname, parent: plug.link, kind, mtu, mac, namespace: Some(namespace) };
            route::add_child(&mut batch, &child);
            (batch, String::new())
        }
    };
    lock().execute(batch).map_err(failed)?;
    let furnish = |inside: &mut Socket| -> Result<()> {
        let found = route::link(inside, Target::Name(ifname)).map_err(failed)?;
        let link = found.ok_or_else(|| Error::internal(format!("{ifname} vanished while it was set up")))?;
        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { no_ipv6_address: true, ..LinkChange::index(link.index) });
        inside.execute(batch).map_err(failed)?;
        let mut batch = identity.inside(link.index);
        add_routes(&mut batch, link.index, identity, routes, plug.way_out);
        inside.execute(batch).map_err(failed)?;
        if host_ifname.is_empty() { Ok(()) } else { settle(&mut lock(), plug, &host_ifname) }
    };
    if let Err(error) = furnish(inside) {
        let _ = detach(inside, ifname);
        return Err(error);
    }
    Ok(identity.endpoint(endpoint_id, ifname, host_ifname))
}

/// Cuts a container off from a bridge at once: no frame passes its port, and it has no address there. Answers the port's
/// number, if it is there: to delete it takes the kernel long.
pub(crate) fn cut(host: &mut Socket, inside: &mut Socket, endpoint: &Endpoint) -> Result<Option<u32>> {
    let Some(port) = route::link(host, Target::Name(&endpoint.host_ifname)).map_err(failed)? else { return Ok(None) };
    let mut batch = Batch::new();
    route::set_link(&mut batch, &LinkChange { cut_off: true, ..LinkChange::index(port.index) });
    host.execute(batch).map_err(failed)?;
    if let Some(link) = route::link(inside, Target::Name(&endpoint.ifname)).map_err(failed)? {
        let prefix = |ip: IpAddr| if ip.is_ipv4() { endpoint.prefix_len } else { endpoint.prefix_len6 };
        for ip in endpoint.addresses() {
            let mut batch = Batch::new();
            route::delete_address(&mut batch, &Address { link: link.index, ip, prefix_len: prefix(ip) });
            match inside.execute(batch) {
                // the container may have taken it away itself
                Err(error) if !error.missing() => return Err(failed(error)),
                _ => {}
            }
        }
    }
    Ok(Some(port.index))
}

/// Takes a link out of a namespace, and so its other end, too. One that is not there is fine.
pub(crate) fn detach(inside: &mut Socket, ifname: &str) -> Result<()> {
    let mut batch = Batch::new();
    route::delete_link(&mut batch, Target::Name(ifname));
    match inside.execute(batch) {
        Err(error) if !error.missing() => Err(failed(error)),
        _ => Ok(()),
    }
}
