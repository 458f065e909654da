use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::batch::Batch;
use crate::error::Result;
use crate::route::{CREATE, ifinfomsg};
use crate::socket::Socket;

/// `IFLA_MACVLAN_MODE`, `IFLA_IPVLAN_MODE`, `IFLA_IPVLAN_FLAGS`, `IFLA_VLAN_ID` (linux/if_link.h).
const MACVLAN_MODE: u16 = 1;
const IPVLAN_MODE: u16 = 1;
const IPVLAN_FLAGS: u16 = 2;
const VLAN_ID: u16 = 1;

/// What a link on top of another one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// `MACVLAN_MODE_*`: 1 private, 2 VEPA, 4 bridge, 8 passthru.
    Macvlan {
        mode: u32,
    },
    /// `IPVLAN_MODE_*`: 0 L2, 1 L3, 2 L3S; flags: 0 bridge, 1 private, 2 VEPA.
    Ipvlan {
        mode: u16,
        flags: u16,
    },
    Vlan {
        id: u16,
    },
}

/// A link that uses another one, its parent, straight in another namespace where one is named. Down.
#[derive(Clone, Copy, Debug)]
pub struct Child<'a> {
    pub name: &'a str,
    /// Index of the parent, in the socket's namespace.
    pub parent: u32,
    pub kind: ChildKind,
    /// `None`: the parent's.
    pub mtu: Option<u32>,
    /// `None` leaves the choice to the kernel.
    pub mac: Option<[u8; 6]>,
    pub namespace: Option<BorrowedFd<'a>>,
}

impl ChildKind {
    /// As the kernel calls it.
    pub fn name(self) -> &'static str {
        match self {
            ChildKind::Macvlan { .. } => "macvlan",
            ChildKind::Ipvlan { .. } => "ipvlan",
            ChildKind::Vlan { .. } => "vlan",
        }
    }
}

/// Whether the kernel can make such links at all. One without a parent is asked for, which it refuses in either case, for
/// different reasons.
pub fn has_kind(socket: &mut Socket, kind: ChildKind) -> Result<bool> {
    let mut batch = Batch::new();
    let name = kind.name();
    batch.message(format!("look for {name} links"), libc::RTM_NEWLINK, CREATE, &ifinfomsg(0, 0, 0)).nested(
        libc::IFLA_LINKINFO,
        &[],
        |m| {
            m.string(libc::IFLA_INFO_KIND, name);
        },
    );
    match socket.execute(batch) {
        Err(error) if error.errno == Errno::OPNOTSUPP => Ok(false),
        Err(error) if error.errno == Errno::PERM => Err(error),
        _ => Ok(true),
    }
}

/// Adds the creation of the link.
pub fn add_child(batch: &mut Batch, child: &Child<'_>) {
    let kind = child.kind.name();
    let label = format!("create {kind} link {}", child.name);
    let mut message = batch.message(label, libc::RTM_NEWLINK, CREATE, &ifinfomsg(0, 0, 0));
    message.string(libc::IFLA_IFNAME, child.name).u32(libc::IFLA_LINK, child.parent);
    if let Some(mtu) = child.mtu {
        message.u32(libc::IFLA_MTU, mtu);
    }
    if let Some(mac) = child.mac {
        message.attribute(libc::IFLA_ADDRESS, &mac);
    }
    if let Some(namespace) = child.namespace {
        message.u32(libc::IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
    }
    message.nested(libc::IFLA_LINKINFO, &[], |m| {
        m.string(libc::IFLA_INFO_KIND, kind);
        m.nested(libc::IFLA_INFO_DATA, &[], |m| match child.kind {
            ChildKind::Macvlan { mode } => {
                m.u32(MACVLAN_MODE, mode);
            }
            ChildKind::Ipvlan { mode, flags } => {
                m.attribute(IPVLAN_MODE, &mode.to_ne_bytes()).attribute(IPVLAN_FLAGS, &flags.to_ne_bytes());
            }
            ChildKind::Vlan { id } => {
                m.attribute(VLAN_ID, &id.to_ne_bytes());
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes behind the parent's index: the kind and its own attributes.
    fn info(kind: ChildKind) -> Vec<u8> {
        let mut batch = Batch::new();
        add_child(&mut batch, &Child { name: "c0", parent: 7, kind, mtu: None, mac: None, namespace: None });
        let bytes = batch.bytes();
        assert_eq!(bytes[..16], [bytes.len() as u8, 0, 0, 0, 16, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[32..48], [7, 0, 3, 0, b'c', b'0', 0, 0, 8, 0, 5, 0, 7, 0, 0, 0]);
        bytes[48..].to_vec()
    }

    #[test]
    fn macvlan() {
        let expected: Vec<u8> =
            [vec![28, 0, 18, 0, 12, 0, 1, 0], b"macvlan\0".to_vec(), vec![12, 0, 2, 0, 8, 0, 1, 0, 4, 0, 0, 0]]
                .concat();
        assert_eq!(info(ChildKind::Macvlan { mode: 4 }), expected);
    }

    #[test]
    fn ipvlan() {
        let expected: Vec<u8> = [
            vec![36, 0, 18, 0, 11, 0, 1, 0],
            b"ipvlan\0\0".to_vec(),
            vec![20, 0, 2, 0, 6, 0, 1, 0, 1, 0, 0, 0, 6, 0, 2, 0, 2, 0, 0, 0],
        ]
        .concat();
        assert_eq!(info(ChildKind::Ipvlan { mode: 1, flags: 2 }), expected);
    }

    #[test]
    fn vlan() {
        let expected: Vec<u8> =
            [vec![28, 0, 18, 0, 9, 0, 1, 0], b"vlan\0\0\0\0".to_vec(), vec![12, 0, 2, 0, 6, 0, 1, 0, 10, 0, 0, 0]]
                .concat();
        assert_eq!(info(ChildKind::Vlan { id: 10 }), expected);
    }

    #[test]
    fn mtu_hardware_address_and_namespace() {
        use std::os::fd::AsFd;
        let namespace = std::fs::File::open("/proc/self/ns/net").unwrap();
        let mut batch = Batch::new();
        let kind = ChildKind::Macvlan { mode: 1 };
        let (mtu, mac, namespace) = (Some(1400), Some([2, 0, 0, 0, 0, 9]), Some(namespace.as_fd()));
        add_child(&mut batch, &Child { name: "c0", parent: 7, kind, mtu, mac, namespace });
        let bytes = &batch.bytes()[48..];
        assert_eq!(bytes[..8], [8, 0, 4, 0, 0x78, 5, 0, 0]);
        assert_eq!(bytes[8..20], [10, 0, 1, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
        assert_eq!(bytes[20..24], [8, 0, 28, 0]);
    }
}
