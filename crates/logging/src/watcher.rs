//! inotify for all readers of a process: a kernel allows only some hundred instances per user, but many watches each.

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Tells of changes in directories. Cheap to clone; the last clone (and [`Subscription`]) ends it.
#[derive(Clone)]
pub struct Watcher {
    owner: Arc<Owner>,
}

/// Ends the reading task with its last user.
struct Owner {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared {
    inotify: AsyncFd<OwnedFd>,
    watches: Mutex<HashMap<i32, Vec<Arc<Notify>>>>,
}

/// A wish to be told of changes in one directory, until dropped.
pub struct Subscription {
    owner: Arc<Owner>,
    watch: i32,
    notify: Arc<Notify>,
}

impl Watcher {
    /// Makes the inotify instance and the task which reads it; to be called within a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "unsound only for types whose descriptor changes; the successor is unsafe")]
        let inotify = AsyncFd::new(fd)?;
        let shared = Arc::new(Shared { inotify, watches: Mutex::default() });
        let task = tokio::spawn(deliver(Arc::clone(&shared))).abort_handle();
        Ok(Self { owner: Arc::new(Owner { shared, task }) })
    }

    /// Subscribes to files being written, created, renamed or removed in `directory`, and to its own end.
    pub fn subscribe(&self, directory: &Path) -> io::Result<Subscription> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR;
        let notify = Arc::new(Notify::new());
        // Under the lock, or the last subscription of the same directory could remove the watch in between.
        let shared = &self.owner.shared;
        let mut watches = shared.watches();
        let watch = inotify::add_watch(&shared.inotify, directory, flags)?;
        watches.entry(watch).or_default().push(Arc::clone(&notify));
        Ok(Subscription { owner: Arc::clone(&self.owner), watch, notify })
    }
}

impl Subscription {
    /// Waits for a change since the last call (or since the beginning).
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let shared = &self.owner.shared;
        let mut watches = shared.watches();
        let Some(subscribers) = watches.get_mut(&self.watch) else { return };
        subscribers.retain(|n| !Arc::ptr_eq(n, &self.notify));
        if subscribers.is_empty() {
            watches.remove(&self.watch);
            let _ = inotify::remove_watch(&shared.inotify, self.watch);
        }
    }
}

impl Shared {
    fn watches(&self) -> MutexGuard<'_, HashMap<i32, Vec<Arc<Notify>>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all events there are and wakes their subscribers.
    fn dispatch(&self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            let watches = self.watches();
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                watches.values().flatten().for_each(|n| n.notify_one());
            } else if let Some(subscribers) = watches.get(&event.wd()) {
                subscribers.iter().for_each(|n| n.notify_one());
            }
            drop(watches);
            if event.events().contains(ReadFlags::IGNORED) {
                // The kernel removed the watch; its number may be given to another directory.
                self.watches().remove(&event.wd());
            }
        }
    }
}

/// Reads events until aborted.
async fn deliver(shared: Arc<Shared>) {
    while let Ok(mut guard) = shared.inotify.readable().await {
        if shared.dispatch().is_err() {
            return;
        }
        guard.clear_ready();
    }
}
