//! Names to addresses: `/etc/hosts`, then the servers of `/etc/resolv.conf` (RFC 1035; hosts(5), resolv.conf(5)).
//!
//! Our own, because the C library's resolver loads other libraries at run time, which a static program has not (docs/adr/0003).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// For one server's reply.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: usize = 2;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
/// RFC 1035 §4.1.1: the reply was cut off, ask by TCP.
const TRUNCATED: u16 = 1 << 9;
const NAME_ERROR: u16 = 3;

#[derive(Debug, Default, PartialEq, Eq)]
struct Servers {
    addresses: Vec<SocketAddr>,
    search: Vec<String>,
}

/// All addresses of `host`, IPv4 first; never none.
///
/// # Errors
/// In the words of Go's resolver, which Docker's users know: `lookup HOST: no such host`.
pub(crate) async fn lookup(host: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    if host == "localhost" || host.ends_with(".localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let known = from_hosts(&tokio::fs::read_to_string(HOSTS).await.unwrap_or_default(), host);
    if !known.is_empty() {
        return Ok(known);
    }
    let servers = servers(&tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default());
    let mut last = "no such host".to_owned();
    for name in candidates(host, &servers.search) {
        match ask_all(&servers.addresses, &name).await {
            Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
            Ok(_) => {}
            Err(e) => last = e,
        }
    }
    let server = servers.addresses.first().map_or(String::new(), |server| format!(" on {server}"));
    Err(format!("lookup {host}{server}: {last}"))
}

/// A name with a dot first as it is.
fn candidates(host: &str, search: &[String]) -> Vec<String> {
    let plain = host.trim_end_matches('.').to_owned();
    let longer = search.iter().map(|domain| format!("{plain}.{domain}"));
    match (host.ends_with('.'), host.contains('.')) {
        (true, _) => vec![plain],
        (_, true) => [plain.clone()].into_iter().chain(longer).collect(),
        (_, false) => longer.chain([plain.clone()]).collect(),
    }
}

fn from_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        if words.any(|word| word.eq_ignore_ascii_case(host)) {
            found.push(address);
        }
    }
    found.sort_by_key(|address| address.is_ipv6());
    found
}

fn servers(text: &str) -> Servers {
    let mut servers = Servers::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                let address = words.next().and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
                servers.addresses.extend(address.map(|address| SocketAddr::new(address, 53)));
            }
            Some("search" | "domain") => servers.search = words.map(|w| w.trim_matches('.').to_owned()).collect(),
            _ => {}
        }
    }
    if servers.addresses.is_empty() {
        servers.addresses.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
    }
    servers.search.retain(|domain| !domain.is_empty());
    servers
}

/// Empty: there is no such name, or it has no addresses.
async fn ask_all(servers: &[SocketAddr], name: &str) -> Result<Vec<IpAddr>, String> {
    let mut last = String::new();
    for server in std::iter::repeat_n(servers, TRIES).flatten() {
        let (v4, v6) = tokio::join!(ask(*server, name, TYPE_A), ask(*server, name, TYPE_AAAA));
        match (v4, v6) {
            (Ok(mut v4), v6) => {
                v4.extend(v6.unwrap_or_default());
                return Ok(v4);
            }
            (Err(_), Ok(v6)) if !v6.is_empty() => return Ok(v6),
            (Err(e), _) => last = e,
        }
    }
    Err(last)
}

async fn ask(server: SocketAddr, name: &str, kind: u16) -> Result<Vec<IpAddr>, String> {
    let id = random_id()?;
    let query = query(id, name, kind).ok_or("no such host")?;
    let words = |e: std::io::Error| values::system_words(&e);
    let asked = timeout(PATIENCE, async {
        let local: SocketAddr =
            if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(server).await?;
        socket.send(&query).await?;
        let mut reply = vec![0; 4096];
        loop {
            let n = socket.recv(&mut reply).await?;
            // a late reply to another question, or somebody's guess
            if reply[..n].starts_with(&id.to_be_bytes()) {
                reply.truncate(n);
                return Ok(reply);
            }
        }
    });
    let mut reply = asked.await.map_err(|_| "i/o timeout")?.map_err(words)?;
    if flags(&reply) & TRUNCATED != 0 {
        reply = timeout(PATIENCE, ask_by_tcp(server, &query)).await.map_err(|_| "i/o timeout")?.map_err(words)?;
    }
    addresses(&reply, id, kind).ok_or_else(|| "server misbehaving".into())
}

/// RFC 1035 §4.2.2: two bytes of length before each message.
async fn ask_by_tcp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes()[..], query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; length.into()];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

fn random_id() -> Result<u16, String> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|e| e.to_string())?;
    Ok(u16::from_be_bytes(id))
}

/// `None` for what can be no name.
fn query(id: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    const RECURSE: u16 = 1 << 8;
    const CLASS_INTERNET: u16 = 1;
    let mut out = Vec::new();
    for word in [id, RECURSE, 1, 0, 0, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|n| (1..64).contains(n))?;
        out.push(length);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    for word in [kind, CLASS_INTERNET] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    (name.len() < 254).then_some(out)
}

fn flags(reply: &[u8]) -> u16 {
    word(reply, 2).unwrap_or(0)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The answer's addresses of that kind, whatever names they go by: a recursive server has followed aliases. `None` for a
/// reply which is none, or says that the server failed.
fn addresses(reply: &[u8], id: u16, kind: u16) -> Option<Vec<IpAddr>> {
    const RESPONSE: u16 = 1 << 15;
    if word(reply, 0)? != id || flags(reply) & RESPONSE == 0 {
        return None;
    }
    match flags(reply) & 0xf {
        0 => {}
        NAME_ERROR => return Some(Vec::new()),
        _ => return None,
    }
    let (questions, answers) = (word(reply, 4)?, word(reply, 6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(reply, at)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..answers {
        at = skip_name(reply, at)?;
        let (this, length) = (word(reply, at)?, usize::from(word(reply, at + 8)?));
        let data = reply.get(at + 10..at + 10 + length)?;
        at += 10 + length;
        if this != kind {
            continue;
        }
        if let Ok(v4) = <[u8; 4]>::try_from(data) {
            found.push(IpAddr::from(v4));
        } else if let Ok(v6) = <[u8; 16]>::try_from(data) {
            found.push(IpAddr::from(v6));
        }
    }
    Some(found)
}

/// The place after a name; pointers (§4.1.4) end it.
fn skip_name(reply: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *reply.get(at)? {
            0 => return Some(at + 1),
            n if n & 0xc0 == 0xc0 => return Some(at + 2),
            n if n & 0xc0 == 0 => at += 1 + usize::from(n),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files() {
        let hosts = "# x\n127.0.0.1 localhost\nfe80::1 reg # no\n10.0.0.1\tReg other\nbad reg\n";
        assert_eq!(from_hosts(hosts, "reg"), ["10.0.0.1".parse::<IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
        assert!(from_hosts(hosts, "no").is_empty());
        let servers = servers("nameserver 1.1.1.1\nnameserver fe80::1%eth0\nsearch a.example .\noptions ndots:2\n");
        assert_eq!(servers.addresses.len(), 2);
        assert_eq!(candidates("r", &servers.search), ["r.a.example", "r"]);
        assert_eq!(candidates("r.x", &servers.search), ["r.x", "r.x.a.example"]);
        assert_eq!(candidates("r.", &servers.search), ["r"]);
    }

    #[test]
    fn a_reply_with_an_alias() {
        let mut reply = query(7, "a.example", TYPE_A).unwrap();
        reply[2] = 0x81;
        reply[7] = 2;
        let record = |kind: u16, data: &[u8]| {
            let length = data.len() as u16;
            [&[0xc0, 12][..], &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
        };
        reply.extend(record(5, &[1, b'b', 0xc0, 14]));
        reply.extend(record(TYPE_A, &[192, 0, 2, 1]));
        assert_eq!(addresses(&reply, 7, TYPE_A).unwrap(), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(addresses(&reply, 8, TYPE_A), None);
        reply[3] = NAME_ERROR as u8;
        assert_eq!(addresses(&reply, 7, TYPE_A), Some(vec![]));
        assert!(query(1, "a..b", TYPE_A).is_none());
    }

    proptest! {
        #[test]
        fn no_reply_makes_it_fail(reply in prop::collection::vec(any::<u8>(), 0..200)) {
            addresses(&reply, word(&reply, 0).unwrap_or(0), TYPE_A);
        }
    }
}
