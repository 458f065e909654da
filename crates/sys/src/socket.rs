//! Options of sockets of the Internet protocols (ip(7), ipv6(7)).

use std::os::fd::AsFd;

use rustix::io::Result;

use crate::netlink::set_option;

/// What of a UDP socket's datagrams cannot be delivered comes back, as far as it is quoted, to whoever receives with
/// `MSG_ERRQUEUE` (`IP_RECVERR`, `IPV6_RECVERR`).
pub fn report_errors(socket: impl AsFd, is_ipv6: bool) -> Result<()> {
    let (level, option) =
        if is_ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    set_option(&socket, level, option, 1)
}
