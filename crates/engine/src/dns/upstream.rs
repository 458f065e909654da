//! Asking the servers outside, and remembering what they said.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use network::files::resolv;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{self, Query};

const PORT: u16 = 53;
/// As resolv.conf(5) asks at most.
const SERVERS: usize = 3;
/// For one server's answer; then the next one is asked.
const PATIENCE: Duration = Duration::from_secs(4);
/// Answers remembered, and for how long at most.
const REMEMBERED: usize = 4096;
const LONGEST: u32 = 300;
const DATAGRAM: usize = 4096;

type Key = ((String, u16, u16, bool), Vec<IpAddr>);

struct Remembered {
    reply: Vec<u8>,
    at: Instant,
    lifetime: u32,
}

#[derive(Default)]
pub struct Upstream {
    host: Mutex<Option<(resolv::Version, Vec<IpAddr>)>>,
    cache: Mutex<HashMap<Key, Remembered>>,
}

impl Upstream {
    /// The answer of the first of `servers` that gives one; of the host's where there are none. With the query's own id.
    pub async fn ask(&self, query: &Query, bytes: &[u8], servers: Vec<IpAddr>, by_tcp: bool) -> Option<Vec<u8>> {
        let servers = if servers.is_empty() { self.of_host() } else { servers };
        let key = (query.key(), servers);
        if let Some(mut known) = self.recall(&key) {
            message::set_id(&mut known, query.id);
            return Some(known);
        }
        for server in key.1.iter().take(SERVERS) {
            let to = SocketAddr::new(*server, PORT);
            let id = random_id();
            let mut request = bytes.to_vec();
            message::set_id(&mut request, id);
            let asked = async { if by_tcp { tcp(to, &request).await } else { udp(to, &request, query, id).await } };
            let Ok(Ok(mut reply)) = timeout(PATIENCE, asked).await else { continue };
            if !query.is_answered_by(&reply, id) {
                continue;
            }
            message::set_id(&mut reply, query.id);
            self.remember(key, &reply);
            return Some(reply);
        }
        None
    }

    /// The host's file is read again when it changed.
    fn of_host(&self) -> Vec<IpAddr> {
        // before it is read: what changes meanwhile is read once more
        let changed = resolv::version();
        let mut known = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, changed) {
            (Some((at, servers)), Some(now)) if *at == now => servers.clone(),
            _ => {
                let servers = resolv::servers();
                *known = changed.map(|now| (now, servers.clone()));
                servers
            }
        }
    }

    fn recall(&self, key: &Key) -> Option<Vec<u8>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache.get(key)?;
        let passed = u32::try_from(known.at.elapsed().as_secs()).unwrap_or(u32::MAX);
        if passed >= known.lifetime {
            cache.remove(key);
            return None;
        }
        let mut reply = known.reply.clone();
        message::age(&mut reply, passed);
        Some(reply)
    }

    fn remember(&self, key: Key, reply: &[u8]) {
        let Some(lifetime) = message::lifetime(reply).map(|seconds| seconds.min(LONGEST)).filter(|s| *s > 0) else {
            return;
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= REMEMBERED {
            cache.retain(|_, known| known.at.elapsed().as_secs() < known.lifetime.into());
        }
        if cache.len() >= REMEMBERED {
            cache.clear();
        }
        cache.insert(key, Remembered { reply: reply.to_vec(), at: Instant::now(), lifetime });
    }
}

/// How long a server takes to say where the root of all names is; `None` if it says nothing within the time that is waited
/// for one.
pub async fn probe(server: IpAddr) -> Option<Duration> {
    let id = random_id();
    let [high, low] = id.to_be_bytes();
    // recursion wanted, one question: the root, NS, IN
    let request = [high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    let query = Query::parse(&request).ok()?;
    let begun = Instant::now();
    let asked = udp(SocketAddr::new(server, PORT), &request, &query, id);
    timeout(PATIENCE, asked).await.ok()?.ok()?;
    Some(begun.elapsed())
}

/// From a port of its own for each question: who wants to forge an answer has both to guess.
async fn udp(to: SocketAddr, request: &[u8], query: &Query, id: u16) -> std::io::Result<Vec<u8>> {
    let any: IpAddr =
        if to.is_ipv4() { std::net::Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(to).await?;
    socket.send(request).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if query.is_answered_by(&buffer[..length], id) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn tcp(to: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await?;
    write_framed(&mut stream, request).await?;
    read_framed(&mut stream).await
}

/// A message with its length before it (RFC 1035 §4.2.2).
pub async fn write_framed(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(message.len() + 2);
    bytes.extend_from_slice(&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(message);
    stream.write_all(&bytes).await
}

pub async fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn random_id() -> u16 {
    let mut bytes = [0; 2];
    // without randomness the port still has to be guessed
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u16::from_ne_bytes(bytes)
}
