use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netlink::route::{self, Address, Bridge, Link, LinkChange, Target};
use netlink::{Batch, Socket};
use values::{Error, Result};

use crate::config::BridgeConfig;
use crate::plan::Plan;
use crate::{mac, owner, pool};

/// Shorter prefixes are no networks one could collide with but ways to the whole world (a VPN's `0.0.0.0/1`).
const SHORTEST_NETWORK: u8 = 8;

/// The bridge's, as Docker's: without one the kernel asks for no neighbour on behalf of others, and forwards nothing.
const LINK_LOCAL: IpNet = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 64));

/// A bridge that is there and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) index: u32,
    /// Its own address, which is the containers' gateway, and the network's prefix.
    pub(crate) address: Ipv4Net,
}

/// Makes the bridge, or adopts the one of this name with the address it has. `nameservers` are addresses of the
/// host's resolvers, which no subnet may hide.
pub(crate) fn ensure(socket: &mut Socket, config: &BridgeConfig, mtu: u32, nameservers: &[Ipv4Net]) -> Result<Made> {
    check_name(&config.name)?;
    let link = match route::link(socket, Target::Name(&config.name)).map_err(failed)? {
        Some(link) => adopt(socket, config, link, mtu)?,
        None => create(socket, config, mtu)?,
    };
    let address = give_address(socket, config, &link, nameservers)?;
    let mut batch = Batch::new();
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(link.index) });
    socket.execute(batch).map_err(failed)?;
    Ok(Made { index: link.index, address })
}

/// Makes the bridge of a network, or finds it again. Answers its index.
pub(crate) fn make(socket: &mut Socket, owner: &str, plan: &Plan, mtu: u32) -> Result<u32> {
    check_name(&plan.link)?;
    let config = BridgeConfig { name: plan.link.clone(), owner: owner.into(), ..BridgeConfig::bare() };
    let purpose = format!("bridge:{}", plan.id);
    let link = match route::link(socket, Target::Name(&plan.link)).map_err(failed)? {
        Some(link) => adopt(socket, &config, link, mtu)?,
        None => create_as(socket, &config, mtu, &purpose)?,
    };
    let mut wanted: Vec<IpNet> = plan.subnets.iter().filter_map(|subnet| plan.bridge_address(subnet)).collect();
    if wanted.iter().any(|net| net.addr().is_ipv6()) {
        wanted.push(LINK_LOCAL);
    }
    let present = present(socket, link.index)?;
    let mut batch = Batch::new();
    if owner::owns(owner, link.alias.as_deref()) {
        present
            .iter()
            .filter(|net| !wanted.contains(net) && !is_link_local(net.addr()))
            .for_each(|net| route::delete_address(&mut batch, &at(link.index, *net)));
    }
    wanted
        .iter()
        .filter(|net| !present.contains(net))
        .for_each(|net| route::add_address(&mut batch, &at(link.index, *net)));
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(link.index) });
    socket.execute(batch).map_err(failed)?;
    Ok(link.index)
}

/// What the kernel shall do with packets of the bridge. `routed_neighbours`: containers do not reach each other but
/// over us, who then say which may (RFC 3069).
pub(crate) fn tune(name: &str, routed_neighbours: bool) {
    let set = |family: &str, key: &str, value: &str| {
        // a kernel without IPv6, a host with a read-only /proc/sys: what needs it says so when it is used
        let _ = std::fs::write(format!("/proc/sys/net/{family}/conf/{name}/{key}"), value);
    };
    set("ipv4", "route_localnet", "1");
    set("ipv6", "accept_ra", "0");
    set("ipv6", "accept_redirects", "0");
    if routed_neighbours {
        set("ipv4", "proxy_arp_pvlan", "1");
        set("ipv4", "send_redirects", "0");
        // the kernel answers for another at once, not within a second
        let _ = std::fs::write(format!("/proc/sys/net/ipv4/neigh/{name}/proxy_delay"), "0");
    }
}

/// Addresses of the link that somebody gave it.
fn present(socket: &mut Socket, index: u32) -> Result<Vec<IpNet>> {
    let mut own = route::addresses_of(socket, index, Ipv4Addr::UNSPECIFIED.into()).map_err(failed)?;
    own.extend(route::addresses_of(socket, index, Ipv6Addr::UNSPECIFIED.into()).unwrap_or_default());
    Ok(own.iter().filter_map(|a| IpNet::new(a.ip, a.prefix_len).ok()).collect())
}

pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

fn at(link: u32, address: IpNet) -> Address {
    Address { link, ip: address.addr(), prefix_len: address.prefix_len() }
}

/// Takes its addresses from a bridge that this daemon made, so that its subnets are free. Answers its number: to delete it
/// takes the kernel long.
pub(crate) fn retire(socket: &mut Socket, owner: &str, name: &str) -> Result<Option<u32>> {
    let found = route::link(socket, Target::Name(name)).map_err(failed)?;
    let Some(link) = found.filter(|link| owner::owns(owner, link.alias.as_deref())) else { return Ok(None) };
    let mut batch = Batch::new();
    present(socket, link.index)?.iter().for_each(|net| route::delete_address(&mut batch, &at(link.index, *net)));
    match socket.execute(batch) {
        Err(error) if !error.missing() => Err(failed(error)),
        _ => Ok(Some(link.index)),
    }
}

/// Removes the bridge if this daemon made it.
pub(crate) fn remove(socket: &mut Socket, owner: &str, name: &str) -> Result<()> {
    let found = route::link(socket, Target::Name(name)).map_err(failed)?;
    let Some(link) = found.filter(|link| owner::owns(owner, link.alias.as_deref())) else { return Ok(()) };
    let mut batch = Batch::new();
    route::delete_link(&mut batch, Target::Index(link.index));
    match socket.execute(batch) {
        Err(error) if !error.missing() => Err(failed(error)),
        _ => Ok(()),
    }
}

/// What the kernel's dev_valid_name asks for. `%d` it would replace by a number, and the link have another name.
pub fn may_name_link(c: char) -> bool {
    !matches!(c, '/' | ':' | '%') && !c.is_whitespace()
}

fn check_name(name: &str) -> Result<()> {
    let bad = |c| !may_name_link(c);
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name == "." || name == ".." || name.contains(bad) {
        return Err(Error::invalid(format!(
            "invalid bridge name {name:?}: 1 to 15 bytes without '/', ':', '%' or spaces"
        )));
    }
    Ok(())
}

fn create(socket: &mut Socket, config: &BridgeConfig, mtu: u32) -> Result<Link> {
    create_as(socket, config, mtu, "bridge")
}

fn create_as(socket: &mut Socket, config: &BridgeConfig, mtu: u32, purpose: &str) -> Result<Link> {
    let mut batch = Batch::new();
    route::add_bridge(&mut batch, &Bridge { name: &config.name, mac: mac::random()?, mtu });
    let alias = owner::alias(&config.owner, purpose);
    let change = LinkChange { alias: Some(&alias), no_ipv6_address: true, ..LinkChange::name(&config.name) };
    route::set_link(&mut batch, &change);
    socket.execute(batch).map_err(failed)?;
    let found = route::link(socket, Target::Name(&config.name)).map_err(failed)?;
    found.ok_or_else(|| Error::internal(format!("bridge {} vanished while it was set up", config.name)))
}

/// A bridge somebody else made (`--bridge`) keeps its MTU; ours is brought up to date.
fn adopt(socket: &mut Socket, config: &BridgeConfig, link: Link, mtu: u32) -> Result<Link> {
    if link.kind.as_deref() != Some("bridge") {
        return Err(Error::conflict(format!("interface {} exists and is not a bridge", link.name)));
    }
    if owner::owns(&config.owner, link.alias.as_deref()) && link.mtu != mtu {
        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { mtu: Some(mtu), ..LinkChange::index(link.index) });
        socket.execute(batch).map_err(failed)?;
    }
    Ok(link)
}

/// The address the bridge ends up with: the configured one, that which it has, the remembered one, one from the pools.
fn give_address(socket: &mut Socket, config: &BridgeConfig, link: &Link, nameservers: &[Ipv4Net]) -> Result<Ipv4Net> {
    let present = own_addresses(socket, link.index)?;
    if let Some(bip) = config.bip {
        check_bip(bip)?;
        replace_addresses(socket, config, link, &present, bip)?;
        return Ok(bip);
    }
    if let Some(address) = present.first() {
        return Ok(*address);
    }
    choose(socket, config, link.index, nameservers)
}

fn check_bip(bip: Ipv4Net) -> Result<()> {
    let ends = [bip.network(), bip.broadcast()];
    if bip.prefix_len() > 30 || ends.contains(&bip.addr()) {
        return Err(Error::invalid(format!(
            "invalid bip {bip}: it must be a host's address in a network of /30 or larger"
        )));
    }
    Ok(())
}

/// Gives the link `bip`. Other addresses go if the link is ours.
fn replace_addresses(
    socket: &mut Socket,
    config: &BridgeConfig,
    link: &Link,
    present: &[Ipv4Net],
    bip: Ipv4Net,
) -> Result<()> {
    let mut batch = Batch::new();
    if owner::owns(&config.owner, link.alias.as_deref()) {
        for old in present.iter().filter(|old| **old != bip) {
            route::delete_address(&mut batch, &on(link.index, *old));
        }
    }
    if !present.contains(&bip) {
        route::add_address(&mut batch, &on(link.index, bip));
    }
    socket.execute(batch).map_err(failed)
}

/// Takes the first free network. Another daemon may be choosing at the same moment: so look again afterwards, and
/// whoever sees the other steps back and goes on elsewhere, at a place of its own.
fn choose(socket: &mut Socket, config: &BridgeConfig, index: u32, nameservers: &[Ipv4Net]) -> Result<Ipv4Net> {
    for attempt in 0..config.pools.len().max(1) {
        let mut taken = taken(socket, index)?;
        taken.extend_from_slice(nameservers);
        let remembered = config.remembered.filter(|net| pool::free(&[*net], &taken).next().is_some());
        let free: Vec<Ipv4Net> = pool::free(&config.pools, &taken).collect();
        let start = if attempt == 0 { 0 } else { index as usize + attempt };
        let next = free.get(start % free.len().max(1)).map(pool::with_gateway);
        let Some(address) = remembered.filter(|_| attempt == 0).or(next) else { break };
        let mut batch = Batch::new();
        route::add_address(&mut batch, &on(index, address));
        socket.execute(batch).map_err(failed)?;
        if !self::taken(socket, index)?.iter().any(|other| pool::overlaps(other, &address)) {
            return Ok(address);
        }
        let mut batch = Batch::new();
        route::delete_address(&mut batch, &on(index, address));
        socket.execute(batch).map_err(failed)?;
    }
    Err(Error::invalid("all predefined address pools have been fully subnetted"))
}

/// The networks of the host's routes and addresses, of both families.
pub(crate) fn taken_by_host(socket: &mut Socket) -> Result<Vec<IpNet>> {
    let mut networks: Vec<IpNet> = taken(socket, 0)?.into_iter().map(IpNet::V4).collect();
    let routes = route::routes6(socket).unwrap_or_default();
    let v6 = routes.iter().filter(|r| r.prefix_len >= SHORTEST_NETWORK);
    networks.extend(v6.filter_map(|r| IpNet::new(r.destination, r.prefix_len).ok()));
    Ok(networks)
}

/// The networks that links other than `index` have or lead to.
fn taken(socket: &mut Socket, index: u32) -> Result<Vec<Ipv4Net>> {
    let routes = route::routes(socket).map_err(failed)?;
    let addresses = route::addresses(socket).map_err(failed)?;
    let routes = routes.iter().filter(|r| r.link != Some(index)).map(|r| (r.destination, r.prefix_len));
    let addresses = addresses.iter().filter(|a| a.link != index).map(|a| (a.ip, a.prefix_len));
    let networks = routes.chain(addresses).filter(|(_, len)| *len >= SHORTEST_NETWORK);
    Ok(networks.filter_map(|(ip, len)| ipv4(ip, len)).collect())
}

fn own_addresses(socket: &mut Socket, index: u32) -> Result<Vec<Ipv4Net>> {
    let own = route::addresses_of(socket, index, Ipv4Addr::UNSPECIFIED.into()).map_err(failed)?;
    Ok(own.iter().filter_map(|a| ipv4(a.ip, a.prefix_len)).collect())
}

fn ipv4(ip: IpAddr, prefix_len: u8) -> Option<Ipv4Net> {
    match ip {
        IpAddr::V4(ip) => Ipv4Net::new(ip, prefix_len).ok(),
        IpAddr::V6(_) => None,
    }
}

fn on(link: u32, address: Ipv4Net) -> Address {
    Address { link, ip: address.addr().into(), prefix_len: address.prefix_len() }
}

pub(crate) fn failed(error: netlink::Error) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expected: bool| assert_eq!(check_name(name).is_ok(), expected, "{name:?}");
        check("lighter0", true);
        check("fifteen-bytes-x", true);
        for bad in ["", ".", "..", "a/b", "a b", "a:b", "a%d", "sixteen-bytes-xx"] {
            check(bad, false);
        }
    }

    #[test]
    fn bips() {
        let check = |bip: &str, expected: bool| assert_eq!(check_bip(bip.parse().unwrap()).is_ok(), expected, "{bip}");
        check("192.168.5.1/24", true);
        check("192.168.5.77/24", true);
        check("192.168.5.0/24", false);
        check("192.168.5.255/24", false);
        check("192.168.5.1/31", false);
        check("192.168.5.1/32", false);
    }
}
