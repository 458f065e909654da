//! One container's server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use network::dns::Sockets;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use values::{Id, Result, ResultExt};

use super::message::{self, NO_ERROR, Query, Record, SERVER_FAILURE};
use super::names::Outcome;
use super::upstream::{read_framed, write_framed};
use crate::shared::Shared;

/// A client that says nothing is not waited for longer.
const IDLE: Duration = Duration::from_secs(10);
/// The largest query that makes sense: a name and EDNS.
const QUERY: usize = 1500;

/// Serves until the tasks are aborted.
///
/// # Errors
/// The sockets'.
pub fn serve(shared: &Arc<Shared>, container: &Id, sockets: Sockets) -> Result<Vec<JoinHandle<()>>> {
    let threads = shared.dns_threads.handle()?;
    let _inside = threads.enter();
    let udp = UdpSocket::from_std(sockets.udp.into()).during(|| "DNS by UDP")?;
    let tcp = TcpListener::from_std(sockets.tcp.into()).during(|| "DNS by TCP")?;
    let one = Arc::new(Server { shared: shared.clone(), container: container.clone(), turn: AtomicUsize::new(0) });
    Ok(vec![tokio::spawn(datagrams(one.clone(), Arc::new(udp))), tokio::spawn(connections(one, tcp))])
}

struct Server {
    shared: Arc<Shared>,
    container: Id,
    /// Who of several comes first.
    turn: AtomicUsize,
}

/// An answer, or whom to ask for it.
enum Step {
    Answer(Vec<u8>),
    Ask(Query, Vec<std::net::IpAddr>),
    Ignore,
}

impl Server {
    fn step(&self, bytes: &[u8]) -> (Step, usize) {
        let query = match Query::parse(bytes) {
            Ok(query) => query,
            Err((0, _)) => return (Step::Ignore, 0),
            Err((id, code)) => return (Step::Answer(message::refusal(id, code)), usize::MAX),
        };
        let size = query.size();
        match self.shared.names.resolve(&self.container, &query) {
            Outcome::Records(records) => {
                let answer = query.answer(NO_ERROR, &self.turned(records));
                let fits = answer.len() <= size;
                (Step::Answer(if fits { answer } else { query.truncated() }), size)
            }
            Outcome::Forward(servers) => (Step::Ask(query, servers), size),
            Outcome::Refuse => (Step::Answer(query.answer(SERVER_FAILURE, &[])), size),
        }
    }

    /// Each of several comes first in its turn.
    fn turned(&self, mut records: Vec<Record>) -> Vec<Record> {
        if records.len() > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % records.len();
            records.rotate_left(turn);
        }
        records
    }

    async fn ask(&self, query: &Query, bytes: &[u8], servers: Vec<std::net::IpAddr>, by_tcp: bool) -> Vec<u8> {
        let asked = self.shared.upstream.ask(query, bytes, servers, by_tcp).await;
        asked.unwrap_or_else(|| query.answer(SERVER_FAILURE, &[]))
    }
}

async fn datagrams(server: Arc<Server>, socket: Arc<UdpSocket>) {
    let mut asking = JoinSet::new();
    loop {
        tokio::select! {
            ready = socket.readable() => {
                if ready.is_err() {
                    return;
                }
                while let Some((step, bytes, size, from)) = next(&server, &socket) {
                    match step {
                        Step::Ignore => {}
                        Step::Answer(answer) => drop(socket.try_send_to(&answer, from)),
                        Step::Ask(query, servers) => {
                            let (server, socket) = (server.clone(), socket.clone());
                            asking.spawn(async move {
                                let answer = server.ask(&query, &bytes, servers, false).await;
                                let answer = if answer.len() <= size { answer } else { query.truncated() };
                                let _ = socket.send_to(&answer, from).await;
                            });
                        }
                    }
                }
            }
            Some(_) = asking.join_next(), if !asking.is_empty() => {}
        }
    }
}

/// The buffer lives no longer than the call: there may be a thousand servers.
fn next(server: &Server, socket: &UdpSocket) -> Option<(Step, Vec<u8>, usize, SocketAddr)> {
    let mut buffer = [0; QUERY];
    let (length, from) = socket.try_recv_from(&mut buffer).ok()?;
    let (step, size) = server.step(&buffer[..length]);
    let bytes = if matches!(step, Step::Ask(..)) { buffer[..length].to_vec() } else { vec![] };
    Some((step, bytes, size, from))
}

async fn connections(server: Arc<Server>, listener: TcpListener) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(open.spawn(connection(server.clone(), stream))),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

/// Several queries may come by one connection.
async fn connection(server: Arc<Server>, mut stream: TcpStream) {
    while let Ok(Ok(bytes)) = timeout(IDLE, read_framed(&mut stream)).await {
        let query = match Query::parse(&bytes) {
            Ok(query) => query,
            Err(_) => return,
        };
        let answer = match server.shared.names.resolve(&server.container, &query) {
            Outcome::Records(records) => query.answer(NO_ERROR, &server.turned(records)),
            Outcome::Forward(servers) => server.ask(&query, &bytes, servers, true).await,
            Outcome::Refuse => query.answer(SERVER_FAILURE, &[]),
        };
        if write_framed(&mut stream, &answer).await.is_err() {
            return;
        }
    }
}
