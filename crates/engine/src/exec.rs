//! Processes started in running containers.
//!
//! An exec lives in the daemon's memory only, as Docker's does; its process lives in the container, whose shim runs it.

mod unstarted;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::types::{ExecCreateRequest, ExecInspect, ExecProcessConfig, ExecStartRequest, IdResponse};
use shim::protocol::{self, Attach, FailureKind, Reply, Request};
use sys::crash;
use tokio::sync::watch;
use values::{Error, Id, Result, Timestamp};

use crate::container::attach::{Attached, DetachNotice, EndNotice};
use crate::container::state::Phase;
use crate::container::{Container, launch, links};
use crate::shared::Shared;
use crate::{detach_keys, oci, shim_link};
use unstarted::Unstarted;

/// How long the outcome of an exec can be asked for, if not as many have ended since.
const KEPT: Duration = Duration::from_secs(300);
const MOST_KEPT: usize = 1000;
/// A resize may come before the start it belongs to.
const RESIZE_PATIENCE: Duration = Duration::from_secs(10);

struct Exec {
    id: Id,
    container: Arc<Container>,
    asked: ExecCreateRequest,
    keys: Vec<u8>,
    progress: Mutex<Progress>,
    /// Becomes true when the exit is known.
    ended: watch::Sender<bool>,
    started: watch::Sender<bool>,
}

#[derive(Clone, Copy)]
enum Progress {
    Created,
    /// Its client is told that the streams begin; the shim is not asked yet.
    Admitted,
    Starting,
    Running {
        pid: i32,
    },
    Ended {
        code: i32,
        pid: i32,
    },
}

impl Exec {
    fn new(id: Id, container: Arc<Container>, asked: ExecCreateRequest, keys: Vec<u8>) -> Self {
        Self {
            id,
            container,
            asked,
            keys,
            progress: Mutex::new(Progress::Created),
            ended: watch::channel(false).0,
            started: watch::channel(false).0,
        }
    }

    /// Its end may have been told already.
    fn run_as(&self, pid: i32) {
        let mut progress = self.progress();
        if matches!(*progress, Progress::Starting) {
            *progress = Progress::Running { pid };
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, code: i32) {
        let mut progress = self.progress();
        let pid = if let Progress::Running { pid } = *progress { pid } else { 0 };
        *progress = Progress::Ended { code, pid };
        drop(progress);
        self.started.send_replace(true);
        self.ended.send_replace(true);
    }

    fn command(&self) -> String {
        self.asked.cmd.as_ref().map(|words| command(words)).unwrap_or_default()
    }
}

/// The program and its arguments, as events have them: a space behind the program even where there are none.
pub fn command(words: &[String]) -> String {
    match words {
        [] => " ".into(),
        [program, arguments @ ..] => format!("{program} {}", arguments.join(" ")),
    }
}

/// What a shim says of a process that did not start, in Docker's words.
pub fn failure(message: String) -> String {
    match launch::is_daemons_own(&message) {
        true => message,
        false => format!("OCI runtime exec failed: exec failed: unable to start container process: {message}"),
    }
}

#[derive(Default)]
pub struct Execs {
    known: Mutex<Known>,
    past: Mutex<Past>,
}

#[derive(Default)]
struct Known {
    all: HashMap<Id, Arc<Exec>>,
    unstarted: Unstarted,
}

impl Known {
    fn forget_unstarted(&mut self, container: &Id) {
        for id in self.unstarted.clear(container) {
            self.all.remove(&id);
        }
    }
}

/// Those which ended, the earliest first.
#[derive(Default)]
struct Past(VecDeque<(Instant, Id)>);

impl Past {
    /// Takes one in; answers those which are to be forgotten.
    fn push(&mut self, id: Id, now: Instant) -> Vec<Id> {
        self.0.push_back((now, id));
        let long_ago = self.0.iter().take_while(|(at, _)| now.duration_since(*at) > KEPT).count();
        let count = long_ago.max(self.0.len().saturating_sub(MOST_KEPT));
        self.0.drain(..count).map(|(_, id)| id).collect()
    }
}

impl Execs {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one; the earliest that nobody started goes for it when they are too many.
    fn add(&self, exec: Arc<Exec>) {
        let mut known = self.lock();
        if let Some(forgotten) = known.unstarted.push(&exec.container.id, exec.id.clone()) {
            known.all.remove(&forgotten);
        }
        known.all.insert(exec.id.clone(), exec);
    }

    fn discard(&self, exec: &Exec) {
        let mut known = self.lock();
        known.unstarted.take(&exec.container.id, &exec.id);
        known.all.remove(&exec.id);
    }

    /// Whoever has it may go on with it; others do not find it any more if it is not started.
    fn begin(&self, exec: &Arc<Exec>) {
        let mut known = self.lock();
        known.unstarted.take(&exec.container.id, &exec.id);
        known.all.insert(exec.id.clone(), exec.clone());
    }

    fn retire(&self, id: &Id) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = past.push(id.clone(), Instant::now());
        drop(past);
        let mut known = self.lock();
        for id in forgotten {
            known.all.remove(&id);
        }
    }

    fn find(&self, key: &str) -> Result<Arc<Exec>> {
        let found = Id::parse(key).and_then(|id| self.lock().all.get(&id).cloned());
        found.ok_or_else(|| Error::not_found(format!("No such exec instance: {key}")))
    }

    /// Those which run, for `inspect`; `None` when there are none.
    pub fn ids_of(&self, container: &Id) -> Option<Vec<String>> {
        let runs = |e: &Arc<Exec>| e.container.id == *container && matches!(*e.progress(), Progress::Running { .. });
        let ids: Vec<String> = self.lock().all.values().filter(|e| runs(e)).map(|e| e.id.to_string()).collect();
        if ids.is_empty() { None } else { Some(ids) }
    }

    /// The shim tells that one ended.
    pub fn exited(&self, shared: &Shared, container: &Container, id: &str, code: i32, _at: Timestamp) {
        // one which an earlier daemon started is not known any more
        let Ok(exec) = self.find(id) else { return };
        crash::point("exec.ended");
        exec.end(code);
        self.retire(&exec.id);
        shared.tidy.soon();
        let mut attributes = container.event_attributes();
        attributes.insert("execID".into(), id.into());
        attributes.insert("exitCode".into(), code.to_string());
        shared.events.emit("container", "exec_die", container.id.as_str(), attributes);
    }

    /// A health probe, which is an exec that nobody asked for: it can be looked at as others can.
    pub fn probe(&self, container: &Arc<Container>, id: &Id, argv: &[String]) {
        let asked = ExecCreateRequest {
            cmd: Some(argv.to_vec().into()),
            attach_stdout: true,
            attach_stderr: true,
            ..ExecCreateRequest::default()
        };
        let exec = Exec::new(id.clone(), container.clone(), asked, Vec::new());
        *exec.progress() = Progress::Starting;
        self.lock().all.insert(id.clone(), Arc::new(exec));
    }

    /// It runs.
    pub fn probe_started(&self, id: &Id, pid: i32) {
        let exec = self.lock().all.get(id).cloned();
        if let Some(exec) = exec {
            exec.run_as(pid);
        }
    }

    /// It ended, or was never begun.
    pub fn probe_ended(&self, id: &str, code: i32) {
        if let Ok(exec) = self.find(id) {
            exec.end(code);
        }
    }

    pub fn forget(&self, id: &Id) {
        self.lock().all.remove(id);
    }

    /// Its execs ended with it; those that were not started are forgotten, as with Docker.
    pub fn container_ended(&self, container: &Id) {
        let mut ended = Vec::new();
        let mut known = self.lock();
        known.forget_unstarted(container);
        for exec in known.all.values().filter(|e| e.container.id == *container) {
            let runs = matches!(*exec.progress(), Progress::Running { .. } | Progress::Starting);
            if runs {
                exec.end(137);
                ended.push(exec.id.clone());
            }
        }
        drop(known);
        ended.iter().for_each(|id| self.retire(id));
    }

    /// What was made while it ended.
    pub fn container_removed(&self, container: &Id) {
        self.lock().forget_unstarted(container);
    }
}

fn refuse(container: &Container) -> Result<()> {
    let state = container.state();
    let id = &container.id;
    match state.phase {
        Phase::Running { paused: true, .. } => {
            let name = container.name();
            Err(Error::conflict(format!("Container {name} is paused, unpause the container before exec")))
        }
        Phase::Running { .. } => Ok(()),
        Phase::Backoff => {
            Err(Error::conflict(format!("Container {id} is restarting, wait until the container is running")))
        }
        _ => Err(container.not_running()),
    }
}

pub async fn create(shared: &Arc<Shared>, container: &Arc<Container>, asked: ExecCreateRequest) -> Result<IdResponse> {
    let no_command = asked.cmd.as_ref().is_none_or(|c| c.is_empty());
    if no_command {
        return Err(Error::invalid("No exec command specified"));
    }
    refuse(container)?;
    let keys = detach_keys::parse(Some(&asked.detach_keys))?;
    refuse_unknown_user(container, &asked.user).await?;
    let exec = Arc::new(Exec::new(Id::random(), container.clone(), asked, keys));
    let id = exec.id.clone();
    emit(shared, &exec, "exec_create");
    crash::point("exec.created");
    shared.execs.add(exec.clone());
    // it may have ended meanwhile, and takes no exec with it any more
    refuse(container).inspect_err(|_| shared.execs.discard(&exec))?;
    Ok(IdResponse { id: id.to_string() })
}

/// As Docker, before there is an exec at all.
async fn refuse_unknown_user(container: &Container, user: &str) -> Result<()> {
    if user.is_empty() {
        return Ok(());
    }
    let (_, link) = container.link()?;
    match link.ask(Request::FindUser { user: user.to_owned() }).await? {
        Reply::Failed(failed) => Err(Error::invalid(failed.message)),
        _ => Ok(()),
    }
}

fn emit(shared: &Shared, exec: &Exec, verb: &str) {
    let mut attributes = exec.container.event_attributes();
    attributes.insert("execID".into(), exec.id.to_string());
    let action = match verb {
        "exec_detach" => verb.to_owned(),
        _ => format!("{verb}: {}", exec.command()),
    };
    shared.events.emit("container", &action, exec.container.id.as_str(), attributes);
}

/// An exec whose start was admitted: nobody else starts it meanwhile. Dropped before [`ExecStart::run`], it can be started
/// again.
pub struct ExecStart {
    shared: Arc<Shared>,
    exec: Arc<Exec>,
    how: ExecStartRequest,
}

/// Everything that can be refused before the process is tried.
pub fn admit(shared: &Arc<Shared>, key: &str, how: ExecStartRequest) -> Result<ExecStart> {
    let exec = shared.execs.find(key)?;
    refuse(&exec.container)?;
    {
        let mut progress = exec.progress();
        match *progress {
            Progress::Created => *progress = Progress::Admitted,
            Progress::Admitted | Progress::Starting | Progress::Running { .. } => {
                return Err(Error::conflict(format!("exec command {key} is already running")));
            }
            Progress::Ended { .. } => {
                return Err(Error::conflict(format!("exec command {key} has already run")));
            }
        }
    }
    Ok(ExecStart { shared: shared.clone(), exec, how })
}

impl ExecStart {
    /// `None`: it runs detached.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such program or user, in Docker's words; others when it cannot be started.
    pub async fn run(self) -> Result<Option<Attached>> {
        self.shared.execs.begin(&self.exec);
        *self.exec.progress() = Progress::Starting;
        crash::point("exec.admitted");
        // the shim is told whether or not this caller stays to hear of it
        let task = tokio::spawn(async move {
            let outcome = run(&self.shared, &self.exec, &self.how).await;
            if let Err((error, kind)) = &outcome {
                self.exec.end(launch::exit_code(kind.unwrap_or(FailureKind::Other), &error.message));
                self.shared.execs.retire(&self.exec.id);
            }
            outcome
        });
        let outcome = task.await.map_err(|e| Error::internal(e.to_string()))?;
        outcome.map_err(|(error, _)| error)
    }
}

impl Drop for ExecStart {
    fn drop(&mut self) {
        let mut progress = self.exec.progress();
        if matches!(*progress, Progress::Admitted) {
            *progress = Progress::Created;
        }
    }
}

type Failure = (Error, Option<FailureKind>);

async fn run(shared: &Arc<Shared>, exec: &Arc<Exec>, how: &ExecStartRequest) -> Result<Option<Attached>, Failure> {
    let plain = |e: Error| (e, None);
    let record = exec.container.record();
    let tty = exec.asked.tty;
    let [rows, cols] = how.console_size.or(exec.asked.console_size).unwrap_or_default();
    let process =
        oci::exec(&launch::exec_input(shared, &record, &links::now(shared, &record)), &exec.asked).map_err(plain)?;
    let attach = match how.detach {
        true => Attach::default(),
        false => Attach {
            stdin: exec.asked.attach_stdin,
            stdout: exec.asked.attach_stdout,
            stderr: exec.asked.attach_stderr,
        },
    };
    let order = protocol::Exec {
        id: exec.id.to_string(),
        process,
        attach,
        terminal: tty,
        rows: u16::try_from(rows).unwrap_or(0),
        cols: u16::try_from(cols).unwrap_or(0),
    };
    let (directory, _) = exec.container.link().map_err(plain)?;
    let asked = Timestamp::now();
    let outcome = shim_link::exec(&directory, order).await;
    let (reply, stream) = exec.container.answered(asked, &directory, outcome).await.map_err(plain)?;
    match reply {
        Reply::Started(started) => exec.run_as(started.pid),
        Reply::Failed(failed) => {
            let built_in = crate::runtimes::BUILT_IN.contains(&exec.container.record().host.runtime.as_str());
            let message = match built_in || launch::is_daemons_own(&failed.message) {
                true => failure(failed.message),
                // an external runtime says the rest itself
                false => format!("OCI runtime exec failed: {}", failed.message),
            };
            // no such user is as good as not executable
            let own = launch::is_daemons_own(&message);
            let kind = if own { FailureKind::NotExecutable } else { failed.kind };
            // as Docker: what the request asked for in vain is its fault
            let error = match launch::exit_code(kind, &message) {
                126 | 127 => Error::invalid(message),
                _ => Error::internal(message),
            };
            return Err((error, Some(kind)));
        }
        Reply::Refused(why) => return Err(plain(Error::conflict(why))),
        other => return Err(plain(Error::internal(format!("the shim answered unexpectedly: {other:?}")))),
    }
    crash::point("exec.started");
    exec.started.send_replace(true);
    emit(shared, exec, "exec_start");
    if how.detach {
        return Ok(None);
    }
    let (s, e) = (shared.clone(), exec.clone());
    Ok(Some(Attached {
        tty,
        stream,
        prefix: None,
        detach_keys: if tty && exec.asked.attach_stdin { exec.keys.clone() } else { vec![] },
        detached: DetachNotice(Box::new(move || emit(&s, &e, "exec_detach"))),
        ended: EndNotice(Some(exec.ended.subscribe())),
    }))
}

pub fn inspect(shared: &Shared, key: &str) -> Result<ExecInspect> {
    let exec = shared.execs.find(key)?;
    let progress = *exec.progress();
    let mut argv = exec.asked.cmd.iter().flat_map(|c| c.iter().cloned());
    let (running, exit_code, pid) = match progress {
        Progress::Created | Progress::Admitted | Progress::Starting => (false, None, 0),
        Progress::Running { pid } => (true, None, pid),
        Progress::Ended { code, pid, .. } => (false, Some(i64::from(code)), pid),
    };
    Ok(ExecInspect {
        id: exec.id.to_string(),
        running,
        exit_code,
        process_config: ExecProcessConfig {
            tty: exec.asked.tty,
            entrypoint: argv.next().unwrap_or_default(),
            arguments: argv.collect(),
            privileged: Some(exec.asked.privileged),
            user: exec.asked.user.clone(),
        },
        open_stdin: exec.asked.attach_stdin,
        open_stderr: exec.asked.attach_stderr,
        open_stdout: exec.asked.attach_stdout,
        can_remove: false,
        container_id: exec.container.id.to_string(),
        detach_keys: String::new(),
        pid: i64::from(pid),
    })
}

pub async fn resize(shared: &Shared, key: &str, rows: u16, cols: u16) -> Result<()> {
    let exec = shared.execs.find(key)?;
    let mut started = exec.started.subscribe();
    if tokio::time::timeout(RESIZE_PATIENCE, started.wait_for(|s| *s)).await.is_err() {
        return Err(Error::conflict(format!("exec instance {key} was not started within 10 seconds")));
    }
    if !matches!(*exec.progress(), Progress::Running { .. }) {
        return Err(Error::conflict(format!("exec instance {key} is not running")));
    }
    let (directory, link) = exec.container.link()?;
    let asked = Timestamp::now();
    let outcome = link.ask(Request::Resize { exec: Some(exec.id.to_string()), rows, cols }).await;
    exec.container.answered(asked, &directory, outcome).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_forgotten_by_age_and_number() {
        let (mut past, begin) = (Past::default(), Instant::now());
        let first = Id::random();
        assert!(past.push(first.clone(), begin).is_empty());
        assert!(past.push(Id::random(), begin + KEPT).is_empty());
        assert_eq!(past.push(Id::random(), begin + KEPT + Duration::from_secs(1)), [first]);
        let forgotten: usize =
            (0..MOST_KEPT).map(|_| past.push(Id::random(), begin + KEPT + Duration::from_secs(2)).len()).sum();
        assert_eq!((forgotten, past.0.len()), (2, MOST_KEPT));
    }
}
