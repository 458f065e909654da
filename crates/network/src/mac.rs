use std::net::{Ipv4Addr, Ipv6Addr};

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

/// The address that a link of this number gives itself (RFC 4291, appendix A).
pub(crate) fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(of_ip([172, 17, 0, 2].into()), [0x02, 0x42, 172, 17, 0, 2]);
        assert_eq!(link_local([0x02, 0x42, 172, 17, 0, 2]).to_string(), "fe80::42:acff:fe11:2");
    }
}
