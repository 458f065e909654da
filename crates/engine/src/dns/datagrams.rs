//! Questions by UDP: sockets of all containers, waited for together.
//!
//! Most are answered in the time it takes to wake a task, so there are none here: a thread waits for sockets, reads one
//! question of each that has some, and answers it. A second look whether there is more would cost a system call for each
//! question of one who asks and waits: who has sent more is met in the next round, when all others had their turn.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, epoll, eventfd};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::message::SERVER_FAILURE;
use super::server::{Server, Step};
use super::threads::Hands;

/// The largest query that makes sense: a name and EDNS.
const QUERY: usize = 1500;
/// Sockets that are looked after between two waits.
const AT_ONCE: usize = 64;
/// Who has no more questions outside is not held up by those who have.
const FEW: usize = 256;
/// Stands for the end.
const END: u64 = u64::MAX;

/// Sockets that one thread waits for.
pub struct Datagrams {
    epoll: OwnedFd,
    end: OwnedFd,
    served: Mutex<Served>,
}

#[derive(Default)]
struct Served {
    /// By numbers that are never used twice: an event which was fetched before its socket went meets no other.
    sockets: HashMap<u64, Arc<Socket>>,
    next: u64,
}

struct Socket {
    server: Arc<Server>,
    socket: Arc<UdpSocket>,
    asking: Arc<Asking>,
}

/// Questions that are asked outside: by numbers, tasks to be aborted.
#[derive(Default)]
struct Asking(Mutex<(u64, HashMap<u64, Option<AbortHandle>>)>);

/// One of them, however its task ends.
struct Asked(Arc<Asking>, u64);

impl Asking {
    /// Lets `hands` do it. What is done leaves nothing here.
    fn begin(self: &Arc<Self>, hands: &Handle, ask: impl Future<Output = ()> + Send + 'static) {
        let asked = self.enter();
        let number = asked.1;
        let task = hands.spawn(async move {
            let _asked = asked;
            ask.await;
        });
        // unless it has ended
        if let Some(known) = self.all().1.get_mut(&number) {
            *known = Some(task.abort_handle());
        }
    }

    fn enter(self: &Arc<Self>) -> Asked {
        let mut all = self.all();
        let number = all.0;
        all.0 += 1;
        all.1.insert(number, None);
        Asked(self.clone(), number)
    }

    fn all(&self) -> MutexGuard<'_, (u64, HashMap<u64, Option<AbortHandle>>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.all().1.remove(&self.1);
    }
}

impl Drop for Socket {
    /// They are given up.
    fn drop(&mut self) {
        // who is dropped with its task wants to enter here
        let left = std::mem::take(&mut self.asking.all().1);
        left.into_values().flatten().for_each(|task| task.abort());
    }
}

impl Datagrams {
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &end, epoll::EventData::new_u64(END), epoll::EventFlags::IN)?;
        Ok(Self { epoll, end, served: Mutex::default() })
    }

    /// From now on they are answered. The number is for [`remove`](Self::remove).
    pub(super) fn add(&self, server: Arc<Server>, socket: UdpSocket) -> io::Result<u64> {
        let socket = Arc::new(Socket { server, socket: Arc::new(socket), asking: Arc::default() });
        let mut served = self.served();
        let number = served.next;
        let data = epoll::EventData::new_u64(number);
        epoll::add(&self.epoll, socket.socket.as_fd(), data, epoll::EventFlags::IN)?;
        served.next += 1;
        served.sockets.insert(number, socket);
        Ok(number)
    }

    pub fn remove(&self, number: u64) {
        let Some(socket) = self.served().sockets.remove(&number) else { return };
        // whoever asks outside may have it a little longer
        let _ = epoll::delete(&self.epoll, socket.socket.as_fd());
    }

    /// Lets [`run`](Self::run) return.
    pub fn end(&self) {
        let _ = rustix::io::write(&self.end, &1u64.to_ne_bytes());
    }

    /// Answers until the [`end`](Self::end); what is asked outside is asked by these hands.
    pub fn run(&self, hands: &Hands) {
        let mut buffer = [MaybeUninit::uninit(); AT_ONCE];
        loop {
            let Ok((events, _)) = epoll::wait(&self.epoll, &mut buffer, None) else { continue };
            for event in events {
                let number = event.data.u64();
                if number == END {
                    return;
                }
                let socket = self.served().sockets.get(&number).cloned();
                if let Some(socket) = socket {
                    socket.answer(hands);
                }
            }
        }
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket {
    fn answer(&self, hands: &Hands) {
        let mut buffer = [0; QUERY];
        let Ok((length, from)) = self.socket.recv_from(&mut buffer) else { return };
        let bytes = &buffer[..length];
        let (query, servers, size) = match self.server.step(bytes) {
            Step::Ignore => return,
            Step::Answer(answer) => return drop(self.socket.send_to(&answer, from)),
            Step::Ask(query, servers, size) => (query, servers, size),
        };
        let Some(part) = self.server.questions.take() else {
            return drop(self.socket.send_to(&query.answer(SERVER_FAILURE, &[]), from));
        };
        let hands = if self.server.questions.own() <= FEW { &hands.few } else { &hands.crowd };
        let (server, socket, bytes) = (self.server.clone(), self.socket.clone(), bytes.to_vec());
        self.asking.begin(hands, async move {
            let _part = part;
            let answer = server.ask(&query, &bytes, servers, false).await;
            let answer = if answer.len() <= size { answer } else { query.truncated() };
            let _ = socket.send_to(&answer, from);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whatever_becomes_of_a_question_it_leaves_nothing() {
        let asking = Arc::new(Asking::default());
        asking.begin(&Handle::current(), async {});
        asking.begin(&Handle::current(), async { panic!("as a broken answer might let it") });
        asking.begin(&Handle::current(), std::future::pending());
        assert_eq!(asking.all().1.len(), 3);
        while asking.all().1.len() > 1 {
            tokio::task::yield_now().await;
        }
        let left: Vec<u64> = asking.all().1.keys().copied().collect();
        assert_eq!(left, [2], "the one that waits");
        let over = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let handle = over.handle().clone();
        std::thread::spawn(|| drop(over)).join().unwrap();
        asking.begin(&handle, async {});
        assert_eq!(asking.all().1.len(), 1, "nobody is there to do it");
    }
}
