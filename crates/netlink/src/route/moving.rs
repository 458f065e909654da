//! A link of the host that goes into another network namespace with its addresses.

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::batch::Batch;
use crate::error::Result;
use crate::parse::{self, Message};
use crate::route::{CREATE, DUMP, ifinfomsg};
use crate::socket::Socket;

/// `RT_SCOPE_UNIVERSE`: an address that is known everywhere.
const GLOBAL: u8 = 0;
/// What of an address is its own and can be given to it again. (Its label would be the link's name.)
const KEPT: [u16; 5] = [libc::IFA_LOCAL, libc::IFA_ADDRESS, libc::IFA_BROADCAST, libc::IFA_FLAGS, IFA_RT_PRIORITY];
/// linux/if_addr.h
const IFA_RT_PRIORITY: u16 = 9;

/// A permanent, global address of a link, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `struct ifaddrmsg`.
    fixed: [u8; 8],
    attributes: Vec<(u16, Vec<u8>)>,
}

/// The addresses of a link that go with it.
pub fn kept_addresses(socket: &mut Socket, link: u32) -> Result<Vec<Kept>> {
    let request = |batch: &mut Batch| {
        batch.message("list addresses", libc::RTM_GETADDR, DUMP, &[0; 8]);
    };
    socket.dump_amid_changes(request, |message| decode(message, link))
}

pub(super) fn decode(message: Message<'_>, link: u32) -> Option<Kept> {
    let fixed: [u8; 8] = message.payload.get(..8)?.try_into().ok()?;
    let attributes = message.payload.get(8..)?;
    // The field in the header has room for the first eight flags only.
    let flags = parse::attribute(attributes, libc::IFA_FLAGS).and_then(|bytes| parse::word(bytes, 0));
    let flags = flags.unwrap_or_else(|| u32::from(fixed[2]));
    let wanted = message.kind == libc::RTM_NEWADDR
        && parse::word(&fixed, 4)? == link
        && flags & libc::IFA_F_PERMANENT != 0
        && fixed[3] == GLOBAL;
    let own = parse::attributes(attributes).filter(|(kind, _)| KEPT.contains(kind));
    wanted.then(|| Kept { fixed, attributes: own.map(|(kind, value)| (kind, value.to_vec())).collect() })
}

/// Adds giving a link an address that it had elsewhere.
pub fn give_address(batch: &mut Batch, address: &Kept, link: u32) {
    let mut fixed = address.fixed;
    fixed[4..].copy_from_slice(&link.to_ne_bytes());
    let mut message = batch.message("give the link its address again", libc::RTM_NEWADDR, CREATE, &fixed);
    for (kind, value) in &address.attributes {
        message.attribute(*kind, value);
    }
}

/// Adds moving a link to another namespace, where it has this name (`eth%d`: the kernel picks a number).
pub fn move_link(batch: &mut Batch, link: u32, namespace: BorrowedFd<'_>, name: &str) {
    batch
        .message(format!("move the link to be {name}"), libc::RTM_NEWLINK, 0, &ifinfomsg(link, 0, 0))
        .u32(libc::IFLA_NET_NS_FD, namespace.as_raw_fd().cast_unsigned())
        .string(libc::IFLA_IFNAME, name);
}
