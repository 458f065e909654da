//! Asking the servers outside, and remembering what they said.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use network::files::resolv;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use values::Id;

use super::lines::{Answer, Lines, Origin, descriptors, random_id};
use super::message::{self, Query};
use super::share::{Share, Stock};

const PORT: u16 = 53;
/// As resolv.conf(5) asks at most.
const SERVERS: usize = 3;
/// For one server's answer; then the next one is asked.
const PATIENCE: Duration = Duration::from_secs(4);
/// Answers remembered, of how many bytes and for how long at most: who asks may be who answers, too.
const REMEMBERED: usize = 4096;
const LARGEST: usize = 4096;
const LONGEST: u32 = 300;

/// What was asked whom, and by which container where it was asked from there: another one may find somebody else at the same
/// address.
type Key = (message::Key, Vec<IpAddr>, Option<Id>);

struct Remembered {
    reply: Vec<u8>,
    at: Instant,
    lifetime: u32,
}

/// Questions by UDP at a time, of all containers: a few KiB of memory each, and no descriptor.
const QUESTIONS: usize = 32_768;
/// Of the daemon's descriptors one in so many is for questions' own sockets.
const SOCKETS: u64 = 16;
/// Connections of all containers: each is a descriptor, and one more while its question is asked outside. One in so many.
const CONNECTIONS: u64 = 32;

pub struct Upstream {
    pub(super) questions: Arc<Stock>,
    pub(super) connections: Arc<Stock>,
    pub(super) sockets: Arc<Stock>,
    host: Mutex<Option<(resolv::Version, Vec<IpAddr>)>>,
    cache: Mutex<HashMap<Key, Remembered>>,
    lines: Lines,
}

/// A container that asks.
pub struct Asker {
    pub id: Id,
    /// Sockets in its namespace.
    pub inside: Lines,
    /// Its share of questions' own sockets.
    pub sockets: Arc<Share>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            questions: Stock::of(QUESTIONS),
            connections: Stock::of(descriptors(CONNECTIONS)),
            sockets: Stock::of(descriptors(SOCKETS)),
            host: Mutex::default(),
            cache: Mutex::default(),
            lines: Lines::default(),
        }
    }
}

impl Upstream {
    /// The answer of the first of `servers` that has one, whom the container reaches; of the host's, whom the host does, where
    /// there are none. With the query's own id.
    pub async fn ask(
        &self,
        query: &Query,
        bytes: &[u8],
        servers: Vec<IpAddr>,
        asker: &Asker,
        by_tcp: bool,
    ) -> Option<Vec<u8>> {
        let (servers, lines, of) = match servers.is_empty() {
            true => (self.of_host(), &self.lines, None),
            false => (servers, &asker.inside, Some(asker.id.clone())),
        };
        let key = query.key().map(|key| (key, servers.clone(), of));
        if let Some(mut known) = key.as_ref().and_then(|key| self.recall(key)) {
            message::set_id(&mut known, query.id);
            return Some(known);
        }
        let mut failure = None;
        // in there it would be asked by itself
        for server in servers.iter().take(SERVERS).filter(|server| server.to_canonical() != network::dns::ADDRESS) {
            let to = SocketAddr::new(*server, PORT);
            let asked = async {
                match by_tcp {
                    false => lines.ask(to, query, bytes, &asker.sockets).await,
                    true => tcp(&lines.origin, to, query, bytes).await,
                }
            };
            let Ok(Ok(Answer { mut reply, alone })) = timeout(PATIENCE, asked).await else { continue };
            message::set_id(&mut reply, query.id);
            if message::has_failed(&reply) {
                // another one may know better
                failure = Some(reply);
                continue;
            }
            // one among many is more easily forged: it is good for whoever asked, and nobody else
            if let Some(key) = key.filter(|_| alone) {
                self.remember(key, &reply);
            }
            return Some(reply);
        }
        failure
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
        if reply.len() > LARGEST {
            return;
        }
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
    // recursion wanted, one question: the root, NS, IN
    let request = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    let query = Query::parse(&request).ok()?;
    let begun = Instant::now();
    let (lines, share) = (Lines::default(), Stock::of(1).share());
    let asked = lines.ask(SocketAddr::new(server, PORT), &query, &request, &share);
    timeout(PATIENCE, asked).await.ok()?.ok()?;
    Some(begun.elapsed())
}

async fn tcp(from: &Origin, to: SocketAddr, query: &Query, bytes: &[u8]) -> std::io::Result<Answer> {
    let id = random_id();
    let mut request = bytes.to_vec();
    message::set_id(&mut request, id);
    let mut stream = from.connection(to).await?;
    write_framed(&mut stream, &request).await?;
    let reply = read_framed(&mut stream).await?;
    let meant = query.is_answered_by(&reply, id);
    meant.then_some(Answer { reply, alone: true }).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_small() {
        let upstream = Upstream::default();
        let question = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 16, 0, 1];
        let key = || (Query::parse(&question).unwrap().key().unwrap(), vec![], None);
        let answer = |bytes: u16| {
            let mut answer = question.to_vec();
            (answer[2], answer[7]) = (0x81, 1);
            answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
            answer.extend(bytes.to_be_bytes());
            answer.resize(answer.len() + usize::from(bytes), 1);
            answer
        };
        upstream.remember(key(), &answer(60_000));
        assert_eq!(upstream.recall(&key()), None);
        upstream.remember(key(), &answer(2_000));
        assert_eq!(upstream.recall(&key()).map(|answer| answer.len()), Some(question.len() + 12 + 2_000));
    }
}
