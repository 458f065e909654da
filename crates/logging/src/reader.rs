//! The asynchronous face of [`Scan`].

use crate::scan::{End, Scan, Step};
use crate::{Options, Subscription, Watcher};
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;
use tokio::task::{self, JoinHandle};
use values::Timestamp;

/// Reads a log from its beginning (or tail) to its end, or follows it.
///
/// Reading and decoding are done on a blocking thread, one chunk ahead of the caller.
pub struct LogReader {
    path: PathBuf,
    until: Option<Timestamp>,
    state: State,
    follow: Option<Follow>,
}

enum State {
    Resting(Box<Scan>),
    /// The next chunk is being made.
    Working(JoinHandle<(Box<Scan>, io::Result<Step>)>),
    Ended,
}

struct Follow {
    changes: Subscription,
    /// Resolves when nothing more will be written; None when it has.
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl LogReader {
    /// Opens the log `path` with all its generations. A log that doesn't exist is an empty one.
    /// Reads what is there now; see [`LogReader::following`] for more.
    pub async fn open(path: &Path, options: Options) -> io::Result<Self> {
        let path = path.to_owned();
        let until = options.until;
        let opening = path.clone();
        let scan = task::spawn_blocking(move || Scan::open(&opening, options)).await.map_err(io::Error::other)??;
        Ok(Self { path, until, state: State::Resting(Box::new(scan)), follow: None })
    }

    /// Goes on reading what is written later, through rotations, until `stopped` resolves and the end is reached, or the
    /// log's directory is removed, or the moment `until` has passed. To be called before the first chunk is read.
    pub fn following(
        mut self,
        watcher: &Watcher,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Self> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        self.follow = Some(Follow { changes: watcher.subscribe(directory)?, stopped: Some(Box::pin(stopped)) });
        if let State::Resting(scan) = &mut self.state {
            scan.set_end(End::Follow);
        }
        Ok(self)
    }

    /// The next bytes for the client; None at the end. Safe to be cancelled: nothing is lost.
    pub async fn next_chunk(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            self.work();
            let State::Working(job) = &mut self.state else { return None };
            let (scan, step) = match job.await {
                Ok(done) => done,
                Err(e) => {
                    self.state = State::Ended;
                    return Some(Err(io::Error::other(e)));
                }
            };
            match step {
                Ok(Step::Chunk(chunk)) => {
                    self.state = State::Resting(scan);
                    self.work();
                    return Some(Ok(chunk.into()));
                }
                Ok(Step::Dry) => {
                    self.state = State::Resting(scan);
                    self.wait().await;
                }
                Ok(Step::Finished) => {
                    self.state = State::Ended;
                    return None;
                }
                Err(e) => {
                    self.state = State::Ended;
                    return Some(Err(e));
                }
            }
        }
    }

    /// Begins to make the next chunk, if it is not being made.
    fn work(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Resting(mut scan) => State::Working(task::spawn_blocking(move || {
                let step = scan.step();
                (scan, step)
            })),
            other => other,
        };
    }

    /// Waits for a change in the log, its end, or `until`.
    async fn wait(&mut self) {
        let Some(follow) = &mut self.follow else { return };
        let left = self.until.map(|t| t.since(Timestamp::now()));
        let over = async {
            match left {
                Some(left) => tokio::time::sleep(left.saturating_add(Duration::from_millis(1))).await,
                None => std::future::pending().await,
            }
        };
        let stopped = async {
            match &mut follow.stopped {
                Some(stopped) => stopped.await,
                None => std::future::pending().await,
            }
        };
        let last = tokio::select! {
            () = follow.changes.changed() => false,
            () = stopped => true,
            () = over => true,
        };
        if last {
            follow.stopped = None;
            if let State::Resting(scan) = &mut self.state {
                scan.set_end(End::Last);
            }
        }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        if let State::Working(job) = &self.state {
            job.abort();
        }
    }
}
