//! Flows that the kernel follows (linux/netfilter/nfnetlink_conntrack.h). What happens to a flow's packets is decided by its
//! first one: later ones go the same way, whatever the rules say by then.

use std::net::SocketAddr;

use crate::batch::Batch;
use crate::error::Result;
use crate::parse::{self, Message};
use crate::socket::Socket;

const DUMP: u16 = libc::NLM_F_DUMP as u16;
/// `NFNL_SUBSYS_CTNETLINK`, `IPCTNL_MSG_CT_GET`, `IPCTNL_MSG_CT_DELETE`.
const SUBSYSTEM: u16 = 1 << 8;
pub(crate) const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`, `CTA_FILTER` (must be marked as nested); `CTA_FILTER_ORIG_FLAGS`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const FILTER: u16 = 25 | libc::NLA_F_NESTED as u16;
const FILTER_ORIGINAL: u16 = 1;
/// `CTA_FILTER_F_CTA_PROTO_NUM`, `CTA_FILTER_F_CTA_PROTO_DST_PORT` (net/netfilter/nf_internals.h).
const BY_PROTOCOL_AND_PORT: u32 = 1 << 3 | 1 << 5;
/// `CTA_TUPLE_IP`: `CTA_IP_V4_SRC`, `CTA_IP_V4_DST`, `CTA_IP_V6_SRC`, `CTA_IP_V6_DST`.
const IP: u16 = 1;
const SOURCES: [u16; 2] = [1, 3];
const DESTINATIONS: [u16; 2] = [2, 4];
/// `CTA_TUPLE_PROTO`: `CTA_PROTO_NUM`, `CTA_PROTO_SRC_PORT`, `CTA_PROTO_DST_PORT`.
const PROTOCOL: u16 = 2;
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
const UDP: u8 = libc::IPPROTO_UDP as u8;
/// Bytes of `struct nfgenmsg`.
const FIXED: usize = 4;
/// Flows in one system call: their messages must fit into the socket's send buffer.
const AT_ONCE: usize = 500;

/// From where to where packets of one direction go, as they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// One flow of datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// As who began it sends.
    pub original: Direction,
    /// As it is answered: from where the packets really go.
    pub reply: Direction,
    /// By which the kernel finds it.
    tuple: Vec<u8>,
}

/// The UDP flows which began with a packet to `port`, of IPv4 or of IPv6.
///
/// Errors: `EINVAL` where the kernel does not tell its flows (`CONFIG_NF_CT_NETLINK`).
pub fn udp_to(socket: &mut Socket, ipv4: bool, port: u16) -> Result<Vec<Flow>> {
    let request = |batch: &mut Batch| {
        // Kernels before 5.8 do not know the filter and list all.
        batch
            .message("list flows", GET, DUMP, &[family(ipv4), 0, 0, 0])
            .nested(ORIGINAL, &[], |m| {
                m.nested(PROTOCOL, &[], |m| {
                    m.u8(NUMBER, UDP).attribute(DESTINATION_PORT, &port.to_be_bytes());
                });
            })
            .nested(FILTER, &[], |m| {
                m.u32(FILTER_ORIGINAL, BY_PROTOCOL_AND_PORT);
            });
    };
    socket.dump(request, |message| flow(&message).filter(|flow| flow.original.destination.port() == port))
}

/// Makes the kernel judge the next packet of these flows as the first one. Those that have ended are no error.
pub fn forget(socket: &mut Socket, flows: &[Flow]) -> Result<()> {
    for some in flows.chunks(AT_ONCE) {
        let mut batch = Batch::new();
        for flow in some {
            let fixed = [family(flow.original.source.is_ipv4()), 0, 0, 0];
            batch.message("forget flow", DELETE, 0, &fixed).attribute(ORIGINAL, &flow.tuple);
        }
        match socket.execute(batch) {
            Err(error) if !error.missing() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn family(ipv4: bool) -> u8 {
    if ipv4 { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

/// `None` for what is not UDP.
fn flow(message: &Message<'_>) -> Option<Flow> {
    let attributes = message.payload.get(FIXED..)?;
    let tuple = parse::attribute(attributes, ORIGINAL)?;
    let reply = direction(parse::attribute(attributes, REPLY)?)?;
    Some(Flow { original: direction(tuple)?, reply, tuple: tuple.to_vec() })
}

fn direction(tuple: &[u8]) -> Option<Direction> {
    let (ips, protocol) = (parse::attribute(tuple, IP)?, parse::attribute(tuple, PROTOCOL)?);
    if parse::attribute(protocol, NUMBER) != Some(&[UDP]) {
        return None;
    }
    let end = |kinds: [u16; 2], port: u16| {
        let ip = parse::ip(kinds.iter().find_map(|kind| parse::attribute(ips, *kind))?)?;
        let port: [u8; 2] = parse::attribute(protocol, port)?.try_into().ok()?;
        Some(SocketAddr::new(ip, u16::from_be_bytes(port)))
    };
    Some(Direction { source: end(SOURCES, SOURCE_PORT)?, destination: end(DESTINATIONS, DESTINATION_PORT)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u8) -> Option<Flow> {
        let mut batch = Batch::new();
        let way = |from: [u8; 4], to: [u8; 4], ports: [u16; 2]| {
            move |m: &mut crate::batch::Message<'_>| {
                m.nested(IP, &[], |m| {
                    m.attribute(1, &from).attribute(2, &to);
                });
                m.nested(PROTOCOL, &[], |m| {
                    m.u8(NUMBER, number).attribute(2, &ports[0].to_be_bytes()).attribute(3, &ports[1].to_be_bytes());
                });
            }
        };
        let (client, host, container) = ([192, 0, 2, 1], [192, 0, 2, 2], [172, 17, 0, 2]);
        batch.message("", SUBSYSTEM, 0, &[2, 0, 0, 0]).nested(ORIGINAL, &[], way(client, host, [999, 5353])).nested(
            REPLY,
            &[],
            way(container, client, [53, 999]),
        );
        let message = parse::messages(batch.bytes()).next()?;
        flow(&message)
    }

    #[test]
    fn both_directions_are_told() {
        let flow = told(UDP).unwrap();
        let ends = [flow.original.source, flow.original.destination, flow.reply.source, flow.reply.destination];
        let ends = ends.map(|end| end.to_string());
        assert_eq!(ends, ["192.0.2.1:999", "192.0.2.2:5353", "172.17.0.2:53", "192.0.2.1:999"]);
        assert_eq!(told(6), None);
    }
}
