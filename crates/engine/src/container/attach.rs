//! Attaching clients to a container's streams, before or after its start.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use shim::protocol::Attach;
use tokio::net::UnixStream;
use values::{Error, Result, Timestamp};

use super::handle::{Container, Pending};
use super::logs::{LogOptions, LogStream};
use super::state::Phase;
use super::waiting::Waiting;
use crate::detach_keys;
use crate::shared::Shared;
use crate::shim_link;

#[derive(Clone, Debug, Default)]
pub struct AttachOptions {
    /// Follow what comes; else only `logs`.
    pub stream: bool,
    /// First what was logged so far.
    pub logs: bool,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// As `--detach-keys`; `None` takes the default.
    pub detach_keys: Option<String>,
}

/// A client's byte stream.
pub struct Attached {
    pub tty: bool,
    /// Bytes towards the process' stdin, and its output, framed already when there is no terminal.
    pub stream: UnixStream,
    /// To be written before anything of `stream`.
    pub prefix: Option<LogStream>,
    /// The bytes which detach when typed; empty: none.
    pub detach_keys: Vec<u8>,
    pub detached: DetachNotice,
    pub ended: EndNotice,
}

/// To be told when the detach keys were typed.
pub struct DetachNotice(pub(crate) Box<dyn FnOnce() + Send>);

impl DetachNotice {
    pub fn notify(self) {
        (self.0)();
    }
}

/// Resolves when the end of the streams means that the exit code can be asked for.
pub struct EndNotice(pub(crate) Option<tokio::sync::watch::Receiver<bool>>);

/// As many descriptors as one message carries to a shim, less those of the namespaces, the lowest layer and mounted images.
const MOST_WAITING: usize = sys::scm::MAX_FDS - 3 - super::mounts::images::MOST;

/// For a shim that has not answered since the daemon's start.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

const SOON: Duration = Duration::from_millis(200);

/// An exec that closed its streams and goes on is not waited for longer.
const END_PATIENCE: Duration = Duration::from_secs(2);

impl EndNotice {
    pub async fn wait(&mut self) {
        if let Some(ended) = &mut self.0 {
            let _ = tokio::time::timeout(END_PATIENCE, ended.wait_for(|e| *e)).await;
        }
    }
}

pub async fn attach(shared: &Arc<Shared>, container: &Arc<Container>, options: AttachOptions) -> Result<Attached> {
    let record = container.record();
    let keys = detach_keys::parse(options.detach_keys.as_deref())?;
    refuse(container)?;
    let prefix = match options.logs {
        true => {
            let wanted = LogOptions { stdout: options.stdout, stderr: options.stderr, ..LogOptions::default() };
            Some(super::logs::logs(shared, container, &wanted).await?)
        }
        false => None,
    };
    // stdin is only the process' own when it was kept open
    let attach =
        Attach { stdin: options.stdin && record.config.open_stdin, stdout: options.stdout, stderr: options.stderr };
    // who wants to follow nothing has seen the end of it
    let follows = options.stream && (options.stdin || options.stdout || options.stderr);
    let stream = if follows { connect(container, attach).await? } else { UnixStream::pair()?.0 };
    shared.emit_container("attach", container);
    let (s, c) = (shared.clone(), container.clone());
    Ok(Attached {
        tty: record.config.tty,
        stream,
        prefix,
        detach_keys: if record.config.tty && record.config.open_stdin { keys } else { vec![] },
        detached: DetachNotice(Box::new(move || s.emit_container("detach", &c))),
        ended: EndNotice(None),
    })
}

/// Whether the client's end is closed. One that only closed its input still waits.
fn has_left(stream: &UnixStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

fn refuse(container: &Container) -> Result<()> {
    let id = &container.id;
    let state = container.state();
    match state.phase {
        Phase::Running { paused: true, .. } => {
            Err(Error::conflict(format!("container {id} is paused, unpause the container before attach")))
        }
        Phase::Backoff => {
            Err(Error::conflict(format!("container {id} is restarting, wait until the container is running")))
        }
        Phase::Removing | Phase::Gone | Phase::Dead => {
            Err(Error::conflict(format!("container {id} is marked for removal and cannot be attached to")))
        }
        _ => Ok(()),
    }
}

async fn connect(container: &Arc<Container>, attach: Attach) -> Result<UnixStream> {
    let exits = container.state().exits;
    let (asked, until) = (Timestamp::now(), Instant::now() + ANSWER_PATIENCE);
    loop {
        let state = container.state();
        match state.phase {
            Phase::Running { .. } => {
                // between two of its lives there is no shim, and after the daemon's start none that has answered: look again
                let Ok((directory, _)) = container.link() else {
                    if Instant::now() > until {
                        return Err(container.unavailable(Waiting::for_answer(asked, 0)));
                    }
                    let changed = container.until(|s| s.exits > state.exits || !s.is_running());
                    let _ = tokio::time::timeout(SOON, changed).await;
                    continue;
                };
                let outcome = shim_link::attach(&directory, attach.clone()).await;
                match container.answered(asked, &directory, outcome).await {
                    Err(_) if container.state().exits > state.exits => continue,
                    other => return other,
                }
            }
            // its descriptors may be on their way to the shim already
            Phase::Starting { .. } => {
                container.until(|s| s.exits > state.exits || !matches!(s.phase, Phase::Starting { .. })).await;
            }
            // it ended while we tried: nobody waits for its next start
            _ if state.exits > exits => return Err(container.not_running()),
            _ => {
                let mut pending = container.pending.lock().unwrap_or_else(PoisonError::into_inner);
                // a launch takes what is pending after it is published as starting: look under the lock
                if container.state().phase != state.phase {
                    continue;
                }
                pending.retain(|p| !has_left(&p.stream));
                if pending.len() >= MOST_WAITING {
                    let id = &container.id;
                    return Err(Error::conflict(format!("too many clients wait for the start of container {id}")));
                }
                let (ours, theirs) = UnixStream::pair()?;
                pending.push(Pending { attach, stream: theirs });
                return Ok(ours);
            }
        }
    }
}
