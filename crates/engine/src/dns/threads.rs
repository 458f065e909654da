use std::sync::{Arc, Mutex, PoisonError};

use network::dns::processors;
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_setaffinity};
use tokio::runtime::{Builder, Handle, Runtime};
use values::{Result, ResultExt};

use super::datagrams::Datagrams;

/// Of the processors one in so many, and at most so many of them.
const SHARE: usize = 4;
const MOST: usize = 4;
/// They are never busy for long, and everybody waits for them: above what containers and the daemon do otherwise.
const NICE: i32 = -10;
const STACK: usize = 256 * 1024;

/// The threads on which containers' questions for names are answered. Theirs alone: whatever the daemon is busy with, an
/// answer does not wait for it. They are there from the first container on that asks.
#[derive(Default)]
pub struct Threads(Mutex<Option<Started>>);

struct Started {
    /// Each waited for by a thread: one for each of the processors that have a socket, or any whose turn it is.
    datagrams: Vec<Arc<Datagrams>>,
    /// For what takes longer: TCP, and what is asked outside.
    others: Runtime,
    crowd: Runtime,
}

/// Who asks outside: for most, and for those who ask so much that others would wait behind them.
#[derive(Clone)]
pub struct Hands {
    pub few: Handle,
    pub crowd: Handle,
}

impl Threads {
    /// Where a container's connections are served, and the datagrams of so many sockets of it.
    pub fn get(&self, sockets: usize) -> Result<(Handle, Vec<Arc<Datagrams>>)> {
        let mut started = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let started = match &mut *started {
            Some(started) => started,
            none => none.insert(Started::new()?),
        };
        if sockets < started.datagrams.len() {
            started.datagrams.rotate_left(1);
        }
        Ok((started.others.handle().clone(), started.datagrams.iter().take(sockets).cloned().collect()))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // they must not be waited for: this may be one of them
        if let Some(started) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            started.datagrams.iter().for_each(|one| one.end());
            started.others.shutdown_background();
            started.crowd.shutdown_background();
        }
    }
}

impl Started {
    fn new() -> Result<Self> {
        let (others, crowd) = (hand("dns-others")?, hand("dns-crowd")?);
        let hands = Hands { few: others.handle().clone(), crowd: crowd.handle().clone() };
        let on = |processor| start(processor, hands.clone());
        let datagrams = match processors() {
            [] => (0..shared_threads()).map(|_| on(None)).collect::<Result<_>>()?,
            each => each.iter().map(|processor| on(Some(*processor))).collect::<Result<_>>()?,
        };
        Ok(Self { datagrams, others, crowd })
    }
}

/// A thread for tasks.
fn hand(name: &str) -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(name)
        .thread_stack_size(STACK)
        .on_thread_start(hurry)
        .enable_all()
        .build()
        .during(|| "start threads for DNS")
}

/// Where the processors are many.
fn shared_threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / SHARE).clamp(1, MOST)
}

fn start(processor: Option<usize>, hands: Hands) -> Result<Arc<Datagrams>> {
    let datagrams = Arc::new(Datagrams::new().during(|| "wait for questions for names")?);
    let own = datagrams.clone();
    let run = move || {
        hurry();
        if let Some(processor) = processor {
            stay(processor);
        }
        own.run(&hands);
    };
    let builder = std::thread::Builder::new().name("dns".into()).stack_size(STACK);
    builder.spawn(run).during(|| "start a thread for DNS")?;
    Ok(datagrams)
}

/// On that processor, unless it has been taken away from us.
fn stay(processor: usize) {
    let mut one = CpuSet::new();
    one.set(processor);
    let _ = sched_setaffinity(None, &one);
}

/// Who may not raise it goes on as all others.
fn hurry() {
    let _ = setpriority_process(Some(gettid()), NICE);
}
