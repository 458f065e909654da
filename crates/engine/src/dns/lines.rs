//! Sockets by which servers outside are asked.
//!
//! A question has a socket of its own as long as the daemon can spare the descriptor: who wants to forge an answer has its port
//! and its number to guess. Those that are too many share a socket for each server, and are told apart by their numbers.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use rustix::process::{Resource, getrlimit};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::message::{self, Query};

const DATAGRAM: usize = 4096;
/// Of the daemon's descriptors one in so many is for questions' own sockets.
const SHARE: u64 = 16;
/// Bytes of answers that wait on a shared one.
const RECEIVED: usize = 4 << 20;
/// Questions on one socket: of the 65,536 numbers enough are free that one is soon found.
const CROWD: usize = 16_384;

/// An answer, and whether it came by a socket of its own.
pub struct Answer {
    pub reply: Vec<u8>,
    pub alone: bool,
}

pub struct Lines {
    /// Sockets of their own: how many there may be, and are.
    most: usize,
    own: AtomicUsize,
    shared: Mutex<HashMap<SocketAddr, Weak<Line>>>,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new(descriptors(SHARE))
    }
}

impl Lines {
    fn new(most: usize) -> Self {
        Self { most, own: AtomicUsize::new(0), shared: Mutex::default() }
    }

    /// Asks one server by UDP, and waits as long as it takes.
    pub async fn ask(&self, to: SocketAddr, query: &Query, bytes: &[u8]) -> io::Result<Answer> {
        let mut request = bytes.to_vec();
        match Own::take(self) {
            Some(_own) => alone(to, query, &mut request).await.map(|reply| Answer { reply, alone: true }),
            None => {
                let line = self.line(to).await?;
                line.ask(query, &mut request).await.map(|reply| Answer { reply, alone: false })
            }
        }
    }

    /// The one that is shared, if it has room, or a new one in its place.
    async fn line(&self, to: SocketAddr) -> io::Result<Arc<Line>> {
        if let Some(line) = self.present(to) {
            return Ok(line);
        }
        let line = Arc::new(Line::open(to).await?);
        let mut shared = lock(&self.shared);
        shared.retain(|_, line| line.strong_count() > 0);
        // several may have opened one at the same time: each serves whoever opened it
        shared.insert(to, Arc::downgrade(&line));
        Ok(line)
    }

    fn present(&self, to: SocketAddr) -> Option<Arc<Line>> {
        lock(&self.shared).get(&to)?.upgrade().filter(|line| lock(&line.waiting).len() < CROWD)
    }
}

/// A socket's descriptor, as long as it is there.
struct Own<'a>(&'a AtomicUsize);

impl<'a> Own<'a> {
    fn take(lines: &'a Lines) -> Option<Self> {
        let before = lines.own.fetch_add(1, Ordering::Relaxed);
        Some(Self(&lines.own)).filter(|_| before < lines.most)
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn alone(to: SocketAddr, query: &Query, request: &mut [u8]) -> io::Result<Vec<u8>> {
    let id = random_id();
    message::set_id(request, id);
    let socket = connected(to).await?;
    socket.send(request).await?;
    loop {
        let reply = receive(&socket).await?;
        if query.is_answered_by(&reply, id) {
            return Ok(reply);
        }
    }
}

/// A socket that many ask by.
struct Line {
    socket: Arc<UdpSocket>,
    waiting: Arc<Mutex<Waiting>>,
    reading: JoinHandle<()>,
}

/// By the numbers they asked under. Whose sender is gone has been answered, and leaves its number itself: nobody else may have it before.
type Waiting = HashMap<u16, (Query, Option<oneshot::Sender<Vec<u8>>>)>;

impl Line {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        let socket = Arc::new(connected(to).await?);
        // answers that wait to be read; less is given to a daemon without root's rights
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVED);
        let waiting = Arc::new(Mutex::new(Waiting::new()));
        let reading = tokio::spawn(read(socket.clone(), waiting.clone()));
        Ok(Self { socket, waiting, reading })
    }

    async fn ask(&self, query: &Query, request: &mut [u8]) -> io::Result<Vec<u8>> {
        let (sender, answer) = oneshot::channel();
        let place = Place::enter(&self.waiting, query, sender);
        message::set_id(request, place.id);
        self.socket.send(request).await?;
        answer.await.map_err(|_| io::ErrorKind::ConnectionRefused.into())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// A question on a shared socket; who gives it up leaves nothing there.
struct Place<'a> {
    waiting: &'a Mutex<Waiting>,
    id: u16,
}

impl<'a> Place<'a> {
    fn enter(waiting: &'a Mutex<Waiting>, query: &Query, sender: oneshot::Sender<Vec<u8>>) -> Self {
        let mut all = lock(waiting);
        let mut id = random_id();
        while all.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        all.insert(id, (query.clone(), Some(sender)));
        Self { waiting, id }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(self.waiting).remove(&self.id);
    }
}

/// Gives each answer to whoever waits for it, until it is aborted.
async fn read(socket: Arc<UdpSocket>, waiting: Arc<Mutex<Waiting>>) {
    loop {
        match receive(&socket).await {
            Ok(reply) => {
                let mut all = lock(&waiting);
                let id = message::id(&reply);
                let meant = all.get_mut(&id).filter(|(query, _)| query.is_answered_by(&reply, id));
                if let Some(sender) = meant.and_then(|(_, sender)| sender.take()) {
                    let _ = sender.send(reply);
                }
            }
            // nobody is there
            Err(_) => lock(&waiting).values_mut().for_each(|(_, sender)| *sender = None),
        }
    }
}

/// From a port that nobody knows.
async fn connected(to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match to {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
    };
    socket.connect(to).await?;
    Ok(socket)
}

/// One datagram. There is no buffer while it is waited for.
async fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    loop {
        socket.readable().await?;
        let mut buffer = [0; DATAGRAM];
        match socket.try_recv(&mut buffer) {
            Ok(length) => return Ok(buffer[..length].to_vec()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

/// Of those the daemon may have one in `share`.
pub fn descriptors(share: u64) -> usize {
    const FEW: u64 = 64;
    let all = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from((all / share).max(FEW)).unwrap_or(usize::MAX)
}

pub fn random_id() -> u16 {
    let mut bytes = [0; 2];
    // without randomness the port still has to be guessed
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u16::from_ne_bytes(bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
