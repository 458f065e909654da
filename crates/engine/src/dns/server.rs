//! One container's server.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use network::dns::Sockets;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use values::{Id, Result, ResultExt};

use super::datagrams::Datagrams;
use super::lines::{Lines, Origin};
use super::message::{self, NO_ERROR, Query, Record, SERVER_FAILURE};
use super::names::Outcome;
use super::share::{Part, Share};
use super::upstream::{Asker, read_framed, write_framed};
use crate::shared::Shared;

/// A client that says nothing is not waited for longer.
const IDLE: Duration = Duration::from_secs(10);
/// Of one container, which are descriptors of the daemon. More wait to be accepted.
const CONNECTIONS: usize = 256;
/// Who waits for one looks again after this.
const AGAIN: Duration = Duration::from_millis(50);

/// A container's questions are answered for as long as it is kept.
pub struct Served {
    datagrams: Vec<(Arc<Datagrams>, u64)>,
    connections: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.datagrams.iter().for_each(|(datagrams, number)| datagrams.remove(*number));
        self.connections.abort();
    }
}

/// # Errors
/// The sockets'.
pub fn serve(shared: &Arc<Shared>, container: &Id, sockets: Sockets) -> Result<Served> {
    let (others, threads) = shared.dns_threads.get(sockets.udp.len())?;
    let _inside = others.enter();
    let tcp = TcpListener::from_std(sockets.tcp.into()).during(|| "DNS by TCP")?;
    let one = Arc::new(Server {
        shared: shared.clone(),
        turn: AtomicUsize::new(0),
        questions: shared.upstream.questions.share(),
        connections: shared.upstream.connections.share(),
        asker: Asker {
            id: container.clone(),
            inside: Lines::from(Origin::Inside(shared.networks.clone(), Arc::new(sockets.netns))),
            sockets: shared.upstream.sockets.share(),
        },
    });
    let mut served = Served { datagrams: vec![], connections: tokio::spawn(connections(one.clone(), tcp)) };
    for (socket, thread) in sockets.udp.into_iter().zip(threads) {
        let number = thread.add(one.clone(), UdpSocket::from(socket)).during(|| "DNS by UDP")?;
        served.datagrams.push((thread, number));
    }
    Ok(served)
}

pub(super) struct Server {
    shared: Arc<Shared>,
    asker: Asker,
    /// Who of several comes first.
    turn: AtomicUsize,
    /// What it asks outside by UDP, and its connections: its share of them.
    pub(super) questions: Arc<Share>,
    connections: Arc<Share>,
}

/// An answer, or whom to ask for it and how large it may be.
pub(super) enum Step {
    Answer(Vec<u8>),
    Ask(Query, Vec<IpAddr>, usize),
    Ignore,
}

impl Server {
    pub(super) fn step(&self, bytes: &[u8]) -> Step {
        let query = match Query::parse(bytes) {
            Ok(query) => query,
            Err((0, _)) => return Step::Ignore,
            Err((id, code)) => return Step::Answer(message::refusal(id, code)),
        };
        let size = query.size();
        match self.shared.names.resolve(&self.asker.id, &query) {
            Outcome::Records(records) => {
                let answer = query.answer(NO_ERROR, &self.turned(records));
                Step::Answer(if answer.len() <= size { answer } else { query.truncated() })
            }
            Outcome::Forward(servers) => Step::Ask(query, servers, size),
            Outcome::Refuse => Step::Answer(query.answer(SERVER_FAILURE, &[])),
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

    pub(super) async fn ask(&self, query: &Query, bytes: &[u8], servers: Vec<IpAddr>, by_tcp: bool) -> Vec<u8> {
        let asked = self.shared.upstream.ask(query, bytes, servers, &self.asker, by_tcp).await;
        asked.unwrap_or_else(|| query.answer(SERVER_FAILURE, &[]))
    }
}

async fn connections(server: Arc<Server>, listener: TcpListener) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let part = part(&server.connections).await;
                    open.spawn(connection(server.clone(), stream, part));
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

/// Waits until the container may have one more.
async fn part(share: &Arc<Share>) -> Part {
    loop {
        match share.take() {
            Some(part) => return part,
            None => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Several queries may come by one connection.
async fn connection(server: Arc<Server>, mut stream: TcpStream, _part: Part) {
    while let Ok(Ok(bytes)) = timeout(IDLE, read_framed(&mut stream)).await {
        let query = match Query::parse(&bytes) {
            Ok(query) => query,
            Err(_) => return,
        };
        let answer = match server.shared.names.resolve(&server.asker.id, &query) {
            Outcome::Records(records) => query.answer(NO_ERROR, &server.turned(records)),
            Outcome::Forward(servers) => server.ask(&query, &bytes, servers, true).await,
            Outcome::Refuse => query.answer(SERVER_FAILURE, &[]),
        };
        if write_framed(&mut stream, &answer).await.is_err() {
            return;
        }
    }
}
