use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::batch::Batch;
use crate::error::Result;
use crate::parse::{self, Message};
use crate::route::{CREATE, DUMP};
use crate::socket::Socket;

/// An address of a link with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of the link.
    pub link: u32,
    pub ip: IpAddr,
    pub prefix_len: u8,
}

/// Adds giving a link an address. IPv4 gets its network's broadcast address too, IPv6 is not checked for duplicates
/// (which would keep it unusable for a second).
pub fn add_address(batch: &mut Batch, address: &Address) {
    let mut message = batch.message(
        format!("add address {}/{}", address.ip, address.prefix_len),
        libc::RTM_NEWADDR,
        CREATE,
        &ifaddrmsg(address),
    );
    message.ip(libc::IFA_LOCAL, address.ip).ip(libc::IFA_ADDRESS, address.ip);
    match address.ip {
        IpAddr::V4(ip) if address.prefix_len < 31 => {
            message.ip(libc::IFA_BROADCAST, broadcast(ip, address.prefix_len).into());
        }
        IpAddr::V4(_) => {}
        IpAddr::V6(_) => {
            message.u32(libc::IFA_FLAGS, libc::IFA_F_NODAD);
        }
    }
}

/// Adds taking an address away from a link.
pub fn delete_address(batch: &mut Batch, address: &Address) {
    let label = format!("delete address {}/{}", address.ip, address.prefix_len);
    batch.message(label, libc::RTM_DELADDR, 0, &ifaddrmsg(address)).ip(libc::IFA_LOCAL, address.ip);
}

/// All IPv4 addresses of the namespace.
pub fn addresses(socket: &mut Socket) -> Result<Vec<Address>> {
    list(socket, Ipv4Addr::UNSPECIFIED.into(), 0)
}

/// All IPv6 addresses of the namespace.
pub fn addresses6(socket: &mut Socket) -> Result<Vec<Address>> {
    list(socket, Ipv6Addr::UNSPECIFIED.into(), 0)
}

/// The addresses of one link of the family of `any`: the kernel does not go through those of all others (since 4.20).
pub fn addresses_of(socket: &mut Socket, link: u32, any: IpAddr) -> Result<Vec<Address>> {
    let mut found = list(socket, any, link)?;
    found.retain(|address| address.link == link);
    Ok(found)
}

fn list(socket: &mut Socket, family: IpAddr, link: u32) -> Result<Vec<Address>> {
    let any = Address { link, ip: family, prefix_len: 0 };
    let request = |batch: &mut Batch| {
        batch.message("list addresses", libc::RTM_GETADDR, DUMP, &ifaddrmsg(&any));
    };
    socket.dump_amid_changes(request, decode)
}

/// `struct ifaddrmsg`.
fn ifaddrmsg(address: &Address) -> [u8; 8] {
    let family = if address.ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let [a, b, c, d] = address.link.to_ne_bytes();
    [family as u8, address.prefix_len, 0, 0, a, b, c, d]
}

fn broadcast(ip: Ipv4Addr, prefix_len: u8) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
    Ipv4Addr::from_bits(ip.to_bits() | hosts)
}

pub(super) fn decode(message: Message<'_>) -> Option<Address> {
    if message.kind != libc::RTM_NEWADDR {
        return None;
    }
    let attributes = message.payload.get(8..)?;
    // IFA_LOCAL is the link's own address; IFA_ADDRESS is the other end's on a point-to-point link.
    let ip = parse::attribute(attributes, libc::IFA_LOCAL).or(parse::attribute(attributes, libc::IFA_ADDRESS))?;
    Some(Address { link: parse::word(message.payload, 4)?, ip: parse::ip(ip)?, prefix_len: *message.payload.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_back() {
        let address = Address { link: 2, ip: "172.17.0.2".parse().unwrap(), prefix_len: 16 };
        let mut batch = Batch::new();
        add_address(&mut batch, &address);
        let expected: Vec<u8> = [
            vec![48, 0, 0, 0, 20, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![2, 16, 0, 0, 2, 0, 0, 0],
            vec![8, 0, 2, 0, 172, 17, 0, 2],
            vec![8, 0, 1, 0, 172, 17, 0, 2],
            vec![8, 0, 4, 0, 172, 17, 255, 255],
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
        assert_eq!(decode(parse::messages(batch.bytes()).next().unwrap()), Some(address));
    }

    #[test]
    fn broadcast_addresses() {
        let check =
            |ip: &str, len, expected: &str| assert_eq!(broadcast(ip.parse().unwrap(), len).to_string(), expected);
        check("10.1.2.3", 8, "10.255.255.255");
        check("10.1.2.3", 30, "10.1.2.3");
        check("10.1.2.0", 30, "10.1.2.3");
        check("10.1.2.3", 0, "255.255.255.255");
        check("10.1.2.3", 32, "10.1.2.3");
    }
}
