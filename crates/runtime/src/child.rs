//! The new process between clone and exec. Nothing here allocates or locks: it may be the copy of one
//! thread of several, and what another thread held at the clone is held for ever.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use sys::mount::{Attributes, Propagation};
use sys::path;

use crate::link::{End, Word};
use crate::program::{Device, Mount, Program, Slot, Step, Wait, What};
use crate::{capability::Sets, reaper};

/// Major and minor number of /dev/null.
const NULL: (u32, u32) = (1, 3);

/// Runs the program; comes back only on failure, with an exit status.
pub(crate) fn run(program: &Program, link: &End) -> i32 {
    let mut child = Child { program, link, procfs: None, empty: None, found: 0, moved: false, old_root: None };
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
}

impl Child<'_> {
    fn fd(&self, slot: Slot) -> Result<BorrowedFd<'_>, Errno> {
        self.program.fds.get(slot).map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    fn root(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.fd(self.program.root.ok_or(Errno::BADF)?)
    }

    fn step(&mut self, step: &Step) -> Result<(), Errno> {
        match step {
            Step::Await => self.link.wait(),
            Step::Meet => self.link.say(Word::Met).and_then(|()| self.link.wait()),
            Step::NewSession => rustix::process::setsid().map(drop),
            Step::ResetSignals => sys::signal::reset_all(),
            Step::NotDumpable => rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable),
            Step::Keyring(name) => keyring(name.as_deref()),
            Step::Join(slot, kinds) => sys::namespace::join(self.fd(*slot)?, *kinds),
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
            Step::RootReadOnly => {
                let change = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
                sys::mount::set_attributes(self.root()?, c"", false, &change)
            }
            Step::Pivot => self.pivot(),
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
            Step::CloseAtExec(first) => sys::fd::close_at_exec_from(*first),
            Step::Umask(mask) => {
                rustix::process::umask(*mask);
                Ok(())
            }
            Step::Rlimit(resource, limit, _) => rustix::process::setrlimit(*resource, *limit),
            Step::Proc { path, text } => self.write_proc(path, text.to_bytes()),
            Step::Scheduler(attributes) => sys::schedule::set(attributes),
            Step::IoPriority(value) => sys::schedule::set_io_priority(*value),
            Step::Personality(value) => sys::schedule::set_personality(*value),
            Step::NoNewPrivileges => rustix::thread::set_no_new_privs(true),
            Step::BoundingSet(keep) => bounding_set(*keep),
            Step::Groups(groups) => rustix::thread::set_thread_groups(groups),
            Step::Ids { uid, gid } => set_ids(*uid, *gid),
            Step::Capabilities(sets) => set_capabilities(sets),
            Step::Seccomp { filter, flags } => sys::seccomp::install(filter, *flags).map(drop),
            Step::Chdir { path, last } => self.chdir(path, *last),
            Step::Find => self.find(),
            Step::Ready(wait) => {
                self.link.say(Word::Ready)?;
                self.wait(*wait)
            }
            Step::Reaper => reaper::run(|| self.exec()),
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

    fn mount(&mut self, mount: &Mount) -> Result<(), Errno> {
        let target = self.target(mount)?;
        let made;
        let tree = match &mount.what {
            What::Tree(slot) => self.fd(*slot)?,
            What::New { kind, options, attributes } => {
                made = new_mount(kind, options, *attributes)?;
                if mount.keep_mode
                    && let Some(mode) = target.1
                {
                    rustix::fs::fchmod(reopen(&made)?, mode)?;
                }
                made.as_fd()
            }
        };
        move_to(tree, target.0.as_fd())?;
        if let What::New { kind, .. } = &mount.what
            && kind.as_c_str() == c"proc"
        {
            self.procfs = Some(rustix::io::fcntl_dupfd_cloexec(tree, 3)?);
        }
        Ok(())
    }

    /// Where a mount goes, made if missing; and the mode of what was there before.
    fn target(&self, mount: &Mount) -> Result<(OwnedFd, Option<Mode>), Errno> {
        let (root, path) = (self.root()?, mount.target.as_c_str());
        let open = |path: &CStr| {
            if mount.ordinary {
                path::open_no_links(root, path, OFlags::PATH)
            } else {
                path::open_in_root(root, path, OFlags::PATH)
            }
        };
        let (place, existed) = match open(path) {
            Err(Errno::NOENT) if mount.file => {
                (path::create_file_in_root(root, path, Mode::from_raw_mode(0o644))?, false)
            }
            Err(Errno::NOENT) => {
                let place = path::mkdir_all_in_root(root, path, Mode::from_raw_mode(0o755))?;
                // What was made has no link at its end, but may have one on the way.
                (if mount.ordinary { open(path)? } else { place }, false)
            }
            other => (other?, true),
        };
        let stat = rustix::fs::fstat(&place)?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() == mount.file {
            return Err(if mount.file { Errno::ISDIR } else { Errno::NOTDIR });
        }
        if !mount.in_proc && sys::procfs::is_procfs(&place).is_ok() {
            return Err(Errno::PERM);
        }
        Ok((place, existed.then(|| Mode::from_raw_mode(stat.st_mode & 0o7777))))
    }

    fn symlink(&self, path: &CStr, target: &CStr) -> Result<(), Errno> {
        let root = self.root()?;
        let (directory, name) = split(path);
        let directory =
            with_c_str(directory, |directory| path::mkdir_all_in_root(root, directory, Mode::from_raw_mode(0o755)))?;
        match rustix::fs::symlinkat(target, &directory, name) {
            // What is there already is the image's choice.
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
    }

    fn device(&self, device: &Device) -> Result<(), Errno> {
        let directory = path::mkdir_all_in_root(self.root()?, device.directory.as_c_str(), Mode::from_raw_mode(0o755))?;
        let name = device.name.as_c_str();
        match rustix::fs::mknodat(&directory, name, device.kind, device.mode, device.number) {
            Err(Errno::EXIST) => return same_device(&directory, device),
            other => other?,
        }
        let node = path::open_no_links(&directory, name, OFlags::PATH)?;
        rustix::fs::chownat(
            &node,
            c"",
            Some(Uid::from_raw(device.uid)),
            Some(Gid::from_raw(device.gid)),
            AtFlags::EMPTY_PATH,
        )
    }

    fn console(&self, devpts: Slot, number: &CStr) -> Result<(), Errno> {
        let slave = clone_tree(self.fd(devpts)?, number, false)?;
        let place = path::create_file_in_root(self.root()?, c"/dev/console", Mode::from_raw_mode(0o644))?;
        move_to(slave.as_fd(), place.as_fd())
    }

    /// Writes below the container's procfs, or a private one of the same namespaces.
    fn write_proc(&mut self, path: &CStr, text: &[u8]) -> Result<(), Errno> {
        if let Some(procfs) = &self.procfs {
            return sys::procfs::write_below(procfs, path, text);
        }
        sys::procfs::Procfs::private()?.write(path, text)
    }

    fn read_only(&self, path: &CStr) -> Result<(), Errno> {
        let place = match path::open_in_root(self.root()?, path, OFlags::PATH) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let tree = clone_tree(place.as_fd(), c"", true)?;
        let change = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
        sys::mount::set_attributes(tree.as_fd(), c"", true, &change)?;
        move_to(tree.as_fd(), place.as_fd())
    }

    fn mask(&mut self, path: &CStr) -> Result<(), Errno> {
        let place = match path::open_in_root(self.root()?, path, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            other => other?,
        };
        if !FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode).is_dir() {
            let null = clone_tree(self.null()?.as_fd(), c"", false)?;
            return move_to(null.as_fd(), place.as_fd());
        }
        // One empty directory serves all: the first use attaches it, the others are clones.
        if let Some(empty) = &self.empty {
            return move_to(clone_tree(empty.as_fd(), c"", false)?.as_fd(), place.as_fd());
        }
        let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let empty = new_mount(c"tmpfs", &[], attributes.bits())?;
        move_to(empty.as_fd(), place.as_fd())?;
        self.empty = Some(empty);
        Ok(())
    }

    /// The container's /dev/null, checked to be it.
    fn null(&self) -> Result<OwnedFd, Errno> {
        let null = path::open_in_root(self.root()?, c"/dev/null", OFlags::PATH)?;
        check_null(&null)?;
        Ok(null)
    }

    fn pivot(&mut self) -> Result<(), Errno> {
        let old = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::process::fchdir(self.root()?)?;
        rustix::process::pivot_root(c".", c".")?;
        rustix::process::fchdir(&old)?;
        rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")?;
        self.old_root = Some(old);
        Ok(())
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

fn keyring(name: Option<&CStr>) -> Result<(), Errno> {
    match sys::keyring::join_session(name) {
        // A kernel without keyrings; and a full quota must not keep a container from starting: the keyring
        // inherited is the daemon's, which is empty.
        Err(Errno::NOSYS | Errno::DQUOT) => Ok(()),
        other => other,
    }
}

fn private_mounts() -> Result<(), Errno> {
    let change = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
    sys::mount::set_attributes(CWD, c"/", true, &change)
}

fn new_mount(
    kind: &CStr,
    options: &[(std::ffi::CString, Option<std::ffi::CString>)],
    attributes: u32,
) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(&context, key.as_c_str(), value.as_c_str())?,
            None => rustix::mount::fsconfig_set_flag(&context, key.as_c_str())?,
        }
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::from_bits_retain(attributes);
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn clone_tree(dir: BorrowedFd<'_>, path: &CStr, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(dir, path, flags)
}

fn move_to(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, c"", place, c"", flags)
}

/// A descriptor that can be changed, of the directory behind an `O_PATH` one.
fn reopen(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn check_null(fd: impl AsFd) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(fd)?;
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    if FileType::from_raw_mode(stat.st_mode).is_char_device() && number == NULL { Ok(()) } else { Err(Errno::NODEV) }
}

/// A node that exists already must be the one wanted.
fn same_device(directory: &OwnedFd, device: &Device) -> Result<(), Errno> {
    let node = path::open_no_links(directory, device.name.as_c_str(), OFlags::PATH)?;
    let stat = rustix::fs::fstat(&node)?;
    let same = FileType::from_raw_mode(stat.st_mode) == device.kind && stat.st_rdev == device.number;
    if same { Ok(()) } else { Err(Errno::EXIST) }
}

/// After the pivot: a working directory that the image lacks is made.
fn make_directory(path: &CStr) -> Result<(), Errno> {
    let root = rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match path::mkdir_all_in_root(&root, path, Mode::from_raw_mode(0o755)) {
        // chdir says what is wrong with it.
        Ok(_) | Err(Errno::NOTDIR | Errno::ROFS | Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn bounding_set(keep: u64) -> Result<(), Errno> {
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if keep & 1 << bit != 0 {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            // Beyond the last one which the kernel knows.
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}

/// Keeps the permitted capabilities over the change: seccomp still needs one, and the final sets follow.
fn set_ids(uid: u32, gid: u32) -> Result<(), Errno> {
    rustix::thread::set_keep_capabilities(true)?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    let now = rustix::thread::capabilities(None)?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: now.permitted, ..now })
}

fn set_capabilities(sets: &Sets) -> Result<(), Errno> {
    let set = CapabilitySet::from_bits_retain;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: set(sets.effective),
            permitted: set(sets.permitted),
            inheritable: set(sets.inheritable),
        },
    )?;
    rustix::thread::clear_ambient_capability_set()?;
    for bit in (0..64).filter(|bit| sets.ambient & 1 << bit != 0) {
        rustix::thread::configure_capability_in_ambient_set(set(1 << bit), true)?;
    }
    Ok(())
}

/// Directory and name of a path with at least one slash.
fn split(path: &CStr) -> (&[u8], &[u8]) {
    let bytes = path.to_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    (&bytes[..at], &bytes[at + 1..])
}

fn with_c_str<T>(bytes: &[u8], call: impl FnOnce(&CStr) -> Result<T, Errno>) -> Result<T, Errno> {
    rustix::path::Arg::into_with_c_str(bytes, call)
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
