//! A container's creation, seen from its keeper.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use cgroup::Cgroup;
use cgroup::systemd::{Scope, Systemd};
use oci::runtime::{Linux, Resources};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions};
use sys::clone::{Child, Clone};
use sys::crash;
use sys::namespace::Kinds;

use crate::failure::text;
use crate::hooks::{Place, number_inside, run_all};
use crate::link::{self, Word};
use crate::namespaces::Namespaces;
use crate::plan::{self, Ground};
use crate::program::{Program, Slot};
use crate::seccomp::Listener;
use crate::{
    Fds, Launch, SeccompProgram, StartError, child, mount_root, net_devices, process, resctrl, rootfs, seccomp,
    with_lowest,
};

/// A process that has not set its container up after this long is stuck in the kernel (a mount, a file system which does
/// not answer).
const PATIENCE: Duration = Duration::from_secs(15);
/// For the end of a killed process.
const DEATH: Duration = Duration::from_secs(2);

/// A container which is set up whole and waits for [`Created::start`]. Dropped: it ends, cgroup removed.
#[derive(Debug)]
pub struct Created {
    /// None once started.
    running: Option<Running>,
    link: link::End,
}

/// A container's first process and what its keeper needs.
#[derive(Debug)]
pub struct Running {
    pub pid: i32,
    /// Readable when the process ended; wait for it with `waitid(P_PIDFD)`.
    pub pidfd: OwnedFd,
    /// Master of the terminal.
    pub console: Option<OwnedFd>,
    pub cgroup: Cgroup,
    /// The container's devpts, from which execs get their terminals.
    pub devpts: Option<OwnedFd>,
    /// Keeps the root file system alive: drop it *after* the exit was reported, because the last user's
    /// end pays for the unmount (an overlay's syncs its upper file system).
    pub root: Option<OwnedFd>,
    /// Groups of the resctrl file system that go with it.
    pub resctrl: resctrl::Groups,
}

/// Makes the container: cgroup, namespaces, mounts, everything up to `execve`.
/// On error nothing is left behind.
pub fn create(launch: &Launch, fds: Fds) -> Result<Created, StartError> {
    create_with(launch, fds, Extra::default())
}

/// What only the OCI command line needs.
#[derive(Debug)]
pub(crate) struct Extra {
    /// Wait for a byte in this FIFO (open for both directions) instead of [`Created::start`].
    pub(crate) fifo: Option<OwnedFd>,
    /// How many descriptors from 3 on the program inherits.
    pub(crate) preserve: u32,
    /// The bundle's path, for hooks.
    pub(crate) bundle: String,
    /// A session keyring of its own.
    pub(crate) keyring: bool,
}

impl Default for Extra {
    fn default() -> Self {
        Self { fifo: None, preserve: 0, bundle: String::new(), keyring: true }
    }
}

pub(crate) fn create_with(launch: &Launch, fds: Fds, extra: Extra) -> Result<Created, StartError> {
    let bundle = match &launch.bundle {
        Some(path) => path.to_string_lossy().into_owned(),
        None => extra.bundle.clone(),
    };
    let linux = launch.spec.linux.clone().unwrap_or_default();
    refuse(launch, &linux)?;
    let namespaces = Namespaces::plan(&linux, fds.netns, fds.userns)?;
    let root = root(launch, fds.lowest.as_ref().map(AsFd::as_fd), &namespaces, &linux.mount_label)?;
    net_devices::check(&linux, &namespaces)?;
    let resctrl = linux.intel_rdt.as_ref().map(|rdt| resctrl::mounted().map(|root| (root, rdt))).transpose()?;
    let filter = filter(launch, &linux)?.map(|filter| filter.of(&launch.id, &bundle, &launch.spec.annotations));
    let scope = scope(&linux)?;
    let resources = resources(&linux);
    let cgroup = Guard(Some(make_cgroup(launch, &linux, scope.as_ref(), &resources)?));
    let group = cgroup.0.as_ref().ok_or_else(|| StartError::other("no cgroup"))?;
    crash::point("runtime.grouped");
    if let Some(uid) = owner(launch, &namespaces) {
        group.give(uid)?;
    }
    // On v1 systemd is told of the process before it moves in.
    let waits = (scope.is_some() && group.version() == cgroup::Version::V1) || !linux.net_devices.is_empty();
    let ground =
        Ground { launch, linux: &linux, cgroup: group, waits, namespaces: &namespaces, filter: filter.as_ref() };
    let sources = with_lowest(&launch.sources, &fds.sources)?;
    let plan = ground.plan(root, &sources, fds.stdio, extra)?;
    let clone_into = group.clone_into()?;
    let (ours, theirs) = link::pair().map_err(|errno| StartError::other(format!("socketpair: {}", text(errno))))?;
    let child = spawn(&plan.program, &theirs, &namespaces, clone_into.as_ref().map(AsFd::as_fd))?;
    drop(theirs);
    crash::point("runtime.cloned");
    let mut child = Kill(Some(child));
    let pid = child.0.as_ref().map_or(0, |child| child.pid);
    if let Some(scope) = &scope {
        adopt(group, scope, pid, &resources)?;
    }
    let mut groups = match resctrl {
        Some((root, rdt)) => resctrl::join(&root, rdt, &launch.id, pid)?,
        None => resctrl::Guard::default(),
    };
    if !linux.net_devices.is_empty() {
        let namespace = net_devices::namespace_of(pid, &namespaces)?;
        net_devices::move_all(&linux.net_devices, namespace.as_fd())?;
    }
    if waits {
        // A child that failed meanwhile says so below.
        let _ = ours.release();
    }
    let told = Told { launch, bundle: &bundle, listener: filter.as_ref().and_then(SeccompProgram::listener) };
    meet(&told, &plan.program, &ours, &child, pid)?;
    crash::point("runtime.ready");
    if namespaces.user.is_some() {
        // It has no power over these itself.
        launch.spec.process.as_ref().map_or(Ok(()), |process| process::limit_from_outside(pid, process))?;
    }
    let Some(Child { pid, pidfd }) = child.0.take() else { return Err(StartError::other("no process")) };
    let (cgroup, mut program) = (cgroup.take(), plan.program);
    let devpts = plan.devpts.map(|slot| kept(&program, slot)).transpose()?;
    let root = program.root.map(|slot| program.fds.swap_remove(slot));
    let resctrl = std::mem::take(&mut groups.0);
    let running = Running { pid, pidfd, console: plan.console, cgroup, devpts, root, resctrl };
    Ok(Created { running: Some(running), link: ours })
}

impl Created {
    pub fn pid(&self) -> i32 {
        self.running.as_ref().map_or(0, |running| running.pid)
    }

    /// What there is of it already: pidfd, console, cgroup.
    pub fn container(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Leaves it waiting at its FIFO.
    pub(crate) fn leave(mut self) -> Result<Running, StartError> {
        self.running.take().ok_or_else(|| StartError::other("container already started"))
    }

    /// Lets the program run. When `execve` itself fails afterwards (wrong format, missing interpreter)
    /// the container prints `exec PATH: REASON` on its stderr and exits with 255, as Docker's do.
    pub fn start(mut self) -> Result<Running, StartError> {
        self.link.release().map_err(|errno| StartError::other(format!("start the container: {}", text(errno))))?;
        self.running.take().ok_or_else(|| StartError::other("container already started"))
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            end(&running.pidfd);
            let _ = running.cgroup.kill_all();
            let _ = running.cgroup.remove();
            running.resctrl.remove();
        }
    }
}

/// Removes the cgroup unless taken.
struct Guard(Option<Cgroup>);

impl Guard {
    fn take(mut self) -> Cgroup {
        // Only `take` empties it, and it consumes the guard.
        self.0.take().unwrap_or_else(|| unreachable!("a guard is taken once"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.0 {
            let _ = cgroup.remove();
        }
    }
}

/// Ends the process unless taken.
pub(crate) struct Kill(pub(crate) Option<Child>);

impl Drop for Kill {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            end(&child.pidfd);
        }
    }
}

/// Kills a process and takes its status; one which the kernel does not let go is left to whoever reaps our children.
fn end(pidfd: &OwnedFd) {
    let _ = sys::signal::send(pidfd, rustix::process::Signal::KILL.as_raw());
    let until = Instant::now() + DEATH;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            _ => break,
        }
    }
    let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

/// What the specification asks for and we do not have is said, never ignored.
fn refuse(launch: &Launch, linux: &Linux) -> Result<(), StartError> {
    if linux.personality.as_ref().is_some_and(|one| !one.flags.is_empty()) {
        return Err(StartError::other("personality flags is not supported by this runtime"));
    }
    if !linux.mount_label.is_empty() {
        process::selinux_or_error()?;
    }
    if let Some(path) = linux.masked_paths.iter().chain(&linux.readonly_paths).find(|path| !path.starts_with('/')) {
        return Err(StartError::other(format!("masked or read-only path {path:?} must be absolute")));
    }
    if launch.id.is_empty() {
        return Err(StartError::other("container id cannot be empty"));
    }
    Ok(())
}

/// The root file system, its ids mapped where that was asked for.
fn root(
    launch: &Launch,
    lowest: Option<BorrowedFd<'_>>,
    namespaces: &Namespaces,
    label: &str,
) -> Result<OwnedFd, StartError> {
    match &namespaces.user {
        Some(user) if launch.map_root => rootfs::mount_mapped(&launch.rootfs, lowest, user, label),
        _ => mount_root(&launch.rootfs, lowest, label),
    }
}

fn filter(launch: &Launch, linux: &Linux) -> Result<Option<SeccompProgram>, StartError> {
    match (&launch.seccomp, &linux.seccomp) {
        (Some(program), _) => Ok(Some(program.clone())),
        (None, Some(profile)) => seccomp::compile(profile).map(Some),
        (None, None) => Ok(None),
    }
}

/// `SLICE:PREFIX:NAME` is a scope of systemd's; a path has a slash in front or no colons.
fn scope(linux: &Linux) -> Result<Option<Scope>, StartError> {
    let path = &linux.cgroups_path;
    if path.starts_with('/') || !path.contains(':') {
        return Ok(None);
    }
    Scope::parse(path).map(Some).map_err(StartError::from)
}

/// `/lighter/ID` unless the specification says where.
fn make_cgroup(
    launch: &Launch,
    linux: &Linux,
    scope: Option<&Scope>,
    resources: &Resources,
) -> Result<Cgroup, StartError> {
    let path = match (scope, linux.cgroups_path.as_str()) {
        (Some(scope), _) => scope.path.clone(),
        (None, "") => format!("/lighter/{}", launch.id),
        (None, path) if path.starts_with('/') => path.to_owned(),
        (None, path) => format!("/{path}"),
    };
    Cgroup::create(&path, resources).map_err(unable)
}

fn resources(linux: &Linux) -> Resources {
    let mut resources = linux.resources.clone().unwrap_or_default();
    allow_own_devices(&mut resources);
    resources
}

/// Has systemd take the group over as a scope, and sets again what it changed meanwhile.
fn adopt(group: &Cgroup, scope: &Scope, pid: i32, resources: &Resources) -> Result<(), StartError> {
    Systemd::connect()
        .and_then(|mut systemd| systemd.start_scope(group.version(), scope, pid, resources))
        .and_then(|()| group.update(resources))
        .map_err(unable)
}

/// Whose the group becomes: the container's user, where it has ids and a view of control groups of its own and may write there.
fn owner(launch: &Launch, namespaces: &Namespaces) -> Option<u32> {
    let user = namespaces.user.as_ref().filter(|_| namespaces.cgroup)?;
    let writable = launch.spec.mounts.iter().any(|mount| {
        mount.source == "cgroup"
            && mount.destination == "/sys/fs/cgroup"
            && !mount.options.iter().any(|option| option == "ro")
    });
    let uid = launch.spec.process.as_ref().map_or(0, |process| process.user.uid);
    user.mapping.uid(uid).filter(|_| writable)
}

fn unable(error: values::Error) -> StartError {
    StartError::other(format!("unable to apply cgroup configuration: {}", error.message))
}

/// Rules that deny must not take away what every container has.
fn allow_own_devices(resources: &mut Resources) {
    if resources.devices.iter().any(|rule| !rule.allow) {
        let mut own = crate::defaults::own_device_rules();
        own.retain(|rule| !resources.devices.contains(rule));
        resources.devices.extend(own);
    }
}

/// Clones, in the pid namespace that was asked for.
fn spawn(
    program: &Program,
    link: &link::End,
    namespaces: &Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Child, StartError> {
    let what = Clone { namespaces: namespaces.new, cgroup };
    let failed = |errno| StartError::other(format!("unable to clone the container's process: {}", text(errno)));
    if let Some(user) = &namespaces.user {
        let pid = namespaces.pid.as_ref().map(|pid| (pid.as_fd(), Kinds::PROCESS_ID));
        let join: Vec<_> = [(user.fd.as_fd(), Kinds::USER)].into_iter().chain(pid).collect();
        return sys::clone::spawn_inside(&join, &what, || child::run(program, link)).map_err(failed);
    }
    let clone = || sys::clone::spawn(&what, || child::run(program, link)).map_err(failed);
    match &namespaces.pid {
        Some(pid) => in_pid_namespace(pid.as_fd(), clone),
        None => clone(),
    }
}

/// Makes `fd`'s pid namespace the one of children born in `clone`.
pub(crate) fn in_pid_namespace<T>(
    fd: BorrowedFd<'_>,
    clone: impl FnOnce() -> Result<T, StartError>,
) -> Result<T, StartError> {
    let failed = |errno| StartError::other(format!("failed to setns into pid namespace: {}", text(errno)));
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let own = rustix::fs::open(c"/proc/thread-self/ns/pid", flags, Mode::empty()).map_err(failed)?;
    sys::namespace::join(fd, Kinds::PROCESS_ID).map_err(failed)?;
    let result = clone();
    sys::namespace::join(own.as_fd(), Kinds::PROCESS_ID).map_err(failed)?;
    result
}

/// What others are told of the container while it is made.
struct Told<'a> {
    launch: &'a Launch,
    bundle: &'a str,
    listener: Option<&'a Listener>,
}

/// Listens until the child is ready, running hooks when it asks.
fn meet(told: &Told<'_>, program: &Program, link: &link::End, child: &Kill, pid: i32) -> Result<(), StartError> {
    let launch = told.launch;
    loop {
        match link.listen(PATIENCE).map_err(|errno| silent(errno, pid, PATIENCE))? {
            Word::Ready => return Ok(()),
            Word::Failed { step, errno } => return Err(program.failure(step, errno)),
            Word::Gone | Word::Entered { .. } => return Err(gone(child, program)),
            Word::Listening { fd } => {
                hand_over(told.listener, child, fd, pid, "creating")?;
                let _ = link.release();
            }
            Word::Met => {
                let hooks = launch.spec.hooks.clone().unwrap_or_default();
                let state = crate::hooks::state(launch, told.bundle, "creating", pid);
                run_all(&hooks.prestart, &state, Place::Host)?;
                run_all(&hooks.create_runtime, &state, Place::Host)?;
                if let Some(child) = &child.0 {
                    let state = oci::runtime::State { pid: number_inside(pid), ..state };
                    run_all(&hooks.create_container, &state, Place::Container(child.pidfd.as_fd()))?;
                }
                let _ = link.release();
            }
        }
    }
}

/// Gives the listener of a process' filter to whoever will answer.
pub(crate) fn hand_over(
    listener: Option<&Listener>,
    child: &Kill,
    fd: i32,
    pid: i32,
    status: &str,
) -> Result<(), StartError> {
    let (Some(listener), Some(child)) = (listener, &child.0) else {
        return Err(StartError::other("a filter has a listener that nobody asked for"));
    };
    listener.hand_over(child.pidfd.as_fd(), fd, pid, status)
}

/// It says nothing.
pub(crate) fn silent(errno: Errno, pid: i32, patience: Duration) -> StartError {
    StartError::other(match errno {
        Errno::TIMEDOUT => {
            let seconds = patience.as_secs();
            format!("the process has not come up within {seconds} seconds: {}", sys::waiting::describe(pid))
        }
        errno => format!("listen to the container: {}", text(errno)),
    })
}

impl Kill {
    /// The signal by which it ended.
    pub(crate) fn signal(&self) -> Option<i32> {
        let child = self.0.as_ref()?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::PidFd(child.pidfd.as_fd()), options).ok().flatten()?.terminating_signal()
    }
}

/// It ended without a word: killed, most likely for want of memory; or its filter let it neither speak nor end.
pub(crate) fn gone(child: &Kill, program: &Program) -> StartError {
    let how = match child.signal() {
        Some(9) => "it was killed (maybe its memory limit is too low)".to_owned(),
        _ if program.is_filtered() => {
            "the seccomp profile forbids system calls that every start takes (capset, write, \
            execve and exit_group are among them)"
                .to_owned()
        }
        Some(signal) => format!("it got signal {signal}"),
        None => "it ended without a word".to_owned(),
    };
    StartError::other(format!("container init failed: {how}"))
}

fn kept(program: &Program, slot: Slot) -> Result<OwnedFd, StartError> {
    program.fds.get(slot).ok_or_else(|| StartError::other("no such descriptor")).and_then(plan::duplicate)
}
