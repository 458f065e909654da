//! Options of sockets (setsockopt(2)) that rustix has no name for.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};

/// What of a UDP socket's datagrams cannot be delivered comes back, as far as it is quoted, to whoever receives with
/// `MSG_ERRQUEUE` (ip(7), `IP_RECVERR`; ipv6(7), `IPV6_RECVERR`).
pub fn report_errors(socket: impl AsFd, is_ipv6: bool) -> Result<()> {
    let (level, option) =
        if is_ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    set_option(&socket, level, option, 1)
}

pub(crate) fn set_option(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<()> {
    // SAFETY: `value` outlives the call and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)) }
}
