//! The new process between clone and exec. Nothing here allocates or locks: it may be the copy of one
//! thread of several, and what another thread held at the clone is held for ever.

mod credentials;
mod mounts;

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags};
use rustix::path::DecInt;
use rustix::process::Uid;
use sys::mount::Attributes;
use sys::path;

use self::credentials::{bounding_set, keyring, set_capabilities, set_ids};
use self::mounts::{check_null, make_directory, private_mounts};
use crate::link::{End, Word};
use crate::program::{Program, Slot, Step, Wait};
use crate::reaper;

/// Runs the program; comes back only on failure, with an exit status.
pub(crate) fn run(program: &Program, link: &End) -> i32 {
    let mut child =
        Child { program, link, procfs: None, empty: None, found: 0, moved: false, old_root: None, root: None };
    for (index, step) in program.steps.iter().enumerate() {
        if let Err(errno) = child.step(step) {
            // When nobody listens any more there is nothing left to do.
            let _ = link.say(Word::Failed { step: index, errno });
            return 1;
        }
    }
    child.exec()
}

struct Child<'a> {
    program: &'a Program,
    link: &'a End,
    /// The container's own procfs, mounted by ourselves.
    procfs: Option<OwnedFd>,
    /// An empty read-only tmpfs, for masks.
    empty: Option<OwnedFd>,
    /// Which candidate is the program.
    found: usize,
    /// The working directory has been reached.
    moved: bool,
    old_root: Option<OwnedFd>,
    /// The root in another mount namespace than the one it was made in.
    root: Option<OwnedFd>,
}

impl Child<'_> {
    fn fd(&self, slot: Slot) -> Result<BorrowedFd<'_>, Errno> {
        self.program.fds.get(slot).map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    fn root(&self) -> Result<BorrowedFd<'_>, Errno> {
        match &self.root {
            Some(root) => Ok(root.as_fd()),
            None => self.fd(self.program.root.ok_or(Errno::BADF)?),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Errno> {
        match step {
            Step::Await => self.link.wait(),
            Step::Group(slot, _) => rustix::io::write(self.fd(*slot)?, b"0").map(drop),
            Step::Meet => self.link.say(Word::Met).and_then(|()| self.link.wait()),
            Step::ResetSignals => sys::signal::reset_all(),
            Step::NotDumpable => rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable),
            Step::Keyring(name) => keyring(name.as_deref()),
            Step::Join(slot, kinds) => sys::namespace::join(self.fd(*slot)?, *kinds),
            Step::EnterRoot(slot) => {
                rustix::process::fchdir(self.fd(*slot)?).and_then(|()| rustix::process::chroot(c"."))
            }
            Step::Unshare(kinds) => sys::namespace::unshare(*kinds),
            Step::TimeOffsets(text) => self.write_proc(c"self/timens_offsets", text.to_bytes()),
            Step::Hostname(name) => rustix::system::sethostname(name.to_bytes()),
            Step::Domainname(name) => rustix::system::setdomainname(name.to_bytes()),
            Step::PrivateMounts => private_mounts(),
            Step::AttachRoot(place) => {
                let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                rustix::mount::move_mount(self.root()?, c"", CWD, place.as_c_str(), flags)
            }
            Step::Mount(mount) => self.mount(mount),
            Step::Symlink { path, target } => self.symlink(path, target),
            Step::Device(device) => self.device(device),
            Step::Console { devpts, number } => self.console(*devpts, number),
            Step::Sysctl { path, value } => self.write_proc(path, value.to_bytes()),
            Step::ReadOnly(path) => self.read_only(path),
            Step::Mask(path) => self.mask(path),
            Step::Remount { path, change } => {
                let place = path::open_in_root(self.root()?, path.as_c_str(), OFlags::PATH)?;
                sys::mount::set_attributes(place.as_fd(), c"", false, change)
            }
            Step::Reconfigure { path, options } => self.reconfigure(path, options),
            Step::Label { path, label } => self.label(path, label),
            Step::RootReadOnly => {
                let change = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
                sys::mount::set_attributes(self.root()?, c"", false, &change)
            }
            Step::Pivot => self.pivot(),
            Step::LeaveMounts(slot) => self.leave_mounts(*slot),
            Step::RootPropagation(propagation, below) => {
                let change = Attributes { propagation: Some(*propagation), ..Attributes::default() };
                sys::mount::set_attributes(CWD, c"/", *below, &change)
            }
            Step::MakeDirectory(path) => make_directory(path),
            other => self.process_step(other),
        }
    }

    /// What containers and execs share.
    fn process_step(&mut self, step: &Step) -> Result<(), Errno> {
        match step {
            Step::Stdio { fds, owner } => self.stdio(fds, *owner),
            Step::ControllingTerminal => sys::tty::control(rustix::stdio::stdin()),
            Step::CloseForeign(first) => {
                sys::fd::close_all_but(*first, self.program.numbers().chain([self.link.as_raw_fd()]))
            }
            Step::CloseAll(first, wait) => self.close_all(*first, *wait),
            Step::Enter => self.enter(),
            Step::NewSession => rustix::process::setsid().map(drop),
            Step::Umask(mask) => {
                rustix::process::umask(*mask);
                Ok(())
            }
            Step::Rlimit(resource, limit, _) => rustix::process::setrlimit(*resource, *limit),
            Step::Proc { path, text } => self.write_proc(path, text.to_bytes()),
            Step::Affinity(processors) => rustix::thread::sched_setaffinity(None, processors),
            Step::Scheduler(attributes) => sys::schedule::set(attributes),
            Step::IoPriority(value) => sys::schedule::set_io_priority(*value),
            Step::Personality(value) => sys::schedule::set_personality(*value),
            Step::MemoryPolicy { mode, nodes } => sys::memory::set_policy(*mode, nodes),
            Step::NoNewPrivileges => rustix::thread::set_no_new_privs(true),
            Step::BoundingSet(keep) => bounding_set(*keep),
            Step::Groups(groups) => rustix::thread::set_thread_groups(groups),
            Step::Ids { uid, gid } => set_ids(*uid, *gid),
            Step::Capabilities(sets) => set_capabilities(sets),
            Step::Seccomp { filter, flags } => match sys::seccomp::install(filter, *flags)? {
                None => Ok(()),
                // Whoever will answer has it before anything is asked of him but this.
                Some(listener) => {
                    self.link.say(Word::Listening { fd: listener.as_raw_fd() }).and_then(|()| self.link.wait())
                }
            },
            Step::Chdir { path, last } => self.chdir(path, *last),
            Step::Find => self.find(),
            Step::Ready(wait) => {
                self.link.say(Word::Ready)?;
                self.wait(*wait)
            }
            Step::Reaper => reaper::run(|| self.exec_below_init()),
            _ => Err(Errno::NOSYS),
        }
    }

    fn wait(&self, what: Wait) -> Result<(), Errno> {
        match what {
            Wait::Nothing => Ok(()),
            Wait::Parent => self.link.wait(),
            Wait::Fifo(slot) => {
                let fifo = self.fd(slot)?;
                let mut byte = [0u8; 1];
                loop {
                    match rustix::io::read(fifo, &mut byte) {
                        Err(Errno::INTR) => {}
                        other => return other.map(drop),
                    }
                }
            }
        }
    }

    /// What is open is a way out of the root: `/proc/self/fd/N/..` as working directory or as a program (CVE-2024-21626).
    fn close_all(&mut self, first: u32, wait: Wait) -> Result<(), Errno> {
        (self.procfs, self.empty, self.old_root, self.root) = (None, None, None, None);
        let fifo = match wait {
            Wait::Fifo(slot) => Some(self.fd(slot)?.as_raw_fd()),
            Wait::Nothing | Wait::Parent => None,
        };
        sys::fd::close_all_but(first, fifo.into_iter().chain([self.link.as_raw_fd()]))
    }

    /// The keeper is told who goes on, and lets him when it has hold of him: should we end in between, so does he.
    fn enter(&self) -> Result<(), Errno> {
        match sys::clone::fork_sibling()? {
            0 => self.link.wait(),
            pid => {
                let told = self.link.say(Word::Entered { pid });
                sys::clone::exit(i32::from(told.is_err()))
            }
        }
    }

    /// Executes the program; says why not on standard error, as runc does once a container is started.
    fn exec(&self) -> i32 {
        let command = &self.program.command;
        let Some(path) = command.candidates.get(self.found) else { return 255 };
        let errno = sys::program::execve(path, &command.args, &command.env);
        for part in [b"exec ", path.to_bytes(), b": ", reason(errno).as_bytes(), b"\n"] {
            let _ = rustix::io::write(rustix::stdio::stderr(), part);
        }
        255
    }

    /// As [`Child::exec`], but the container runs already: a missing program is its end, in the words and with the exit
    /// codes of Docker's init.
    fn exec_below_init(&mut self) -> i32 {
        let command = &self.program.command;
        let errno = match self.find() {
            Ok(()) => sys::program::execve(&command.candidates[self.found], &command.args, &command.env),
            Err(Errno::ISDIR) => Errno::ACCESS,
            Err(errno) => errno,
        };
        let (pid, reason) = (DecInt::new(rustix::process::getpid().as_raw_nonzero().get()), reason(errno).as_bytes());
        let first = [reason[0].to_ascii_uppercase()];
        let name = command.name.as_bytes();
        for part in [b"[FATAL tini (", pid.as_bytes(), b")] exec ", name, b" failed: ", &first, &reason[1..], b"\n"] {
            let _ = rustix::io::write(rustix::stdio::stderr(), part);
        }
        match errno {
            Errno::NOENT => 127,
            Errno::ACCESS => 126,
            _ => 1,
        }
    }

    /// Writes below the container's procfs, or a private one of the same namespaces.
    fn write_proc(&mut self, path: &CStr, text: &[u8]) -> Result<(), Errno> {
        if let Some(procfs) = &self.procfs {
            return sys::procfs::write_below(procfs, path, text);
        }
        sys::procfs::Procfs::private()?.write(path, text)
    }

    fn stdio(&self, fds: &[Option<Slot>; 3], owner: u32) -> Result<(), Errno> {
        let null;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fallback = if fds.iter().any(Option::is_none) {
            null = match self.program.root {
                Some(_) => path::open_in_root(self.root()?, c"/dev/null", flags)?,
                None => rustix::fs::open(c"/dev/null", flags, Mode::empty())?,
            };
            check_null(&null)?;
            Some(null.as_fd())
        } else {
            None
        };
        let pick = |slot: Option<Slot>| match slot {
            Some(slot) => self.fd(slot),
            None => fallback.ok_or(Errno::BADF),
        };
        rustix::stdio::dup2_stdin(pick(fds[0])?)?;
        rustix::stdio::dup2_stdout(pick(fds[1])?)?;
        rustix::stdio::dup2_stderr(pick(fds[2])?)?;
        for (slot, fd) in fds.iter().zip([rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()]) {
            // The user must be able to open /dev/stdout again. Not everything has an owner to change.
            if slot.is_some() && check_null(fd).is_err() {
                let _ = rustix::fs::fchown(fd, Some(Uid::from_raw(owner)), None);
            }
        }
        Ok(())
    }

    fn chdir(&mut self, path: &CStr, last: bool) -> Result<(), Errno> {
        if self.moved {
            return Ok(());
        }
        match rustix::process::chdir(path) {
            Err(Errno::PERM | Errno::ACCESS) if !last => return Ok(()),
            other => other?,
        }
        self.moved = true;
        // Outside of our root (by way of some descriptor's magic link) the kernel says "(unreachable)…".
        let mut buffer = [0u8; 4096];
        sys::path::working_directory_is_reachable(&mut buffer)
    }

    fn find(&mut self) -> Result<(), Errno> {
        let only = self.program.command.name.contains('/');
        for (index, path) in self.program.command.candidates.iter().enumerate() {
            match executable(path) {
                Ok(()) => {
                    self.found = index;
                    return Ok(());
                }
                Err(errno) if only => return Err(errno),
                Err(_) => {}
            }
        }
        Err(Errno::NOENT)
    }
}

fn executable(path: &CStr) -> Result<(), Errno> {
    let stat = rustix::fs::stat(path)?;
    if FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(Errno::ISDIR);
    }
    rustix::fs::accessat(CWD, path, rustix::fs::Access::EXEC_OK, AtFlags::EACCESS)
}

/// Why a program was not executed, in the words of the C library, without allocating.
fn reason(errno: Errno) -> &'static str {
    match errno {
        Errno::NOENT => "no such file or directory",
        Errno::NOEXEC => "exec format error",
        Errno::ACCESS => "permission denied",
        Errno::PERM => "operation not permitted",
        Errno::TOOBIG => "argument list too long",
        Errno::NOMEM => "cannot allocate memory",
        Errno::LOOP => "too many levels of symbolic links",
        Errno::LIBBAD => "accessing a corrupted shared library",
        Errno::TXTBSY => "text file busy",
        Errno::NOTDIR => "not a directory",
        Errno::INVAL => "invalid argument",
        Errno::AGAIN => "resource temporarily unavailable",
        _ => "input/output error",
    }
}
