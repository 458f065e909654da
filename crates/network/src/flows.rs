//! Flows of datagrams that lead where a published port led before. TCP's end by themselves; a client that goes on sending
//! datagrams keeps its flow for ever, to a container that is gone, or to nobody since before the port was published.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use netlink::conntrack::{self, Flow};
use netlink::{Errno, Result, Socket};

use crate::ports::{Protocol, Published};

/// A port and where the kernel leads it; `None`: nowhere, the daemon serves it.
pub(crate) type Way = (Published, Option<IpAddr>);

/// The ports lead there from now on: forgets what goes elsewhere.
pub(crate) fn led(ways: &[Way]) -> Result<()> {
    forget(ways, |flow, published, target| covers(published, flow) && goes_elsewhere(flow, target, is_local))
}

/// The ports have ceased to lead there: forgets what still does.
pub(crate) fn left(ways: &[Way]) -> Result<()> {
    forget(ways, |flow, _, target| Some(flow.reply.source) == target)
}

fn forget(ways: &[Way], stale: impl Fn(&Flow, &Published, Option<SocketAddr>) -> bool) -> Result<()> {
    let mut udp = ways.iter().filter(|(published, _)| published.protocol == Protocol::Udp).peekable();
    if udp.peek().is_none() {
        return Ok(());
    }
    let mut socket = Socket::netfilter()?;
    for (published, target) in udp {
        let target = target.map(|ip| SocketAddr::new(ip, published.port));
        let mut flows = match conntrack::udp_to(&mut socket, published.host_ip.is_ipv4(), published.host_port) {
            // not every kernel tells its flows: they end half a minute after their last packet
            Err(error) if matches!(error.errno, Errno::INVAL | Errno::OPNOTSUPP) => return Ok(()),
            other => other?,
        };
        flows.retain(|flow| stale(flow, published, target));
        conntrack::forget(&mut socket, &flows)?;
    }
    Ok(())
}

fn covers(published: &Published, flow: &Flow) -> bool {
    published.host_ip.is_unspecified() || published.host_ip == flow.original.destination.ip()
}

/// Whether a flow to a published port goes to another than its target. One that is not translated is none of ours if it
/// leads away from this host, to a remote port of the same number.
fn goes_elsewhere(flow: &Flow, target: Option<SocketAddr>, is_local: impl Fn(IpAddr) -> bool) -> bool {
    let (asked, really) = (flow.original.destination, flow.reply.source);
    if asked != really { Some(really) != target } else { target.is_some() && is_local(asked.ip()) }
}

/// Whether it is an address of this host.
fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
