//! Options of netlink sockets that rustix has no name for (netlink(7), "Socket options").

use std::os::fd::AsFd;

use rustix::io::{Errno, Result};

use crate::socket::set_option;

/// Asks the kernel for what makes a netlink socket pleasant: extended acknowledgements (errors in words, since
/// Linux 4.12), acknowledgements without a copy of the request, and strict checking of dump requests, so that a
/// filter is either applied or refused (since 4.20). What an old kernel does not know is left out.
pub fn set_netlink_options(socket: impl AsFd) -> Result<()> {
    for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
        match set_option(&socket, libc::SOL_NETLINK, option, 1) {
            Ok(()) | Err(Errno::NOPROTOOPT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes room for a message of so many bytes, beyond `wmem_max` (socket(7), `SO_SNDBUFFORCE`; needs `CAP_NET_ADMIN`): the
/// kernel refuses one that is larger than its socket's buffer with `EMSGSIZE`.
pub fn make_room(socket: impl AsFd, bytes: usize) -> Result<()> {
    let size = libc::c_int::try_from(bytes).map_err(|_| Errno::MSGSIZE)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, size)
}
