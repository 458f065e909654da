use std::os::fd::{AsRawFd, BorrowedFd};

use crate::batch::{Batch, Message};
use crate::route::{CREATE, ifinfomsg};

/// `VETH_INFO_PEER` (linux/veth.h).
const PEER: u16 = 1;

/// A pair of linked interfaces (veth(4)): one here, one straight in another namespace, both down.
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    pub name: &'a str,
    /// Index of the bridge this end becomes a port of.
    pub master: Option<u32>,
    /// Of both ends.
    pub mtu: u32,
    pub peer_name: &'a str,
    /// `None` leaves the choice to the kernel.
    pub peer_mac: Option<[u8; 6]>,
    /// `None` keeps the peer in this namespace.
    pub peer_namespace: Option<BorrowedFd<'a>>,
}

/// Adds the creation of the pair. One queue each way: the kernel's default is one for every processor, each with an
/// entry in sysfs to be made, and a veth has no use for them.
pub fn add_veth(batch: &mut Batch, veth: &Veth<'_>) {
    let label = format!("create veth pair {} and {}", veth.name, veth.peer_name);
    let mut message = batch.message(label, libc::RTM_NEWLINK, CREATE, &ifinfomsg(0, 0, 0));
    message.string(libc::IFLA_IFNAME, veth.name);
    sizes(&mut message, veth.mtu);
    if let Some(master) = veth.master {
        message.u32(libc::IFLA_MASTER, master);
    }
    message.nested(libc::IFLA_LINKINFO, &[], |m| {
        m.string(libc::IFLA_INFO_KIND, "veth");
        m.nested(libc::IFLA_INFO_DATA, &[], |m| {
            m.nested(PEER, &ifinfomsg(0, 0, 0), |m| {
                m.string(libc::IFLA_IFNAME, veth.peer_name);
                sizes(m, veth.mtu);
                if let Some(mac) = veth.peer_mac {
                    m.attribute(libc::IFLA_ADDRESS, &mac);
                }
                if let Some(namespace) = veth.peer_namespace {
                    m.u32(libc::IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
                }
            });
        });
    });
}

fn sizes(message: &mut Message<'_>, mtu: u32) {
    message.u32(libc::IFLA_MTU, mtu).u32(libc::IFLA_NUM_TX_QUEUES, 1).u32(libc::IFLA_NUM_RX_QUEUES, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding() {
        let mut batch = Batch::new();
        let veth =
            Veth { name: "v0", master: Some(3), mtu: 1400, peer_name: "eth0", peer_mac: None, peer_namespace: None };
        add_veth(&mut batch, &veth);
        let sizes = [[8, 0, 4, 0, 0x78, 5, 0, 0], [8, 0, 31, 0, 1, 0, 0, 0], [8, 0, 32, 0, 1, 0, 0, 0]].concat();
        let expected: Vec<u8> = [
            vec![148, 0, 0, 0, 16, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![7, 0, 3, 0, b'v', b'0', 0, 0],
            sizes.clone(),
            vec![8, 0, 10, 0, 3, 0, 0, 0],
            vec![76, 0, 18, 0, 9, 0, 1, 0, b'v', b'e', b't', b'h', 0, 0, 0, 0],
            vec![60, 0, 2, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0],
            sizes,
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
    }
}
