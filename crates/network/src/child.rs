use netlink::route::{self, Child, ChildKind, Link, LinkChange, Target};
use netlink::{Batch, Socket};
use values::{Error, Result};

use crate::bridge::failed;
use crate::owner;

/// Whether the kernel has such links.
///
/// # Errors
/// `NotImplemented` if it has not.
pub(crate) fn check(socket: &mut Socket, kind: ChildKind) -> Result<()> {
    if route::has_kind(socket, kind).map_err(failed)? {
        return Ok(());
    }
    let (name, upper) = (kind.name(), kind.name().to_uppercase());
    let upper = if upper == "VLAN" { "VLAN_8021Q" } else { &upper };
    Err(Error::not_implemented(format!("the kernel has no {name} links (CONFIG_{upper})")))
}

/// The kernel takes no names that it would not give.
fn named(socket: &mut Socket, name: &str) -> Result<Option<Link>> {
    if name.len() >= libc::IFNAMSIZ { Ok(None) } else { route::link(socket, Target::Name(name)).map_err(failed) }
}

/// The parent of macvlan and ipvlan links. `eth0.7`, if it is not there, is made: VLAN 7 of `eth0`.
pub(crate) fn parent(socket: &mut Socket, owner: &str, name: &str) -> Result<Link> {
    if let Some(link) = named(socket, name)? {
        return Ok(link);
    }
    let missing = || Error::invalid(format!("invalid subinterface vlan name {name}, example formatting is eth0.10"));
    let (base, id) = name.rsplit_once('.').ok_or_else(missing)?;
    let id: u16 = id.parse().ok().filter(|id| (1..4095).contains(id)).ok_or_else(missing)?;
    let base = named(socket, base)?;
    let base =
        base.ok_or_else(|| Error::invalid(format!("the parent interface of {name} was not found on the host")))?;
    let kind = ChildKind::Vlan { id };
    check(socket, kind)?;
    let mut batch = Batch::new();
    route::add_child(&mut batch, &Child { name, parent: base.index, kind, mtu: None, mac: None, namespace: None });
    let alias = owner::alias(owner, "vlan");
    route::set_link(&mut batch, &LinkChange { alias: Some(&alias), ..LinkChange::name(name) });
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name(name) });
    socket.execute(batch).map_err(failed)?;
    let made = route::link(socket, Target::Name(name)).map_err(failed)?;
    made.ok_or_else(|| Error::internal(format!("{name} vanished while it was set up")))
}

/// Removes a parent if this daemon made it.
pub(crate) fn remove_parent(socket: &mut Socket, owner: &str, name: &str) -> Result<()> {
    crate::bridge::remove(socket, owner, name)
}
