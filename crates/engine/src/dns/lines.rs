//! Sockets by which servers outside are asked.
//!
//! A question has a socket of its own as long as the daemon can spare the descriptor, and its container has not had its share:
//! who wants to forge an answer has its port and its number to guess. Those that are too many share a socket for each server,
//! and are told apart by their numbers.
//!
//! A shared one belongs to the runtime whose tasks ask by it: it ends with that, and who asks little does not wait for a thread
//! on which much is asked.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use network::Networks;
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socket_with};
use rustix::process::{Resource, getrlimit};
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::message::{self, Query};
use super::share::Share;

const DATAGRAM: usize = 4096;
/// Bytes of answers that wait on a shared one.
const RECEIVED: usize = 4 << 20;
/// Questions on one socket: of the 65,536 numbers enough are free that one is soon found.
const CROWD: usize = 16_384;

/// An answer, and whether it came by a socket of its own.
pub struct Answer {
    pub reply: Vec<u8>,
    pub alone: bool,
}

/// From where servers are asked.
#[derive(Default)]
pub enum Origin {
    /// The daemon's own network.
    #[default]
    Host,
    /// A container's.
    Inside(Arc<Networks>, Arc<OwnedFd>),
    /// The test's own, where a socket is waited for as for one of a container.
    #[cfg(test)]
    Late,
}

impl Origin {
    async fn socket(&self, to: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        match self {
            Origin::Host => Ok(socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?),
            Origin::Inside(networks, netns) => {
                let (sender, opened) = oneshot::channel();
                networks.socket_inside(netns.clone(), family, kind, |socket| drop(sender.send(socket)));
                opened.await.map_err(|_| io::ErrorKind::NotConnected)?
            }
            #[cfg(test)]
            Origin::Late => {
                tokio::task::yield_now().await;
                Ok(socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?)
            }
        }
    }

    /// From a port that nobody knows.
    async fn datagrams(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::from_std(self.socket(to, SocketType::DGRAM).await?.into())?;
        socket.connect(to).await?;
        Ok(socket)
    }

    pub async fn connection(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.socket(to, SocketType::STREAM).await?;
        TcpSocket::from_std_stream(socket.into()).connect(to).await
    }
}

#[derive(Default)]
pub struct Lines {
    pub origin: Origin,
    shared: Mutex<HashMap<(Id, SocketAddr), Weak<Line>>>,
    opening: tokio::sync::Mutex<()>,
}

impl Lines {
    pub fn from(origin: Origin) -> Self {
        Self { origin, ..Self::default() }
    }

    /// Asks one server by UDP for whoever has that share of the sockets, and waits as long as it takes.
    pub async fn ask(&self, to: SocketAddr, query: &Query, bytes: &[u8], share: &Arc<Share>) -> io::Result<Answer> {
        let mut request = bytes.to_vec();
        match share.take() {
            Some(_own) => self.alone(to, query, &mut request).await.map(|reply| Answer { reply, alone: true }),
            None => {
                let line = self.line(to).await?;
                line.ask(query, &mut request).await.map(|reply| Answer { reply, alone: false })
            }
        }
    }

    /// The one that is shared, if it has room, or a new one in its place.
    async fn line(&self, to: SocketAddr) -> io::Result<Arc<Line>> {
        let place = (Handle::current().id(), to);
        if let Some(line) = self.present(&place) {
            return Ok(line);
        }
        // all of a flood come here while the first one waits for its socket
        let _one = self.opening.lock().await;
        if let Some(line) = self.present(&place) {
            return Ok(line);
        }
        let line = Arc::new(Line::open(self.origin.datagrams(to).await?, to)?);
        let mut shared = lock(&self.shared);
        shared.retain(|_, line| line.strong_count() > 0);
        shared.insert(place, Arc::downgrade(&line));
        Ok(line)
    }

    fn present(&self, place: &(Id, SocketAddr)) -> Option<Arc<Line>> {
        lock(&self.shared).get(place)?.upgrade().filter(|line| lock(&line.waiting).len() < CROWD)
    }

    async fn alone(&self, to: SocketAddr, query: &Query, request: &mut [u8]) -> io::Result<Vec<u8>> {
        let id = random_id();
        message::set_id(request, id);
        let socket = self.origin.datagrams(to).await?;
        socket.send(request).await?;
        loop {
            let reply = receive(&socket).await?;
            if query.is_answered_by(&reply, id) {
                return Ok(reply);
            }
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
    fn open(socket: UdpSocket, to: SocketAddr) -> io::Result<Self> {
        let socket = Arc::new(socket);
        // answers that wait to be read; less is given to a daemon without root's rights
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVED);
        sys::socket::report_errors(&socket, to.is_ipv6())?;
        let waiting = Arc::new(Mutex::new(Waiting::new()));
        let reading = tokio::spawn(read(socket.clone(), waiting.clone()));
        Ok(Self { socket, waiting, reading })
    }

    async fn ask(&self, query: &Query, request: &mut [u8]) -> io::Result<Vec<u8>> {
        let (sender, answer) = oneshot::channel();
        let place = Place::enter(&self.waiting, query, sender);
        message::set_id(request, place.id);
        // the first failure may be another question's, which the kernel tells whoever comes next
        if self.socket.send(request).await.is_err() {
            self.socket.send(request).await?;
        }
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

/// Gives each answer, or that there will be none, to whoever waits for it, until it is aborted.
async fn read(socket: Arc<UdpSocket>, waiting: Arc<Mutex<Waiting>>) {
    while socket.ready(Interest::READABLE | Interest::ERROR).await.is_ok() {
        while let Ok(head) = socket.try_io(Interest::ERROR, || returned(&socket)) {
            give_up(&waiting, head);
        }
        // what fails here was told above, of the question it is about
        if let Ok(reply) = try_receive(&socket) {
            answer(&waiting, reply);
        }
    }
}

/// The number of a question that could not be delivered, as far as whoever sent it back has quoted it (at least RFC 792's 8
/// bytes, which are all UDP's own; RFC 1812 §4.3.2.3 wants more).
fn returned(socket: &UdpSocket) -> io::Result<Option<u16>> {
    let mut head = [0; 2];
    let (length, _) = rustix::net::recv(socket, &mut head[..], RecvFlags::ERRQUEUE)?;
    Ok((length == head.len()).then(|| message::id(&head)))
}

/// No others: they may reach their server, which may have been there no sooner, or the message be forged.
fn give_up(waiting: &Mutex<Waiting>, question: Option<u16>) {
    if let Some(id) = question
        && let Some((_, sender)) = lock(waiting).get_mut(&id)
    {
        *sender = None;
    }
}

fn answer(waiting: &Mutex<Waiting>, reply: Vec<u8>) {
    let mut all = lock(waiting);
    let id = message::id(&reply);
    let meant = all.get_mut(&id).filter(|(query, _)| query.is_answered_by(&reply, id));
    if let Some(sender) = meant.and_then(|(_, sender)| sender.take()) {
        let _ = sender.send(reply);
    }
}

/// One datagram. There is no buffer while it is waited for. That nobody is there to send one makes a socket no readable one.
async fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    loop {
        socket.ready(Interest::READABLE | Interest::ERROR).await?;
        let failure = || socket.take_error()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
        if let Ok(failure) = socket.try_io(Interest::ERROR, failure) {
            return Err(failure);
        }
        match try_receive(socket) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

fn try_receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = [0; DATAGRAM];
    socket.try_recv(&mut buffer).map(|length| buffer[..length].to_vec())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::share::Stock;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// For the addresses of a name of one letter.
    fn question(name: u8) -> (Query, Vec<u8>) {
        let bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, name, 0, 0, 1, 0, 1];
        (Query::parse(&bytes).unwrap(), bytes)
    }

    async fn ask(lines: Arc<Lines>, to: SocketAddr, name: u8, share: Arc<Share>) -> io::Result<bool> {
        let (query, bytes) = question(name);
        let asked = lines.ask(to, &query, &bytes, &share);
        timeout(PATIENCE, asked).await.expect("an end").map(|answer| answer.alone)
    }

    async fn server(at: &str) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(at).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// The next question, as an answer to it.
    async fn next(server: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 512];
        let (length, from) = timeout(PATIENCE, server.recv_from(&mut buffer)).await.expect("a question").unwrap();
        buffer[2] |= 0x80;
        (buffer[..length].to_vec(), from)
    }

    #[tokio::test]
    async fn who_asks_much_leaves_sockets_to_others() {
        let (lines, stock) = (Arc::new(Lines::default()), Stock::of(8));
        let (server, to) = server("127.0.0.1:0").await;
        let (flood, other) = (stock.share(), stock.share());
        let floods: Vec<_> =
            (b'a'..=b'z').map(|name| tokio::spawn(ask(lines.clone(), to, name, flood.clone()))).collect();
        let mut ports = std::collections::HashSet::new();
        for _ in &floods {
            ports.insert(next(&server).await.1);
        }
        assert_eq!(ports.len(), 4 + 1, "a half of them, and the one that is shared");
        let asked = tokio::spawn(ask(lines.clone(), to, b'0', other.clone()));
        let (answer, from) = next(&server).await;
        server.send_to(&answer, from).await.unwrap();
        assert!(asked.await.unwrap().unwrap(), "by a socket of its own");
        floods.iter().for_each(|one| one.abort());
    }

    #[tokio::test]
    async fn those_that_come_while_a_shared_one_is_opened_have_it_too() {
        let (lines, share) = (Arc::new(Lines::from(Origin::Late)), Stock::of(0).share());
        let (server, to) = server("127.0.0.1:0").await;
        let flood: Vec<_> =
            (b'a'..=b'z').map(|name| tokio::spawn(ask(lines.clone(), to, name, share.clone()))).collect();
        let mut ports = std::collections::HashSet::new();
        for _ in &flood {
            ports.insert(next(&server).await.1);
        }
        assert_eq!(ports.len(), 1);
        flood.iter().for_each(|one| one.abort());
    }

    #[tokio::test]
    async fn a_question_that_comes_back_ends_no_other() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let (lines, share) = (Arc::new(Lines::default()), Stock::of(0).share());
            let (before, to) = server(at).await;
            let first = tokio::spawn(ask(lines.clone(), to, b'a', share.clone()));
            let (answer, from) = next(&before).await;
            drop(before);
            for name in b'b'..b'f' {
                let refused = ask(lines.clone(), to, name, share.clone()).await;
                assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            }
            let after = UdpSocket::bind(to).await.unwrap();
            after.send_to(&answer, from).await.unwrap();
            assert!(!first.await.unwrap().unwrap(), "answered, by the shared one");
        }
    }

    #[tokio::test]
    async fn where_nobody_is_there_it_is_known_at_once() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let (gone, to) = server(at).await;
            drop(gone);
            for most in [0, 2] {
                let (lines, share) = (Arc::new(Lines::default()), Stock::of(most).share());
                let refused = ask(lines, to, b'a', share).await.unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{at} {most}");
            }
        }
    }

    #[test]
    fn a_shared_socket_ends_with_its_runtime_alone() {
        let runtime =
            || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (one, other, outside) = (runtime(), runtime(), runtime());
        let (lines, share) = (Arc::new(Lines::default()), Stock::of(0).share());
        let (server, to) = outside.block_on(server("127.0.0.1:0"));
        let _never = one.spawn(ask(lines.clone(), to, b'a', share.clone()));
        let (_, first) = outside.block_on(next(&server));
        let asked = other.spawn(ask(lines, to, b'b', share));
        let (answer, second) = outside.block_on(next(&server));
        assert_ne!(first, second);
        one.shutdown_background();
        outside.block_on(server.send_to(&answer, second)).unwrap();
        assert!(!outside.block_on(asked).unwrap().unwrap());
    }
}
