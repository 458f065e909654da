use crate::batch::Batch;
use crate::route::{CREATE, ifinfomsg};

/// `IFLA_BR_MCAST_SNOOPING` (linux/if_link.h).
const MULTICAST_SNOOPING: u16 = 23;
/// `IFLA_BR_MULTI_BOOLOPT`: values and which of them are meant, as bits; `BR_BOOLOPT_NO_LL_LEARN` is the first.
const SWITCHES: u16 = 46;
const NO_LINK_LOCAL_LEARN: u32 = 1;

/// A bridge to be made: down, without addresses or ports.
#[derive(Clone, Copy, Debug)]
pub struct Bridge<'a> {
    pub name: &'a str,
    /// A bridge without an address of its own takes that of a port, and changes it when ports come and go, which
    /// every neighbour then has to find out. So it is given one.
    pub mac: [u8; 6],
    pub mtu: u32,
}

/// Adds the creation of `bridge`. Multicast snooping is off: without a querier on the bridge it only floods as well,
/// but costs timers and reports for each port. Where a neighbour is it does not learn from frames that bridges send each other
/// (LLDP): no rule of nftables sees these.
pub fn add_bridge(batch: &mut Batch, bridge: &Bridge<'_>) {
    batch
        .message(format!("create bridge {}", bridge.name), libc::RTM_NEWLINK, CREATE, &ifinfomsg(0, 0, 0))
        .string(libc::IFLA_IFNAME, bridge.name)
        .attribute(libc::IFLA_ADDRESS, &bridge.mac)
        .u32(libc::IFLA_MTU, bridge.mtu)
        .nested(libc::IFLA_LINKINFO, &[], |m| {
            m.string(libc::IFLA_INFO_KIND, "bridge");
            m.nested(libc::IFLA_INFO_DATA, &[], |m| {
                m.u8(MULTICAST_SNOOPING, 0);
                m.attribute(SWITCHES, &[NO_LINK_LOCAL_LEARN.to_ne_bytes(); 2].concat());
            });
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding() {
        let mut batch = Batch::new();
        add_bridge(&mut batch, &Bridge { name: "br0", mac: [2, 1, 2, 3, 4, 5], mtu: 1400 });
        let expected: Vec<u8> = [
            vec![100, 0, 0, 0, 16, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![8, 0, 3, 0, b'b', b'r', b'0', 0],
            vec![10, 0, 1, 0, 2, 1, 2, 3, 4, 5, 0, 0],
            vec![8, 0, 4, 0, 0x78, 5, 0, 0],
            vec![40, 0, 18, 0, 11, 0, 1, 0, b'b', b'r', b'i', b'd', b'g', b'e', 0, 0],
            vec![24, 0, 2, 0, 5, 0, 23, 0, 0, 0, 0, 0],
            vec![12, 0, 46, 0, 1, 0, 0, 0, 1, 0, 0, 0],
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
    }
}
