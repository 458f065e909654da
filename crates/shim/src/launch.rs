//! From the launch request to a running container; every failure undoes what was done.

use crate::client::Client;
use crate::control::Control;
use crate::directory::Directory;
use crate::external::{External, Mounts};
use crate::log::{Bounds, LogWriter};
use crate::outbox::Outbox;
use crate::pipes::Pipes;
use crate::poller::{Interest, Poller, Token};
use crate::protocol::{Failed, FailureKind, Launch, Log, Started};
use crate::session::Session;
use oci::runtime::NamespaceKind;
use runtime::{Fds, Running, StartError, StartErrorKind};
use rustix::event::{PollFd, PollFlags};
use std::os::fd::{AsFd, OwnedFd};
use sys::crash;
use values::{Timestamp, system_words};

/// The number of the container's own session; execs count on from it.
pub const MAIN: u32 = 0;

/// What a successful launch made.
pub struct Launched {
    pub directory: Directory,
    pub listener: OwnedFd,
    pub running: Running,
    pub session: Session,
    pub started: Started,
    /// The kernel ends all processes with the first one.
    pub own_pids: bool,
    /// None: the runtime built in.
    pub external: Option<External>,
}

/// Starts the container. `fds` came with the request; `control` is watched for the daemon's end until the start.
pub fn launch(request: Launch, fds: Vec<OwnedFd>, control: &Control, poller: &Poller) -> Result<Launched, Failed> {
    let directory =
        Directory::open(&request.directory).map_err(|e| other(format!("{}: {e}", request.directory.display())))?;
    let own_pids = has_own_pids(&request);
    match launch_in(request, fds, control, poller, &directory) {
        Ok((listener, made, session, started)) => {
            let Made { running, external } = made;
            Ok(Launched { directory, listener, running, session, started, own_pids, external })
        }
        Err(failed) => {
            directory.clear();
            Err(failed)
        }
    }
}

/// A container, started, and what made it.
struct Made {
    running: Running,
    external: Option<External>,
}

fn launch_in(
    request: Launch,
    fds: Vec<OwnedFd>,
    control: &Control,
    poller: &Poller,
    directory: &Directory,
) -> Result<(OwnedFd, Made, Session, Started), Failed> {
    let told = &request.fds;
    let single = [told.netns, told.userns, told.lowest];
    let sources = request.container.sources.iter().filter(|source| source.has_lowest).count();
    let expected = single.iter().filter(|is_there| **is_there).count() + sources + told.attached.len();
    if fds.len() != expected {
        return Err(other(format!("launch came with {} descriptors instead of {expected}", fds.len())));
    }
    let mut fds = fds.into_iter();
    let [netns, userns, lowest] = single.map(|is_there| if is_there { fds.next() } else { None });
    let sources = fds.by_ref().take(sources).collect();
    let listener = directory.listen().map_err(|e| other(format!("listening socket: {e}")))?;
    poller.add(&listener, Token::Listener, Interest::IN).map_err(|e| other(e.to_string()))?;
    crash::point("shim.listening");
    directory.reserve_exit().map_err(|e| other(format!("{}: {}", request.directory.display(), system_words(&e))))?;
    let log = open_log(&request.log)?;
    crash::point("shim.logging");
    let stdio = &request.stdio;
    let pipes = Pipes::new(stdio.terminal, [stdio.open_stdin, true, true]);
    let (pipes, theirs) = pipes.map_err(|e| other(format!("standard streams: {e}")))?;
    let theirs = theirs.into_stdio(stdio.rows, stdio.cols);
    let mut made = make(&request, Fds { netns, userns, lowest, sources, stdio: theirs }, control)?;
    let running = &mut made.running;
    let started = Started { pid: running.pid, birth: sys::stat::birth(running.pid), at: Timestamp::now() };
    crash::point("shim.started");
    let _ = directory.write_started(&started);
    crash::point("shim.start-noted");
    let pidfd = running.pidfd.try_clone().map_err(|e| other(e.to_string()))?;
    let process = pipes.into_process(running.pid, pidfd, running.console.take(), stdio.open_stdin);
    let process = process.map_err(|e| other(format!("standard streams: {e}")))?;
    let mut session = Session::new(MAIN, None, process, stdio.stdin_once, log);
    for (id, (fd, wants)) in (0..).zip(fds.zip(request.fds.attached)) {
        session.attach(poller, Client::new(fd, id, MAIN, wants, Outbox::default()), &[]);
    }
    Ok((listener, made, session, started))
}

fn make(request: &Launch, fds: Fds, control: &Control) -> Result<Made, Failed> {
    let gone = || other("the daemon has gone".to_owned());
    let Some(order) = &request.external else {
        let created = runtime::create(&request.container, fds).map_err(failed)?;
        crash::point("shim.created");
        if is_hung_up(control) {
            return Err(gone());
        }
        return Ok(Made { running: created.start().map_err(failed)?, external: None });
    };
    if fds.userns.is_some() {
        let why = "an external runtime can't be used with the daemon's userns-remap: add --userns=host";
        return Err(other(why.to_owned()));
    }
    let container = &request.container;
    let Fds { netns, lowest, sources, stdio, .. } = fds;
    let mounts = Mounts { lowest, sources };
    let external = External::prepare(order, container, &request.directory, netns, &mounts).map_err(failed)?;
    let running = external.launch(container, &order.cgroup, stdio).map_err(failed)?;
    if is_hung_up(control) {
        external.delete();
        return Err(gone());
    }
    Ok(Made { running, external: Some(external) })
}

fn has_own_pids(request: &Launch) -> bool {
    let namespaces = request.container.spec.linux.iter().flat_map(|l| &l.namespaces);
    namespaces.into_iter().any(|n| n.kind == NamespaceKind::Pid && n.path.is_empty())
}

fn open_log(log: &Log) -> Result<Option<LogWriter>, Failed> {
    let Some(path) = &log.path else { return Ok(None) };
    let bounds = Bounds { max_size: log.max_size, max_file: log.max_files, compress: log.compress };
    let attrs = log.attrs.as_deref().unwrap_or_default();
    let writer = match log.buffer {
        None => LogWriter::open(path, bounds, attrs),
        Some(size) => LogWriter::open_queue(path, bounds, attrs, size),
    };
    writer.map(Some).map_err(|e| other(format!("failed to initialize logging driver: {}: {e}", path.display())))
}

/// Whether the other side is closed.
fn is_hung_up(control: &Control) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(control.as_fd(), PollFlags::RDHUP)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)).is_ok()
        && polled[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}

pub fn failed(error: StartError) -> Failed {
    let kind = match error.kind {
        StartErrorKind::NotFound => FailureKind::NotFound,
        StartErrorKind::NotExecutable => FailureKind::NotExecutable,
        StartErrorKind::Other => FailureKind::Other,
    };
    Failed { kind, message: error.message }
}

fn other(message: String) -> Failed {
    Failed { kind: FailureKind::Other, message }
}
