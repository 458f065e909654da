use std::os::fd::{AsRawFd, BorrowedFd};

use crate::batch::Batch;
use crate::route::{CREATE, ifinfomsg};

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

/// Adds the creation of the link.
pub fn add_child(batch: &mut Batch, child: &Child<'_>) {
    let kind = match child.kind {
        ChildKind::Macvlan { .. } => "macvlan",
        ChildKind::Ipvlan { .. } => "ipvlan",
        ChildKind::Vlan { .. } => "vlan",
    };
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
