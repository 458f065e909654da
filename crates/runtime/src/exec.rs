//! One more process in a running container.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use cgroup::Cgroup;
use oci::runtime::Process;
use rustix::fs::{CWD, Mode, OFlags};
use serde::{Deserialize, Serialize};
use sys::clone::{Child, Clone};
use sys::crash;
use sys::namespace::Kinds;

use crate::create::{Kill, gone, hand_over, silent};
use crate::failure::text;
use crate::link::{self, Word};
use crate::plan::{duplicate, first_steps, give_streams, identify, standard_streams};
use crate::process::{self, Enter};
use crate::program::{Program, Step, Wait};
use crate::resctrl::Groups;
use crate::seccomp::Listener;
use crate::user::{self, Identity};
use crate::user_namespace::Mapping;
use crate::{Running, SeccompProgram, StartError, Stdio, child, schedule};

/// `DEVPTS_SUPER_MAGIC`
const DEVPTS_MAGIC: i64 = 0x1cd1;

/// What an exec joins besides the user namespace, by the names below `/proc/PID/ns`. The pid namespace is for its child: it
/// goes there itself when it enters.
const KINDS: [(&str, Kinds); 6] = [
    ("mnt", Kinds::MOUNT),
    ("net", Kinds::NETWORK),
    ("ipc", Kinds::INTER_PROCESS_COMMUNICATION),
    ("uts", Kinds::HOST_NAME_AND_NIS_DOMAIN_NAME),
    ("cgroup", Kinds::CONTROL_GROUP),
    ("pid", Kinds::PROCESS_ID),
];
/// A process that has not come up after this long is stuck in the kernel (its working directory on a file system which does
/// not answer).
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be executed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Exec {
    /// `privileged` execs carry all capabilities here and no seccomp.
    pub process: Process,
    /// `USER[:GROUP]`, resolved in the container's own files; overrides `process.user`'s ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Group names or ids to be added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompProgram>,
}

/// An exec's process.
#[derive(Debug)]
pub struct ExecRunning {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub console: Option<OwnedFd>,
}

/// Who `USER[:GROUP]` is in the container's own files.
pub fn find_user(container: &Running, user: &str) -> Result<Identity, StartError> {
    user::resolve(root(container)?.as_fd(), user)
}

/// Starts a process in the container's namespaces and cgroup, a child of ours.
pub fn exec(container: &Running, exec: &Exec, stdio: Stdio) -> Result<ExecRunning, StartError> {
    exec_with(container, exec, stdio, 0)
}

/// [`exec`] of a process which inherits `preserve` descriptors from 3 on.
pub(crate) fn exec_with(
    container: &Running,
    exec: &Exec,
    stdio: Stdio,
    preserve: u32,
) -> Result<ExecRunning, StartError> {
    let root = root(container)?;
    match attempt(container, &root, exec, &stdio, preserve, Enter::Last) {
        Err(Failed { error, entering: true }) if exec.seccomp.is_some() => {
            attempt(container, &root, exec, &stdio, preserve, Enter::Unfiltered).map_err(|_| error)
        }
        other => other.map_err(|failed| failed.error),
    }
}

/// Why it was not started.
struct Failed {
    error: StartError,
    /// When it was to become visible in the container.
    entering: bool,
}

impl<E: Into<StartError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), entering: false }
    }
}

fn attempt(
    container: &Running,
    root: &OwnedFd,
    exec: &Exec,
    stdio: &Stdio,
    preserve: u32,
    enter: Enter,
) -> Result<ExecRunning, Failed> {
    let stdio = stdio.duplicate()?;
    let mut process = Process { terminal: matches!(stdio, Stdio::Terminal { .. }), ..exec.process.clone() };
    let identity = identify(root.as_fd(), exec.user.as_deref(), &exec.additional_groups, &mut process)?;
    let command = process::command(&process, &identity.home)?;
    let mut program = Program { steps: first_steps(preserve), fds: Vec::new(), root: None, command };
    let affinity = process.exec_cpu_affinity.clone().unwrap_or_default();
    program.steps.extend(schedule::processors(&affinity.initial)?.map(Step::Affinity));
    let clone_into = container.cgroup.clone_into()?;
    program.join(&container.cgroup)?;
    program.steps.extend(schedule::processors(&affinity.last)?.map(Step::Affinity));
    program.steps.extend(process::keyring(&process, None)?);
    program.steps.extend(process::labels(&process)?);
    let pidfd = duplicate(&container.pidfd)?;
    let slot = program.keep(pidfd);
    let mapping = is_foreign(container, "user").then(|| Mapping::of_process(&container.pid.to_string())).transpose()?;
    // Those of the host's that it has, root of a user namespace could not join again.
    let joined = KINDS.iter().filter(|(file, _)| mapping.is_none() || is_foreign(container, file));
    // All at once: the kernel asks whether we may trace the process, which a set-up not yet at its end allows to root outside
    // only.
    let first = if mapping.is_some() { Kinds::USER } else { Kinds::empty() };
    let kinds = joined.fold(first, |all, (_, kind)| all | *kind);
    program.steps.push(Step::Join(slot, kinds));
    let place = program.keep(duplicate(root)?);
    program.steps.push(Step::EnterRoot(place));
    let devpts = match (&stdio, &container.devpts) {
        (Stdio::Pipes { .. }, _) => None,
        (_, Some(devpts)) => Some(duplicate(devpts)?),
        (_, None) => Some(find_devpts(root)?),
    };
    let devpts = devpts.map(|fd| program.keep(fd));
    let (stdio, console) = standard_streams(&mut program, &process, stdio, devpts, false)?;
    if let Some(mapping) = &mapping {
        give_streams(&program, stdio, &process, identity.uid, mapping)?;
    }
    let mapped = mapping.is_some();
    let wait = if mapped { Wait::Parent } else { Wait::Nothing };
    let end = process::End { wait, init: false, preserve, mapped, enter: Some(enter) };
    program.steps.extend(process::steps(&process, &identity, exec.seccomp.as_ref(), stdio, end)?);
    let listener = exec.seccomp.as_ref().and_then(SeccompProgram::listener);
    let child = start(&program, clone_into, mapped.then_some(&process), listener)?;
    Ok(ExecRunning { pid: child.pid, pidfd: child.pidfd, console })
}

/// `outside`: a process in a user namespace, whose limits we set before it may go on.
fn start(
    program: &Program,
    clone_into: Option<OwnedFd>,
    outside: Option<&Process>,
    listener: Option<&Listener>,
) -> Result<Child, Failed> {
    let (ours, theirs) = link::pair().map_err(|errno| StartError::other(format!("socketpair: {}", text(errno))))?;
    let what = Clone { namespaces: None, cgroup: clone_into.as_ref().map(AsFd::as_fd) };
    let child = sys::clone::spawn(&what, || child::run(program, &theirs))
        .map_err(|errno| StartError::other(format!("unable to clone the process: {}", text(errno))))?;
    drop(theirs);
    crash::point("runtime.exec-cloned");
    let mut pid = child.pid;
    let mut child = Kill(Some(child));
    loop {
        match ours.listen(PATIENCE).map_err(|errno| silent(errno, pid, PATIENCE))? {
            Word::Ready => {
                if let Some(process) = outside {
                    process::limit_from_outside(pid, process)?;
                    let _ = ours.release();
                }
                return Ok(child.0.take().ok_or_else(|| StartError::other("no process"))?);
            }
            Word::Entered { pid: entered } => {
                // Our child, not reaped yet: the number is its own. Who began ends by itself.
                child = Kill(Some(Child { pid: entered, pidfd: open(entered)? }));
                pid = entered;
                crash::point("runtime.exec-entered");
                let _ = ours.release();
            }
            Word::Listening { fd } => {
                hand_over(listener, &child, fd, pid, "running")?;
                let _ = ours.release();
            }
            Word::Failed { step, errno } => {
                return Err(Failed { error: program.failure(step, errno), entering: program.is_entering(step) });
            }
            Word::Met | Word::Gone => {
                // A filter may also kill who enters.
                let entering = child.signal() == Some(libc::SIGSYS);
                return Err(Failed { error: gone(&child, program), entering });
            }
        }
    }
}

fn open(pid: i32) -> Result<OwnedFd, StartError> {
    let failed = |errno| StartError::other(format!("open process {pid}: {}", text(errno)));
    let pid = rustix::process::Pid::from_raw(pid).ok_or_else(|| failed(sys::Errno::SRCH))?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).map_err(failed)
}

/// The container's root directory. The pidfd says afterwards that the number still meant the same process.
fn root(container: &Running) -> Result<OwnedFd, StartError> {
    let path = format!("/proc/{}/root", container.pid);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let not_running = |_| StartError::other("cannot exec in a stopped container");
    let root = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(not_running)?;
    sys::signal::send(&container.pidfd, 0).map_err(not_running)?;
    Ok(root)
}

/// Whether the container has another namespace of this kind than we.
fn is_foreign(container: &Running, kind: &str) -> bool {
    let inode = |pid: &str| rustix::fs::stat(format!("/proc/{pid}/ns/{kind}")).map(|stat| stat.st_ino).ok();
    inode("self") != inode(&container.pid.to_string())
}

/// For a container whose devpts we did not make: what is at its `/dev/pts`, checked.
fn find_devpts(root: &OwnedFd) -> Result<OwnedFd, StartError> {
    let failed = |errno| StartError::other(format!("open the container's /dev/pts: {}", text(errno)));
    let fd = sys::path::open_no_links(root, c"dev/pts", OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
    if rustix::fs::fstatfs(&fd).map_err(failed)?.f_type as i64 == DEVPTS_MAGIC {
        Ok(fd)
    } else {
        Err(StartError::other("the container's /dev/pts is no devpts"))
    }
}

impl Running {
    /// A container that some other process started.
    pub fn open(pid: i32, cgroup_path: &str) -> Result<Self, StartError> {
        let not_running = |errno| StartError::other(format!("container process {pid} is not running: {}", text(errno)));
        let raw = rustix::process::Pid::from_raw(pid).ok_or_else(|| not_running(sys::Errno::SRCH))?;
        let pidfd = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty()).map_err(not_running)?;
        let cgroup = Cgroup::open(cgroup_path)?;
        Ok(Self { pid, pidfd, console: None, cgroup, devpts: None, root: None, resctrl: Groups::default() })
    }
}
