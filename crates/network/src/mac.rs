use std::net::Ipv4Addr;

use values::{Error, Result};

/// 02:42 and the address: while an IP address passes from one container to the next, its neighbours' tables stay
/// right, which they would not with random numbers.
pub(crate) fn of_ip(ip: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = ip.octets();
    [0x02, 0x42, a, b, c, d]
}

/// A random one, unicast and locally administered.
pub(crate) fn random() -> Result<[u8; 6]> {
    let mut mac = [0x02, 0x42, 0, 0, 0, 0];
    let filled = rustix::rand::getrandom(&mut mac[2..], rustix::rand::GetRandomFlags::empty());
    filled.map_err(|e| Error::internal(format!("random numbers: {e}")))?;
    Ok(mac)
}
