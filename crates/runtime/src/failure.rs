//! A failed step in runc's words.

use rustix::io::Errno;

use crate::program::{Command, Mount, Program, Step};
use crate::{StartError, StartErrorKind};

/// The text of an errno as Go prints it: lower case, no number.
pub(crate) fn text(errno: Errno) -> String {
    values::system_words(&errno)
}

impl Program {
    /// The error of step `index`.
    pub(crate) fn failure(&self, index: usize, errno: Errno) -> StartError {
        let reason = text(errno);
        let Some(step) = self.steps.get(index) else {
            return StartError::other(format!("container process failed: {reason}"));
        };
        if let Step::Find = step {
            return not_found(&self.command, errno);
        }
        let advice = match step {
            Step::Mount(_) if errno == Errno::NOTDIR => NOT_THE_SAME,
            _ => "",
        };
        StartError::other(format!("{}: {reason}{advice}", describe(step)))
    }
}

/// runc's words, which people look for.
const NOT_THE_SAME: &str = ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";

fn describe(step: &Step) -> String {
    match step {
        Step::Await | Step::Meet | Step::Ready(_) => "can't talk to the container's keeper".to_owned(),
        Step::Group(_, path) => format!("unable to apply cgroup configuration: write {}", path.display()),
        Step::NewSession => "setsid".to_owned(),
        Step::ResetSignals => "error resetting signals".to_owned(),
        Step::NotDumpable => "error setting undumpable".to_owned(),
        Step::Keyring(_) => "unable to join session keyring: unable to create session key".to_owned(),
        Step::Join(_, kinds) => format!("failed to setns into {} namespace", names(*kinds)),
        Step::Unshare(kinds) => format!("failed to unshare {} namespace", names(*kinds)),
        Step::TimeOffsets(_) => "error setting time offsets".to_owned(),
        Step::Hostname(name) => format!("sethostname {name:?}"),
        Step::Domainname(name) => format!("setdomainname {name:?}"),
        Step::PrivateMounts => "error preparing rootfs: error making the mounts private".to_owned(),
        Step::AttachRoot(_) => "error preparing rootfs: error attaching the root file system".to_owned(),
        Step::Mount(mount) => describe_mount(mount),
        Step::Symlink { path, .. } => format!("failed to create symlink {path:?}"),
        Step::Device(device) => {
            let (directory, name) = (device.directory.to_string_lossy(), device.name.to_string_lossy());
            format!("error creating device nodes: mknod {directory}/{name}")
        }
        Step::Console { .. } => "error mounting the terminal on /dev/console".to_owned(),
        Step::Sysctl { path, .. } => format!("error writing sysctl: open /proc/{}", path.to_string_lossy()),
        Step::ReadOnly(path) => format!("can't make {path:?} read-only"),
        Step::Mask(path) => format!("can't mask path {path:?}"),
        Step::Remount { path, .. } => format!("error changing the mount at {path:?}"),
        Step::Reconfigure { path, .. } => format!("error changing the file system at {path:?}"),
        Step::Label { path, .. } => format!("error labelling the mount at {path:?}"),
        Step::RootReadOnly => "error setting rootfs as readonly".to_owned(),
        Step::Pivot => "error jailing process inside rootfs: pivot_root .".to_owned(),
        Step::LeaveMounts(_) => "failed to setns into mount namespace".to_owned(),
        Step::RootPropagation(..) => "error setting rootfs propagation".to_owned(),
        Step::MakeDirectory(path) => format!("mkdir {}", path.to_string_lossy()),
        Step::Stdio { .. } => "error setting up standard streams".to_owned(),
        Step::ControllingTerminal => "ioctl setctty".to_owned(),
        Step::CloseForeign(_) | Step::CloseAll(..) => "unable to close exec fds".to_owned(),
        Step::Enter => "unable to enter the pid namespace".to_owned(),
        Step::Umask(_) => "umask".to_owned(),
        Step::Rlimit(_, _, number) => {
            format!("error setting rlimits for ready process: error setting rlimit type {number}")
        }
        Step::Proc { path, .. } if path.as_c_str() == c"self/attr/apparmor/exec" => {
            "unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec"
                .to_owned()
        }
        Step::Proc { path, .. } if path.as_c_str() == c"self/attr/exec" => "can't set process label".to_owned(),
        Step::Proc { path, .. } => format!("write /proc/{}", path.to_string_lossy()),
        Step::EnterRoot(_) => "error entering the container's root".to_owned(),
        Step::Affinity(_) => "error setting execCPUAffinity".to_owned(),
        Step::Scheduler(_) => "error setting scheduler".to_owned(),
        Step::IoPriority(_) => "failed to set I/O priority".to_owned(),
        Step::Personality(_) => "error setting personality".to_owned(),
        Step::MemoryPolicy { .. } => "error setting the memory policy".to_owned(),
        Step::NoNewPrivileges => "set no_new_privs".to_owned(),
        Step::BoundingSet(_) => "can't apply bounding set".to_owned(),
        Step::Groups(_) => "setgroups".to_owned(),
        Step::Ids { uid, gid } => format!("error setting uid {uid} and gid {gid}"),
        Step::Capabilities(_) => "can't apply capabilities".to_owned(),
        Step::Seccomp { .. } => "unable to init seccomp: error loading seccomp filter into kernel".to_owned(),
        Step::Chdir { path, .. } => format!("chdir to cwd ({path:?}) set in config.json failed"),
        Step::Find => "exec".to_owned(),
        Step::Reaper => "error starting the init process".to_owned(),
    }
}

fn describe_mount(mount: &Mount) -> String {
    format!("error mounting {:?} to rootfs at {:?}", mount.source, mount.target)
}

fn names(kinds: sys::namespace::Kinds) -> String {
    use sys::namespace::Kinds;
    [
        (Kinds::NETWORK, "network"),
        (Kinds::PROCESS_ID, "pid"),
        (Kinds::INTER_PROCESS_COMMUNICATION, "ipc"),
        (Kinds::HOST_NAME_AND_NIS_DOMAIN_NAME, "uts"),
        (Kinds::MOUNT, "mount"),
        (Kinds::CONTROL_GROUP, "cgroup"),
        (Kinds::USER, "user"),
        (Kinds::TIME, "time"),
    ]
    .iter()
    .filter(|(kind, _)| kinds.contains(*kind))
    .map(|(_, name)| *name)
    .collect::<Vec<_>>()
    .join(", ")
}

/// Go's `exec.LookPath` decides the words, and the client its exit status by them.
fn not_found(command: &Command, errno: Errno) -> StartError {
    let name = &command.name;
    let (kind, reason) = match errno {
        Errno::NOENT if !name.contains('/') => {
            (StartErrorKind::NotFound, "executable file not found in $PATH".to_owned())
        }
        Errno::ACCESS => (StartErrorKind::NotExecutable, text(errno)),
        Errno::ISDIR => (StartErrorKind::NotExecutable, format!("{}: permission denied", text(errno))),
        Errno::NOENT => (StartErrorKind::NotFound, format!("stat {name}: {}", text(errno))),
        _ => (StartErrorKind::NotExecutable, format!("stat {name}: {}", text(errno))),
    };
    StartError { kind, message: format!("exec: {name:?}: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::program::Strings;

    #[test]
    fn words_which_clients_read() {
        for (name, errno, kind, message) in [
            ("foo", Errno::NOENT, StartErrorKind::NotFound, "exec: \"foo\": executable file not found in $PATH"),
            ("/foo", Errno::NOENT, StartErrorKind::NotFound, "exec: \"/foo\": stat /foo: no such file or directory"),
            ("/x", Errno::ACCESS, StartErrorKind::NotExecutable, "exec: \"/x\": permission denied"),
            ("/etc", Errno::ISDIR, StartErrorKind::NotExecutable, "exec: \"/etc\": is a directory: permission denied"),
        ] {
            let none = || Strings::new(Vec::<String>::new()).unwrap();
            let command = Command { name: name.to_owned(), candidates: Vec::new(), args: none(), env: none() };
            let error = not_found(&command, errno);
            assert_eq!((error.kind, error.message.as_str()), (kind, message));
        }
    }
}
