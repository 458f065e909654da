//! A launch as a program of steps: what is decided, and what is opened beforehand.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cgroup::Cgroup;
use oci::runtime::{Linux, NamespaceKind, Process};
use rustix::fs::Mode;
use rustix::io::Errno;
use sys::namespace::Kinds;
use values::RootMount;

use crate::create::Extra;
use crate::failure::text;
use crate::mounts::{self, CgroupView};
use crate::namespaces::Namespaces;
use crate::process::{self, c_string};
use crate::program::{Program, Slot, Step, Wait};
use crate::user::{self, Identity};
use crate::user_namespace::Mapping;
use crate::{Launch, SeccompProgram, Source, StartError, Stdio, devices, memory_policy, mount_options, sysctl};

/// The group which terminals belong to, as in the mount options of a devpts.
const TTY_GROUP: u32 = 5;

/// A program and what its keeper keeps.
pub(crate) struct Plan {
    pub(crate) program: Program,
    pub(crate) devpts: Option<Slot>,
    pub(crate) console: Option<OwnedFd>,
}

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) launch: &'a Launch,
    pub(crate) linux: &'a Linux,
    pub(crate) cgroup: &'a Cgroup,
    /// The keeper has something to do for the process before it goes on.
    pub(crate) waits: bool,
    pub(crate) namespaces: &'a Namespaces,
    pub(crate) filter: Option<&'a SeccompProgram>,
}

impl Ground<'_> {
    pub(crate) fn plan(
        self,
        root: OwnedFd,
        sources: &[(&Source, Option<BorrowedFd<'_>>)],
        stdio: Stdio,
        extra: Extra,
    ) -> Result<Plan, StartError> {
        let Self { launch, linux, cgroup, waits, namespaces, filter } = self;
        let spec = &launch.spec;
        let given = spec.process.as_ref().ok_or_else(|| StartError::other("process property must not be empty"))?;
        let mut process = Process { terminal: matches!(stdio, Stdio::Terminal { .. }), ..given.clone() };
        let identity = identify(root.as_fd(), launch.user.as_deref(), &launch.additional_groups, &mut process)?;
        let command = process::command(&process, &identity.home)?;
        let mut program = Program { steps: first_steps(extra.preserve), fds: vec![root], root: Some(0), command };
        program.steps.push(Step::NewSession);
        let mapping = namespaces.user.as_ref().map(|user| &user.mapping);
        if mapping.is_some() {
            program.steps.extend(become_root());
        }
        if extra.keyring {
            let name = c_string(&format!("_ses.{}", launch.id))?;
            program.steps.extend(process::keyring(&process, Some(name))?);
        }
        names(launch, namespaces, &mut program)?;
        let in_bundle = launch.bundle.as_ref().map(|bundle| bundle.join("rootfs"));
        let place = match &launch.rootfs {
            _ if in_bundle.is_some() => c_string(&in_bundle.unwrap_or_default().to_string_lossy())?,
            // Where hooks look for it. Who is root inside only may not get there.
            RootMount::Directory { path } if !launch.map_root => c_string(&path.to_string_lossy())?,
            _ => c"/".to_owned(),
        };
        program.steps.extend([Step::PrivateMounts, Step::AttachRoot(place)]);
        let early = cgroup.version() == cgroup::Version::V2;
        if namespaces.cgroup && early {
            program.steps.push(Step::Unshare(Kinds::CONTROL_GROUP));
        }
        let view = CgroupView { group: cgroup, private: namespaces.has(NamespaceKind::Cgroup) };
        let how = mounts::How { cgroup: &view, user: namespaces.user.as_ref(), label: &linux.mount_label, sources };
        let made = mounts::plan(&mut program, &spec.mounts, &how)?;
        if !made.dev_is_bound {
            devices::plan(&mut program, &linux.devices, mapping)?;
        }
        let (stdio, console) = standard_streams(&mut program, &process, stdio, made.devpts, true)?;
        if let Some(mapping) = mapping {
            give_streams(&program, stdio, &process, identity.uid, mapping)?;
        }
        if waits {
            program.steps.push(Step::Await);
        }
        if !early {
            program.join(cgroup)?;
            if namespaces.cgroup {
                program.steps.push(Step::Unshare(Kinds::CONTROL_GROUP));
            }
        }
        program.steps.extend(sysctl::plan(&linux.sysctl, namespaces)?);
        paths(linux, &mut program)?;
        program.steps.extend(made.last);
        finish_root(launch, linux, &process, &mut program)?;
        if let Some(mounts) = &namespaces.mounts {
            let slot = program.keep(duplicate(mounts)?);
            program.steps.push(Step::LeaveMounts(slot));
        }
        if namespaces.time {
            time(linux, &mut program)?;
        }
        if let Some(personality) = &linux.personality {
            program.steps.push(Step::Personality(domain(&personality.domain)?));
        }
        program.steps.extend(linux.memory_policy.as_ref().map(memory_policy::step).transpose()?);
        let wait = match extra.fifo {
            Some(fifo) => Wait::Fifo(program.keep(fifo)),
            None => Wait::Parent,
        };
        let mapped = mapping.is_some();
        let end = process::End { wait, init: launch.init, preserve: extra.preserve, mapped, enter: None };
        program.steps.extend(process::steps(&process, &identity, filter, stdio, end)?);
        Ok(Plan { program, devpts: made.devpts, console })
    }
}

pub(crate) fn duplicate(fd: &OwnedFd) -> Result<OwnedFd, StartError> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|errno| StartError::other(format!("dup: {}", text(errno))))
}

/// Who the process is; fills in its groups.
pub(crate) fn identify(
    root: BorrowedFd<'_>,
    user: Option<&str>,
    groups: &[String],
    process: &mut Process,
) -> Result<Identity, StartError> {
    let mut identity = match user {
        Some(user) => user::resolve(root, user)?,
        None => Identity {
            uid: process.user.uid,
            gid: process.user.gid,
            additional_gids: process.user.additional_gids.clone(),
            home: user::home(root, process.user.uid),
            by_name: false,
        },
    };
    for gid in user::groups(root, groups)? {
        if !identity.additional_gids.contains(&gid) {
            identity.additional_gids.push(gid);
        }
    }
    process.user.uid = identity.uid;
    process.user.gid = identity.gid;
    Ok(identity)
}

/// What every new process does first.
pub(crate) fn first_steps(preserve: u32) -> Vec<Step> {
    vec![Step::ResetSignals, Step::NotDumpable, Step::CloseForeign(3 + preserve), Step::Umask(Mode::empty())]
}

/// In a user namespace: its root, before anything is made there. Whoever was root outside is nobody in it.
pub(crate) fn become_root() -> [Step; 2] {
    [Step::Groups(Vec::new()), Step::Ids { uid: 0, gid: 0 }]
}

/// Gives the standard streams to the user, which root of a user namespace could not: they were made outside.
pub(crate) fn give_streams(
    program: &Program,
    stdio: [Option<Slot>; 3],
    process: &Process,
    uid: u32,
    mapping: &Mapping,
) -> Result<(), StartError> {
    for fd in stdio.into_iter().flatten().filter_map(|slot| program.fds.get(slot)) {
        let group = if process.terminal { TTY_GROUP } else { process.user.gid };
        let (uid, gid) = mapping.owner(uid, group);
        match rustix::fs::fchown(fd, uid, gid) {
            // Not everything has an owner to change.
            Ok(()) | Err(Errno::ROFS | Errno::PERM | Errno::INVAL) => {}
            Err(errno) => return Err(StartError::other(format!("chown a standard stream: {}", text(errno)))),
        }
    }
    Ok(())
}

/// Standard streams as slots, and the terminal's master.
pub(crate) fn standard_streams(
    program: &mut Program,
    process: &Process,
    stdio: Stdio,
    devpts: Option<Slot>,
    console: bool,
) -> Result<([Option<Slot>; 3], Option<OwnedFd>), StartError> {
    let (rows, cols) = match stdio {
        Stdio::Pipes { stdin, stdout, stderr } => {
            let stdin = stdin.map(|fd| program.keep(fd));
            let (stdout, stderr) = (program.keep(stdout), program.keep(stderr));
            return Ok(([stdin, Some(stdout), Some(stderr)], None));
        }
        Stdio::Terminal { rows, cols } => (rows, cols),
    };
    let devpts = devpts.ok_or_else(|| StartError::other("a terminal needs a devpts mount at /dev/pts"))?;
    let failed = |errno| StartError::other(format!("open a terminal in the container's devpts: {}", text(errno)));
    let source = program.fds.get(devpts).ok_or_else(|| StartError::other("no devpts"))?;
    let pair = sys::tty::open(source).map_err(failed)?;
    let size = process.console_size.unwrap_or_default();
    let (rows, cols) = if rows == 0 && cols == 0 { (size.height, size.width) } else { (rows, cols) };
    if rows != 0 || cols != 0 {
        sys::tty::resize(&pair.master, rows, cols).map_err(failed)?;
    }
    if console {
        let path = rustix::pty::ptsname(&pair.master, Vec::new()).map_err(failed)?;
        let number = path.to_string_lossy().rsplit('/').next().unwrap_or_default().to_owned();
        program.steps.push(Step::Console { devpts, number: c_string(&number)? });
    }
    let slave = program.keep(pair.slave);
    Ok(([Some(slave); 3], Some(pair.master)))
}

fn names(launch: &Launch, namespaces: &Namespaces, program: &mut Program) -> Result<(), StartError> {
    for (fd, kinds) in &namespaces.join {
        let slot = program.keep(duplicate(fd)?);
        program.steps.push(Step::Join(slot, *kinds));
    }
    for (name, what, step) in [
        (&launch.spec.hostname, "hostname", Step::Hostname as fn(std::ffi::CString) -> Step),
        (&launch.spec.domainname, "domainname", Step::Domainname),
    ] {
        if name.is_empty() {
            continue;
        }
        if !namespaces.has(NamespaceKind::Uts) {
            return Err(StartError::other(format!("unable to set {what} without a private UTS namespace")));
        }
        program.steps.push(step(c_string(name)?));
    }
    Ok(())
}

fn paths(linux: &Linux, program: &mut Program) -> Result<(), StartError> {
    for path in &linux.readonly_paths {
        program.steps.push(Step::ReadOnly(c_string(path)?));
    }
    for path in &linux.masked_paths {
        program.steps.push(Step::Mask(c_string(path)?));
    }
    Ok(())
}

fn finish_root(launch: &Launch, linux: &Linux, process: &Process, program: &mut Program) -> Result<(), StartError> {
    let hooks = launch.spec.hooks.clone().unwrap_or_default();
    if !hooks.prestart.is_empty() || !hooks.create_runtime.is_empty() || !hooks.create_container.is_empty() {
        program.steps.push(Step::Meet);
    }
    program.steps.push(Step::Pivot);
    if !process.cwd.is_empty() {
        program.steps.push(Step::MakeDirectory(c_string(&process.cwd)?));
    }
    if launch.spec.root.as_ref().is_some_and(|root| root.readonly) {
        program.steps.push(Step::RootReadOnly);
    }
    if !linux.rootfs_propagation.is_empty() {
        let (kind, below) = mount_options::propagation(&linux.rootfs_propagation).ok_or_else(|| {
            StartError::other(format!("rootfsPropagation={} is not supported", linux.rootfs_propagation))
        })?;
        program.steps.push(Step::RootPropagation(kind, below));
    }
    Ok(())
}

fn time(linux: &Linux, program: &mut Program) -> Result<(), StartError> {
    program.steps.push(Step::Unshare(Kinds::TIME));
    if linux.time_offsets.is_empty() {
        return Ok(());
    }
    let line = |(clock, offset): (&String, &oci::runtime::TimeOffset)| {
        format!("{clock} {} {}\n", offset.secs, offset.nanosecs)
    };
    let text: String = linux.time_offsets.iter().map(line).collect();
    program.steps.push(Step::TimeOffsets(c_string(&text)?));
    Ok(())
}

fn domain(name: &str) -> Result<u64, StartError> {
    match name {
        "" | "LINUX" => Ok(0),
        "LINUX32" => Ok(8),
        other => Err(StartError::other(format!("invalid personality domain {other:?}"))),
    }
}
