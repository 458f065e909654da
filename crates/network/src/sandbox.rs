use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use netlink::route::{self, Address, LinkChange, Target, Veth};
use netlink::{Batch, Socket};
use serde::{Deserialize, Serialize};
use values::{Error, Id, Result};

use crate::bridge::failed;
use crate::namespace::{Maker, Namespace, NamespaceOwner};
use crate::owner;

const IFNAME: &str = "eth0";

/// What a container asks of its place on the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointRequest {
    /// `None` derives it from the address.
    pub mac: Option<[u8; 6]>,
    /// `None` takes the next free one.
    pub ip: Option<Ipv4Addr>,
    /// The namespace belongs to the host's root, whoever owns the others.
    pub host_ids: bool,
}

/// A container's place on the network, to be recorded and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub endpoint_id: Id,
    /// Inside: `eth0`.
    pub ifname: String,
    /// The other end, a port of the bridge: `veth` and seven digits.
    pub host_ifname: String,
    pub mac: [u8; 6],
    pub ip: Ipv4Addr,
    pub prefix_len: u8,
    pub gateway: Ipv4Addr,
}

impl Endpoint {
    /// As Docker writes it: `02:42:ac:11:00:02`.
    pub fn mac_text(&self) -> String {
        let [a, b, c, d, e, f] = self.mac;
        format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// A finished network for one container. It ends when the descriptor is closed and no process is in it.
#[derive(Debug)]
pub struct Sandbox {
    pub netns: OwnedFd,
    /// The user namespace which `netns` belongs to.
    pub userns: Option<OwnedFd>,
    pub endpoint: Endpoint,
}

/// The bridge a sandbox is plugged into.
#[derive(Clone, Copy)]
pub(crate) struct Plug<'a> {
    pub(crate) owner: &'a str,
    pub(crate) bridge: u32,
    pub(crate) mtu: u32,
    /// Containers may not talk to each other.
    pub(crate) isolated: bool,
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
    let host_ifname = format!("veth{}", &endpoint_id.as_str()[..7]);
    host(pair(plug, &host_ifname, namespace.fd.as_fd()))?;
    let Some(eth0) = route::link(&mut namespace.socket, Target::Name(IFNAME))? else {
        return Ok(Err(Error::internal("eth0 vanished while it was set up")));
    };
    let mut batch = Batch::new();
    route::set_link(&mut batch, &LinkChange { no_ipv6_address: true, ..LinkChange::index(eth0.index) });
    namespace.socket.execute(batch)?;
    Ok(Ok(Prepared { namespace, endpoint_id, host_ifname, index: eth0.index, mtu: plug.mtu }))
}

/// The pair with its host end up. Its alias comes in the same system call, so no crash leaves one without an owner.
fn pair(plug: Plug<'_>, name: &str, peer: std::os::fd::BorrowedFd<'_>) -> Batch {
    let alias = owner::alias(plug.owner, "spare");
    let isolated = plug.isolated.then_some(true);
    let mut batch = Batch::new();
    let veth = Veth {
        name,
        master: Some(plug.bridge),
        mtu: plug.mtu,
        peer_name: IFNAME,
        peer_mac: None,
        peer_namespace: Some(peer),
    };
    route::add_veth(&mut batch, &veth);
    let change = LinkChange { alias: Some(&alias), no_ipv6_address: true, isolated, ..LinkChange::name(name) };
    route::set_link(&mut batch, &change);
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name(name) });
    batch
}

/// What makes a prepared sandbox one container's.
pub(crate) struct Identity<'a> {
    pub(crate) container: &'a str,
    pub(crate) ip: Ipv4Addr,
    pub(crate) prefix_len: u8,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) mac: [u8; 6],
}

impl Prepared {
    /// Whether it belongs to a user namespace of its own.
    pub(crate) fn is_owned(&self) -> bool {
        self.namespace.user.is_some()
    }

    /// The quick part (0.1–0.2 ms): names, address, route.
    pub(crate) fn finish(mut self, host: &Mutex<Socket>, plug: Plug<'_>, identity: &Identity<'_>) -> Result<Sandbox> {
        let lock = || host.lock().unwrap_or_else(PoisonError::into_inner);
        let alias = owner::alias(plug.owner, identity.container);
        let mut batch = Batch::new();
        // A spare may have lost its bridge meanwhile: naming the master costs nothing where it is so, and fails here
        // where there is none.
        let change =
            LinkChange { alias: Some(&alias), master: Some(plug.bridge), ..LinkChange::name(&self.host_ifname) };
        route::set_link(&mut batch, &change);
        lock().execute(batch).map_err(failed)?;
        self.namespace.socket.execute(self.inside(identity)).map_err(failed)?;
        // Now both ends are up. The container's first packet shall not be lost to a port that is not open yet, or to a
        // bridge that had no port with a carrier before: ARP would repeat it only after a second.
        let mut batch = Batch::new();
        route::settle_link(&mut batch, Target::Name(&self.host_ifname));
        route::settle_link(&mut batch, Target::Index(plug.bridge));
        lock().execute(batch).map_err(failed)?;
        let endpoint = Endpoint {
            endpoint_id: self.endpoint_id,
            ifname: IFNAME.into(),
            host_ifname: self.host_ifname,
            mac: identity.mac,
            ip: identity.ip,
            prefix_len: identity.prefix_len,
            gateway: identity.gateway,
        };
        Ok(Sandbox { netns: self.namespace.fd, userns: self.namespace.user, endpoint })
    }

    fn inside(&self, identity: &Identity<'_>) -> Batch {
        let mut batch = Batch::new();
        let address = Address { link: self.index, ip: identity.ip.into(), prefix_len: identity.prefix_len };
        route::set_link(&mut batch, &LinkChange { mac: Some(identity.mac), ..LinkChange::index(self.index) });
        route::add_address(&mut batch, &address);
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(self.index) });
        route::add_default_route(&mut batch, self.index, identity.gateway.into());
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_kept_as_json() {
        let endpoint = Endpoint {
            endpoint_id: Id::random(),
            ifname: "eth0".into(),
            host_ifname: "veth1234567".into(),
            mac: [2, 0x42, 172, 17, 0, 2],
            ip: Ipv4Addr::new(172, 17, 0, 2),
            prefix_len: 16,
            gateway: Ipv4Addr::new(172, 17, 0, 1),
        };
        let text = serde_json::to_string(&endpoint).unwrap();
        assert_eq!(serde_json::from_str::<Endpoint>(&text).unwrap(), endpoint);
        assert_eq!(endpoint.mac_text(), "02:42:ac:11:00:02");
    }
}
