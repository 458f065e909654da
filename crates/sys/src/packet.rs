//! Frames of our own (packet(7)).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::io::Result;

/// A socket for links of the calling thread's network namespace, which receives nothing. Needs `CAP_NET_RAW` there. It keeps
/// the namespace, and to close it waits for the kernel.
pub fn open() -> Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: numbers only; the descriptor is new, and nobody else's.
    unsafe {
        let fd = crate::check(libc::c_long::from(libc::socket(libc::AF_PACKET, kind, 0)))?;
        Ok(OwnedFd::from_raw_fd(fd as libc::c_int))
    }
}

/// Sends `data` from a link, by its index, behind an Ethernet header with the link's own address, that of the receiver and
/// `protocol`.
pub fn send(socket: impl AsFd, link: u32, to: [u8; 6], protocol: u16, data: &[u8]) -> Result<()> {
    let mut address = [0; 8];
    address[..6].copy_from_slice(&to);
    let to = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol.to_be(),
        sll_ifindex: link as libc::c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: address,
    };
    // SAFETY: both outlive the call, and their sizes are given.
    let sent = unsafe {
        libc::sendto(
            socket.as_fd().as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            0,
            (&raw const to).cast(),
            size_of_val(&to) as libc::socklen_t,
        )
    };
    crate::check(sent as libc::c_long).map(drop)
}
