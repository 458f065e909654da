//! What the new process will do, step by step: all of it decided, converted and allocated before the clone.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use cgroup::Cgroup;
use rustix::fs::{Dev, FileType, Mode};
use rustix::process::{Resource, Rlimit};
use sys::namespace::Kinds;
use sys::program::Strings;
use sys::seccomp::Instruction;

use crate::capability::Sets;

/// The index of a descriptor in [`Program::fds`].
pub(crate) type Slot = usize;

/// A program of steps and the descriptors it uses.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) fds: Vec<OwnedFd>,
    /// The detached root file system; none for an exec.
    pub(crate) root: Option<Slot>,
    pub(crate) command: Command,
}

/// What to execute.
#[derive(Debug)]
pub(crate) struct Command {
    /// `args[0]` as it was given.
    pub(crate) name: String,
    /// Where it may be: one place when there is a slash in the name, else each directory of `PATH`.
    pub(crate) candidates: Vec<CString>,
    pub(crate) args: Strings,
    pub(crate) env: Strings,
}

/// One step. Each fails with an errno; the parent says what was tried.
#[derive(Debug)]
pub(crate) enum Step {
    /// Wait until the parent lets us go on.
    Await,
    /// Move into a control group of v1, by its file of threads.
    Group(Slot, PathBuf),
    /// Tell the parent that we are here, and wait.
    Meet,
    NewSession,
    ResetSignals,
    /// Hide from ptrace and `/proc/PID` until exec.
    NotDumpable,
    /// A session keyring of this name; None: a new one without a name.
    Keyring(Option<CString>),
    Join(Slot, Kinds),
    Unshare(Kinds),
    TimeOffsets(CString),
    Hostname(CString),
    Domainname(CString),
    /// Cut our copy of the host's mounts off.
    PrivateMounts,
    /// Mount the root file system there, in our own copy of the host's mounts.
    AttachRoot(CString),
    Mount(Mount),
    /// Make what `/sys/fs/cgroup` links to, or `/dev/fd`: link path, target.
    Symlink {
        path: CString,
        target: CString,
    },
    Device(Device),
    /// Bind the terminal's slave (its number in the devpts) on `/dev/console`.
    Console {
        devpts: Slot,
        number: CString,
    },
    Sysctl {
        path: CString,
        value: CString,
    },
    ReadOnly(CString),
    Mask(CString),
    /// Change the attributes of what is mounted at a path.
    Remount {
        path: CString,
        change: sys::mount::Attributes,
    },
    /// Change options of the file system that is mounted at a path.
    Reconfigure {
        path: CString,
        options: Vec<(CString, Option<CString>)>,
    },
    /// Label what is mounted at a path for SELinux.
    Label {
        path: CString,
        label: CString,
    },
    RootReadOnly,
    Pivot,
    /// Go on in this mount namespace, with a copy of the root's mounts as the root: that one's table has nothing of it.
    LeaveMounts(Slot),
    RootPropagation(sys::mount::Propagation, bool),
    MakeDirectory(CString),
    /// Descriptors for 0, 1, 2; None: the container's /dev/null. They are given to the user (uid).
    Stdio {
        fds: [Option<Slot>; 3],
        owner: u32,
    },
    ControllingTerminal,
    /// Close what is ours and not the program's: from this number on everything but our own descriptors.
    CloseForeign(u32),
    /// Close everything from this number on but what is needed to wait: a path below `/proc/self/fd` leads nowhere.
    CloseAll(u32, Wait),
    /// Go on in a new process of the joined pid namespace, a sibling; this one ends.
    Enter,
    Umask(Mode),
    Rlimit(Resource, Rlimit, u32),
    /// Write a file below `/proc`: path, text, what for.
    Proc {
        path: CString,
        text: CString,
    },
    /// Make this directory the root: a namespace's own root may be another (one that was made in a chroot).
    EnterRoot(Slot),
    /// Run on these processors only.
    Affinity(rustix::thread::CpuSet),
    Scheduler(sys::schedule::Attributes),
    IoPriority(u32),
    Personality(u64),
    /// Mode with flags, nodes as bits.
    MemoryPolicy {
        mode: u32,
        nodes: Vec<u64>,
    },
    NoNewPrivileges,
    BoundingSet(u64),
    Groups(Vec<rustix::process::Gid>),
    Ids {
        uid: u32,
        gid: u32,
    },
    Capabilities(Sets),
    Seccomp {
        filter: Vec<Instruction>,
        flags: u32,
    },
    /// The first try is as root and may be refused; the second is as the user.
    Chdir {
        path: CString,
        last: bool,
    },
    Find,
    /// Tell the parent that all is done; a container then waits for its start.
    Ready(Wait),
    /// Become PID 1's caretaker; the program is executed in a child.
    Reaper,
}

/// What a process that is ready waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    Nothing,
    /// A byte from the parent; its end is ours.
    Parent,
    /// A byte in a FIFO, open for both directions: the parent may end meanwhile.
    Fifo(Slot),
}

/// A mount to be made in the container.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) what: What,
    /// As its error names it: the host's path, or the type.
    pub(crate) source: String,
    /// Below the container's root.
    pub(crate) target: CString,
    /// The target is a file (a directory otherwise).
    pub(crate) file: bool,
    /// No symbolic link may be on the way (proc, sysfs).
    pub(crate) ordinary: bool,
    /// The target may be inside a procfs.
    pub(crate) in_proc: bool,
    /// Take the mode of the directory covered (tmpfs).
    pub(crate) keep_mode: bool,
}

/// Where a mount comes from.
#[derive(Debug)]
pub(crate) enum What {
    /// Made in the container's namespaces: type, its options, `MOUNT_ATTR_…`.
    New { kind: CString, options: Vec<(CString, Option<CString>)>, attributes: u32 },
    /// Made by the parent, detached.
    Tree(Slot),
}

/// A node to be made.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) directory: CString,
    pub(crate) name: CString,
    pub(crate) kind: FileType,
    pub(crate) mode: Mode,
    pub(crate) number: Dev,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Program {
    /// The numbers of its descriptors.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = RawFd> + Clone {
        self.fds.iter().map(AsRawFd::as_raw_fd)
    }

    /// Whether its system calls are filtered at its end.
    pub(crate) fn is_filtered(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Seccomp { .. }))
    }

    /// Whether this step belongs to entering the container under its filter.
    pub(crate) fn is_entering(&self, step: usize) -> bool {
        let (before, rest) = self.steps.split_at(step.min(self.steps.len()));
        matches!(rest.first(), Some(Step::Enter | Step::NewSession | Step::ControllingTerminal | Step::Ready(_)))
            && before.iter().any(|step| matches!(step, Step::Seccomp { .. }))
    }

    /// Has the process move itself into a group of v1; nothing on v2, where it is born in it.
    pub(crate) fn join(&mut self, group: &Cgroup) -> values::Result<()> {
        for (path, door) in group.doors()? {
            let slot = self.keep(door);
            self.steps.push(Step::Group(slot, path));
        }
        Ok(())
    }

    /// Takes a descriptor in.
    pub(crate) fn keep(&mut self, fd: OwnedFd) -> Slot {
        self.fds.push(fd);
        self.fds.len() - 1
    }
}
