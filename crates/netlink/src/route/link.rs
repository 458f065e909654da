use crate::batch::Batch;
use crate::error::Result;
use crate::parse::{self, Message};
use crate::route::{DUMP, ifinfomsg};
use crate::socket::Socket;

/// `IFLA_INET6_ADDR_GEN_MODE` and its value for "give the link no address by yourself" (linux/if_link.h).
const ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_MODE_NONE: u8 = 1;
/// `IFLA_BRPORT_STATE`, `BR_STATE_DISABLED`.
const PORT_STATE: u16 = 1;
const PORT_DISABLED: u8 = 0;
/// `IFLA_BRPORT_MODE`: hairpin.
const PORT_HAIRPIN: u16 = 4;
/// `IFLA_BRPORT_ISOLATED`.
const PORT_ISOLATED: u16 = 33;
/// `RTEXT_FILTER_SKIP_STATS`: half of an answer's bytes are counters nobody here reads.
const SKIP_STATS: u32 = 1 << 3;

/// A network interface, as far as this crate's users look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// What made it: `bridge`, `veth`, …; none for hardware.
    pub kind: Option<String>,
    /// Index of the bridge (or bond) it is a port of.
    pub master: Option<u32>,
    /// Free text of up to 255 bytes that the kernel keeps for whoever made the link.
    pub alias: Option<String>,
    pub mtu: u32,
    pub mac: Option<[u8; 6]>,
    pub up: bool,
}

/// How a message names the link it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    Index(u32),
    Name(&'a str),
}

impl Target<'_> {
    fn index(&self) -> u32 {
        match self {
            Target::Index(index) => *index,
            Target::Name(_) => 0,
        }
    }
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Index(index) => write!(f, "{index}"),
            Target::Name(name) => f.write_str(name),
        }
    }
}

/// What to change on a link; what is `None` or false stays as it is.
#[derive(Clone, Copy, Debug)]
pub struct LinkChange<'a> {
    pub target: Target<'a>,
    pub up: Option<bool>,
    pub alias: Option<&'a str>,
    pub mtu: Option<u32>,
    pub mac: Option<[u8; 6]>,
    pub master: Option<u32>,
    /// No link-local IPv6 address, and so no duplicate detection, router solicitation or multicast report when the
    /// link comes up. Takes effect only before `up`: use a message of its own, as the kernel applies flags first.
    pub no_ipv6_address: bool,
    /// Neighbours are not asked for: who is at the other end has the link's own hardware address.
    pub no_arp: bool,
    /// The link, a bridge's port, exchanges frames with the bridge itself but not with other isolated ports.
    pub isolated: Option<bool>,
    /// The bridge may send frames out of the port, too, that came in by it.
    pub hairpin: Option<bool>,
    /// The bridge neither takes frames from the port nor sends any there.
    pub cut_off: bool,
}

impl<'a> LinkChange<'a> {
    pub fn index(index: u32) -> Self {
        Self::of(Target::Index(index))
    }

    pub fn name(name: &'a str) -> Self {
        Self::of(Target::Name(name))
    }

    fn of(target: Target<'a>) -> Self {
        Self {
            target,
            up: None,
            alias: None,
            mtu: None,
            mac: None,
            master: None,
            no_ipv6_address: false,
            no_arp: false,
            isolated: None,
            hairpin: None,
            cut_off: false,
        }
    }
}

/// Adds the change of one link.
pub fn set_link(batch: &mut Batch, change: &LinkChange<'_>) {
    let up = libc::IFF_UP as u32;
    let (mut flags, mut mask) = match change.up {
        Some(true) => (up, up),
        Some(false) => (0, up),
        None => (0, 0),
    };
    if change.no_arp {
        (flags, mask) = (flags | libc::IFF_NOARP as u32, mask | libc::IFF_NOARP as u32);
    }
    // Both change an existing link, but only NEWLINK looks at what concerns a bridge's port.
    let of_port = change.isolated.is_some() || change.hairpin.is_some() || change.cut_off;
    let kind = if of_port { libc::RTM_NEWLINK } else { libc::RTM_SETLINK };
    let fixed = ifinfomsg(change.target.index(), flags, mask);
    let mut message = batch.message(format!("configure link {}", change.target), kind, 0, &fixed);
    if let Target::Name(name) = change.target {
        message.string(libc::IFLA_IFNAME, name);
    }
    if let Some(alias) = change.alias {
        message.string(libc::IFLA_IFALIAS, alias);
    }
    if let Some(mtu) = change.mtu {
        message.u32(libc::IFLA_MTU, mtu);
    }
    if let Some(mac) = change.mac {
        message.attribute(libc::IFLA_ADDRESS, &mac);
    }
    if let Some(master) = change.master {
        message.u32(libc::IFLA_MASTER, master);
    }
    if change.no_ipv6_address {
        message.nested(libc::IFLA_AF_SPEC, &[], |m| {
            m.nested(libc::AF_INET6 as u16, &[], |m| {
                m.u8(ADDR_GEN_MODE, ADDR_GEN_MODE_NONE);
            });
        });
    }
    if of_port {
        message.nested(libc::IFLA_LINKINFO, &[], |m| {
            m.string(libc::IFLA_INFO_SLAVE_KIND, "bridge");
            m.nested(libc::IFLA_INFO_SLAVE_DATA, &[], |m| {
                for (kind, set) in [(PORT_ISOLATED, change.isolated), (PORT_HAIRPIN, change.hairpin)] {
                    if let Some(set) = set {
                        m.u8(kind, u8::from(set));
                    }
                }
                if change.cut_off {
                    m.u8(PORT_STATE, PORT_DISABLED);
                }
            });
        });
    }
}

/// Removes a link. For a veth this waits for an RCU grace period in the kernel (about 26 ms): let the end of its
/// namespace take it wherever that is possible.
pub fn delete_link(batch: &mut Batch, target: Target<'_>) {
    let fixed = ifinfomsg(target.index(), 0, 0);
    let mut message = batch.message(format!("delete link {target}"), libc::RTM_DELLINK, 0, &fixed);
    if let Target::Name(name) = target {
        message.string(libc::IFLA_IFNAME, name);
    }
}

/// Adds waiting until a change of the link's carrier has reached whoever depends on it. When a veth's second end comes
/// up, a worker of the kernel tells the bridge, some time later, and packets are dropped until then; asking for the
/// link makes the kernel do that first (rtnl_getlink, since Linux 6.9; earlier ones only answer).
pub fn settle_link(batch: &mut Batch, target: Target<'_>) {
    get(batch, target);
}

fn get(batch: &mut Batch, target: Target<'_>) {
    let fixed = ifinfomsg(target.index(), 0, 0);
    let mut message = batch.message(format!("look up link {target}"), libc::RTM_GETLINK, 0, &fixed);
    if let Target::Name(name) = target {
        message.string(libc::IFLA_IFNAME, name);
    }
    message.u32(libc::IFLA_EXT_MASK, SKIP_STATS);
}

/// The link `target` names, `None` where there is none.
pub fn link(socket: &mut Socket, target: Target<'_>) -> Result<Option<Link>> {
    let mut batch = Batch::new();
    get(&mut batch, target);
    let mut found = None;
    match socket.query(batch, |answer| found = decode(answer)) {
        Err(error) if error.missing() => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(found),
    }
}

/// All links of the namespace.
pub fn links(socket: &mut Socket) -> Result<Vec<Link>> {
    dump(socket, None)
}

/// The ports of the bridge with index `bridge`.
pub fn ports(socket: &mut Socket, bridge: u32) -> Result<Vec<Link>> {
    let mut ports = dump(socket, Some(bridge))?;
    ports.retain(|link| link.master == Some(bridge)); // kernels before 4.20 may ignore the filter
    Ok(ports)
}

fn dump(socket: &mut Socket, master: Option<u32>) -> Result<Vec<Link>> {
    let request = |batch: &mut Batch| {
        let mut message = batch.message("list links", libc::RTM_GETLINK, DUMP, &ifinfomsg(0, 0, 0));
        if let Some(master) = master {
            message.u32(libc::IFLA_MASTER, master);
        }
        message.u32(libc::IFLA_EXT_MASK, SKIP_STATS);
    };
    socket.dump_amid_changes(request, decode)
}

pub(super) fn decode(message: Message<'_>) -> Option<Link> {
    if message.kind != libc::RTM_NEWLINK {
        return None;
    }
    let flags = parse::word(message.payload, 8)?;
    let mut link = Link {
        index: parse::word(message.payload, 4)?,
        name: String::new(),
        kind: None,
        master: None,
        alias: None,
        mtu: 0,
        mac: None,
        up: flags & libc::IFF_UP as u32 != 0,
    };
    for (kind, value) in parse::attributes(message.payload.get(16..)?) {
        match kind {
            libc::IFLA_IFNAME => link.name = parse::string(value),
            libc::IFLA_MASTER => link.master = parse::word(value, 0),
            libc::IFLA_IFALIAS => link.alias = Some(parse::string(value)),
            libc::IFLA_MTU => link.mtu = parse::word(value, 0).unwrap_or(0),
            libc::IFLA_ADDRESS => link.mac = value.try_into().ok(),
            libc::IFLA_LINKINFO => link.kind = parse::attribute(value, libc::IFLA_INFO_KIND).map(parse::string),
            _ => {}
        }
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_decoded() {
        let mut batch = Batch::new();
        batch
            .message("", libc::RTM_NEWLINK, 0, &ifinfomsg(7, libc::IFF_UP as u32, 0))
            .string(libc::IFLA_IFNAME, "vx")
            .u32(libc::IFLA_MTU, 1400)
            .u32(libc::IFLA_MASTER, 3)
            .attribute(libc::IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1])
            .string(libc::IFLA_IFALIAS, "mine")
            .nested(libc::IFLA_LINKINFO, &[], |m| {
                m.string(libc::IFLA_INFO_KIND, "veth");
            });
        let message = parse::messages(batch.bytes()).next().unwrap();
        let expected = Link {
            index: 7,
            name: "vx".into(),
            kind: Some("veth".into()),
            master: Some(3),
            alias: Some("mine".into()),
            mtu: 1400,
            mac: Some([2, 0, 0, 0, 0, 1]),
            up: true,
        };
        assert_eq!(decode(message), Some(expected));
        assert_eq!(decode(Message { payload: &message.payload[..9], ..message }), None);
        assert_eq!(decode(Message { kind: libc::RTM_DELLINK, ..message }), None);
    }

    #[test]
    fn a_change_is_encoded() {
        let mut batch = Batch::new();
        set_link(&mut batch, &LinkChange { up: Some(true), no_ipv6_address: true, ..LinkChange::index(5) });
        let expected: Vec<u8> = [
            vec![48, 0, 0, 0, 19, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
            vec![16, 0, 26, 0, 12, 0, 10, 0, 5, 0, 8, 0, 1, 0, 0, 0],
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
    }
}
