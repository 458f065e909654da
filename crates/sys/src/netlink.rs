//! Options of netlink sockets that rustix has no name for (netlink(7), "Socket options").

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};

/// Asks the kernel for what makes a netlink socket pleasant: extended acknowledgements (errors in words, since
/// Linux 4.12), acknowledgements without a copy of the request, and strict checking of dump requests, so that a
/// filter is either applied or refused (since 4.20). What an old kernel does not know is left out.
pub fn set_netlink_options(socket: impl AsFd) -> Result<()> {
    for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
        match set_flag(&socket, option) {
            Ok(()) | Err(Errno::NOPROTOOPT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn set_flag(socket: &impl AsFd, option: libc::c_int) -> Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` outlives the call and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)) }
}
