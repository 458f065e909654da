use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc;

use netlink::route::{self, LinkChange};
use netlink::{Batch, Socket};
use rustix::fs::{Mode, OFlags};
use sys::namespace::Kinds;
use values::{Error, Result};

/// Index of `lo` in every new namespace.
const LOOPBACK: u32 = 1;
/// The thread's stack, in bytes: it calls little.
const STACK: usize = 128 * 1024;

type Job = Box<dyn FnOnce(&Maker) + Send>;

/// A network namespace that is nobody's yet, `lo` up. Dropping it ends it.
pub(crate) struct Namespace {
    pub(crate) fd: OwnedFd,
    /// A socket inside, which works from any thread.
    pub(crate) socket: Socket,
    /// The user namespace that owns it, if that is not the host's.
    pub(crate) user: Option<OwnedFd>,
}

/// The ids of a user namespace which a network namespace shall belong to, so that its root rules there: lines for
/// `/proc/PID/uid_map` and `gid_map`. Each namespace gets one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceOwner {
    pub uids: String,
    pub gids: String,
}

/// A network namespace with nothing but `lo`.
#[derive(Debug)]
pub struct Isolated {
    pub netns: OwnedFd,
    pub userns: Option<OwnedFd>,
}

/// The one thread that changes its network namespace: it makes new ones and always returns home. No other thread
/// ever does, so none of a pool is found in a foreign network. Ends when this is dropped.
pub(crate) struct Thread {
    jobs: mpsc::Sender<Job>,
}

/// What a job on the thread can do.
pub(crate) struct Maker {
    home: OwnedFd,
}

impl Thread {
    /// Home is the namespace of the calling thread.
    pub(crate) fn start() -> Result<Self> {
        let home = current()?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || {
            let maker = Maker { home };
            for job in queue {
                job(&maker);
            }
        };
        let builder = std::thread::Builder::new().name("namespaces".into()).stack_size(STACK);
        builder.spawn(run).map_err(|e| Error::internal(format!("start thread: {e}")))?;
        Ok(Self { jobs })
    }

    /// Runs `job` there and waits for it.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce(&Maker) -> Result<T> + Send + 'static) -> Result<T> {
        let (sender, answer) = mpsc::sync_channel(1);
        let gone = || Error::internal("the network namespace thread has ended");
        let job = move |maker: &Maker| drop(sender.send(job(maker)));
        self.jobs.send(Box::new(job)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Runs `job` there some time later.
    pub(crate) fn later(&self, job: impl FnOnce(&Maker) + Send + 'static) {
        // A thread that has ended takes no spare jobs; whoever needs a result asks with `run` and is told.
        let _ = self.jobs.send(Box::new(job));
    }
}

impl Maker {
    /// A new namespace (0.6–0.9 ms).
    pub(crate) fn namespace(&self, owner: Option<&NamespaceOwner>) -> Result<Namespace> {
        let user = enter_new(owner)?;
        let made = open_here(user);
        // Should this ever fail, nothing is amiss but a namespace kept alive: sockets, not this thread, say where
        // links are made, and the next call comes back here.
        sys::namespace::join(self.home.as_fd(), Kinds::NETWORK)
            .map_err(|e| Error::internal(format!("return from network namespace: {e}")))?;
        made
    }

    /// Runs `work` in another namespace.
    pub(crate) fn inside<T>(&self, namespace: BorrowedFd<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
        sys::namespace::join(namespace, Kinds::NETWORK)
            .map_err(|e| Error::internal(format!("enter network namespace: {e}")))?;
        let done = work();
        sys::namespace::join(self.home.as_fd(), Kinds::NETWORK)
            .map_err(|e| Error::internal(format!("return from network namespace: {e}")))?;
        done
    }
}

/// A new namespace with nothing but `lo`, for a container without a network. Made by a thread that ends in it.
///
/// Errors: `Internal` with the kernel's words.
pub fn isolated(owner: Option<NamespaceOwner>) -> Result<Isolated> {
    let make = move || {
        let user = enter_new(owner.as_ref())?;
        let made = open_here(user)?;
        Ok(Isolated { netns: made.fd, userns: made.user })
    };
    let builder = std::thread::Builder::new().name("namespace".into()).stack_size(STACK);
    let thread = builder.spawn(make).map_err(|e| Error::internal(format!("start thread: {e}")))?;
    thread.join().map_err(|_| Error::internal("the network namespace thread has ended"))?
}

/// Moves the calling thread into a new namespace; the user namespace made for it.
fn enter_new(owner: Option<&NamespaceOwner>) -> Result<Option<OwnedFd>> {
    let failed = |e: sys::Errno| Error::internal(format!("create network namespace: {e}"));
    let Some(owner) = owner else {
        return sys::namespace::unshare(Kinds::NETWORK).map(|()| None).map_err(failed);
    };
    let made = sys::user_namespace::make(&owner.uids, &owner.gids, true)
        .map_err(|e| Error::internal(format!("create user namespace: {e}")))?;
    if let Some(network) = &made.network {
        sys::namespace::join(network.as_fd(), Kinds::NETWORK).map_err(failed)?;
    }
    Ok(Some(made.user))
}

/// The calling thread's namespace with `lo` up.
fn open_here(user: Option<OwnedFd>) -> Result<Namespace> {
    let failed = |e: netlink::Error| Error::internal(e.to_string());
    let fd = current()?;
    let mut socket = Socket::route().map_err(failed)?;
    let mut batch = Batch::new();
    route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(LOOPBACK) });
    socket.execute(batch).map_err(failed)?;
    Ok(Namespace { fd, socket, user })
}

/// The namespace the calling thread is in.
pub(crate) fn current() -> Result<OwnedFd> {
    let opened = rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    opened.map_err(|e| Error::internal(format!("open network namespace: {e}")))
}
