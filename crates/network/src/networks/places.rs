//! Containers on networks: namespaces, links, addresses and ways out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use netlink::route::{self, Target};
use netlink::{Batch, Socket};
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice};
use values::{Error, Id, Result, ResultExt};

use super::Networks;
use super::net::Net;
use super::shared::{Shared, child_kind};
use crate::announce::Announcement;
use crate::bridge::failed;
use crate::claims::Claims;
use crate::endpoint::{Endpoint, EndpointRequest, mac_bytes, ways_out};
use crate::namespace::{self, Namespace};
use crate::plan::Driver;
use crate::sandbox::{self, Identity, Plug, Routes, Sandbox};
use crate::{dns, mac};

impl Networks {
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
        let (kept, place) = (netns.try_clone()?, std::slice::from_ref(&endpoint));
        let done = route_out(&self.shared, &mut inside, &all)
            .and_then(|()| self.sysctls(netns, &endpoint.ifname, &request.sysctls))
            .and_then(|netns| self.announce(container, netns, place));
        if let Err(error) = done {
            // it is there already
            let _ = self.disconnect(container, kept, &endpoint, present);
            return Err(error);
        }
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
        route_out(&self.shared, &mut inside, rest)
    }

    /// Frees the container's addresses on a network. Its interfaces go with the namespace, which ends with the container's
    /// last process: deleting them here would wait for the kernel.
    pub fn release(&self, container: &str, network: &str) {
        self.shared.announcer.end(container, network);
        // refused only where the rules cannot be written at all, which every start then says
        let _ = self.shared.claims.silence(&self.shared.firewall, container, network);
        if let Ok(net) = self.shared.net(network) {
            net.release(container);
        }
    }

    /// Sockets for DNS in a container's namespace, and what leads its queries there.
    pub fn dns_sockets(&self, netns: OwnedFd) -> Result<dns::Sockets> {
        self.thread.run(move |maker| maker.inside(netns.as_fd(), dns::open))
    }

    /// A non-blocking socket in a container's namespace, by which it asks servers outside. `done` gets it, on the thread that opened
    /// it.
    pub fn socket_inside(
        &self,
        netns: Arc<OwnedFd>,
        family: AddressFamily,
        kind: SocketType,
        done: impl FnOnce(io::Result<OwnedFd>) + Send + 'static,
    ) {
        self.questions.later(move |maker| {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let opened = maker.inside(netns.as_fd(), || Ok(rustix::net::socket_with(family, kind, flags, None)));
            // it may be the last that knew the namespace
            drop(netns);
            done(opened.map_err(io::Error::other).and_then(|socket| Ok(socket?)));
        });
    }

    /// Makes the ways out of a running container those of its places, after a stale link was removed.
    pub fn route(&self, netns: OwnedFd, endpoints: &[Endpoint]) -> Result<()> {
        self.removals.run(|_| Ok(()))?;
        let (_netns, mut inside) = self.inside(netns)?;
        route_out(&self.shared, &mut inside, endpoints)
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
        netns = self.announce(container, netns, &endpoints)?;
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

    /// Lets neighbours know where a container's places are, which may know others there. Gives the namespace back.
    fn announce(&self, container: &str, mut netns: OwnedFd, endpoints: &[Endpoint]) -> Result<OwnedFd> {
        for endpoint in endpoints {
            let net = self.shared.net(&endpoint.network_id)?;
            let (times, Some(mac)) = (net.advertisements(), mac_bytes(&endpoint.mac)) else { continue };
            if times == 0 {
                continue;
            }
            let ifname = endpoint.ifname.clone();
            let opened = self.thread.run(move |maker| {
                let (socket, link) = maker.inside(netns.as_fd(), || {
                    let socket = sys::packet::open().map_err(io::Error::from)?;
                    let link = netdevice::name_to_index(&socket, &ifname).map_err(io::Error::from)?;
                    Ok((socket, link))
                })?;
                Ok((netns, socket, link))
            });
            let (back, socket, link) = opened.during(|| format!("tell the neighbours on {} of it", net.plan.name))?;
            netns = back;
            let (addresses, every) = (endpoint.addresses().collect(), net.advertised_every());
            let what = Announcement { socket, link, mac, addresses, times, every };
            self.shared.announcer.begin(container, &endpoint.network_id, what)?;
        }
        Ok(netns)
    }

    /// Gives the namespace back.
    pub(super) fn sysctls(&self, netns: OwnedFd, ifname: &str, sysctls: &[(String, String)]) -> Result<OwnedFd> {
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

impl Shared {
    pub(super) fn plug(&self, net: &Net) -> Result<Plug<'_>> {
        let child = child_kind(net.plan.driver);
        // nobody tells us when the host makes it anew: it has another number then
        if child.is_some()
            && let Err(e) = self.find_parent(net)
        {
            let (name, link) = (&net.plan.name, &net.plan.link);
            return Err(e.context(format!("the parent interface {link} of network {name} is not there")));
        }
        let link = net.link.load(Ordering::Relaxed);
        if link == 0 {
            return Err(Error::internal(format!("network {} is not up: the daemon's log says why", net.plan.name)));
        }
        let mtu = net.mtu.load(Ordering::Relaxed);
        Ok(Plug { owner: &self.owner, link, mtu, way_out: self.route_limit(net), isolated: !net.plan.icc, child })
    }

    /// Leases addresses. On an error none is kept.
    pub(super) fn identity<'a>(
        &self,
        net: &'a Net,
        container: &'a str,
        request: &EndpointRequest,
    ) -> Result<Identity<'a>> {
        let (ip, ip6) = net.lease(container, request)?;
        let own_mac = !matches!(net.plan.driver, Driver::Ipvlan { .. });
        let mac = match (request.mac, ip.map(|net| net.addr())) {
            _ if !own_mac => None,
            (Some(mac), _) => Some(mac),
            (None, Some(IpAddr::V4(ip))) => Some(mac::of_ip(ip)),
            _ => Some(mac::random()?),
        };
        let v4 = |ip: IpAddr| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
        let v6 = |ip: IpAddr| if let IpAddr::V6(ip) = ip { Some(ip) } else { None };
        net.notice(mac, ip.and_then(|net| v4(net.addr())), ip6.and_then(|net| v6(net.addr())));
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
fn route_out(shared: &Shared, inside: &mut Socket, endpoints: &[Endpoint]) -> Result<()> {
    let (v4, v6) = ways_out(endpoints);
    let wanted = [
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), v4.and_then(|e| Some((e, IpAddr::V4(e.gateway?))))),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), v6.and_then(|e| Some((e, IpAddr::V6(e.gateway6?))))),
    ];
    for (any, way) in wanted {
        let index = match way {
            Some((e, _)) => route::link(inside, Target::Name(&e.ifname)).map_err(failed)?.map(|link| link.index),
            None => None,
        };
        let mut batch = Batch::new();
        let limit = |e: &Endpoint| shared.net(&e.network_id).ok().and_then(|net| shared.route_limit(&net));
        let leads = index.zip(way);
        match leads {
            // in one step: whoever sends meanwhile finds the old way or the new one
            Some((index, (e, gateway))) => sandbox::add_route(&mut batch, index, gateway, limit(e)),
            None => route::delete_default_route(&mut batch, any),
        }
        match inside.execute(batch) {
            Err(error) if leads.is_some() || !error.missing() => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
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
