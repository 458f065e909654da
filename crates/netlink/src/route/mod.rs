//! Links, addresses and routes (rtnetlink(7), linux/if_link.h, linux/if_addr.h, linux/rtnetlink.h).
//!
//! Functions that change something add one message to a [`Batch`](crate::Batch); functions that ask take a
//! [`Socket`](crate::Socket) and answer.

mod address;
mod bridge;
mod child;
mod link;
mod moving;
mod table;
mod veth;

pub use address::{Address, add_address, addresses, addresses_of, addresses6, delete_address};
pub use bridge::{Bridge, add_bridge};
pub use child::{Child, ChildKind, add_child, has_kind};
pub use link::{Link, LinkChange, Target, delete_link, link, links, ports, set_link, settle_link};
pub use moving::{Kept, give_address, kept_addresses, move_link};
pub use table::{Route, add_default_route, add_link_route, delete_default_route, lookup, routes, routes6};
pub use veth::{Veth, add_veth};

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const REPLACE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
const DUMP: u16 = libc::NLM_F_DUMP as u16;

/// `struct ifinfomsg`: the fixed part of every message about a link.
fn ifinfomsg(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut bytes = [0u8; 16];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&change.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use crate::parse::Message;

    /// Whatever comes, decoding ends without a panic. (A linear congruential generator: the same on each run.)
    #[test]
    fn decoders_take_any_bytes() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for round in 0..20_000 {
            // Small numbers are likelier to be taken for lengths and types.
            let bytes: Vec<u8> = (0..round % 97).map(|_| if next() < 128 { next() % 40 } else { next() }).collect();
            for kind in [libc::RTM_NEWLINK, libc::RTM_NEWADDR, libc::RTM_NEWROUTE] {
                let message = Message { kind, flags: 0, sequence: 0, payload: &bytes };
                let _ = (super::link::decode(message), super::address::decode(message), super::table::decode(message));
                let _ = super::moving::decode(message, 1);
            }
            let _ = crate::parse::messages(&bytes).count();
        }
    }
}
