//! Hooks: programs run at the seams of a container's life, with its state on their standard input.
//! <https://github.com/opencontainers/runtime-spec/blob/main/config.md#posix-platform-hooks>

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use oci::runtime::{Hook, State};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{WaitId, WaitIdOptions};
use sys::namespace::Kinds;
use sys::program::Strings;

use crate::create::in_pid_namespace;
use crate::failure::text;
use crate::process::c_string;
use crate::{Launch, StartError};

/// The namespaces of the container which a hook in it joins by itself; that of its processes comes with the clone.
const INSIDE: Kinds = Kinds::MOUNT
    .union(Kinds::NETWORK)
    .union(Kinds::INTER_PROCESS_COMMUNICATION)
    .union(Kinds::HOST_NAME_AND_NIS_DOMAIN_NAME)
    .union(Kinds::CONTROL_GROUP);

/// Where a hook runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In the runtime's own namespaces.
    Host,
    /// In those of the process behind this pidfd.
    Container(BorrowedFd<'a>),
}

/// The state document for a hook.
pub(crate) fn state(launch: &Launch, bundle: &str, status: &str, pid: i32) -> State {
    State {
        oci_version: oci::runtime::VERSION.to_owned(),
        id: launch.id.clone(),
        status: status.to_owned(),
        pid,
        bundle: bundle.to_owned(),
        annotations: launch.spec.annotations.clone(),
    }
}

/// The number by which a process is known in its own pid namespace (`NSpid` of proc_pid_status(5)): what hooks that run in
/// there are told.
pub(crate) fn number_inside(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    numbers.split_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or(pid)
}

/// Runs them in order; the first failure ends it.
pub(crate) fn run_all(hooks: &[Hook], state: &State, place: Place<'_>) -> Result<(), StartError> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = serde_json::to_vec(state).map_err(|error| StartError::other(error.to_string()))?;
    hooks.iter().enumerate().try_for_each(|(number, hook)| {
        run(hook, &state, place)
            .map_err(|reason| StartError::other(format!("error running hook #{number} ({}): {reason}", hook.path)))
    })
}

/// Runs them all, whatever becomes of each; what failed is for a warning.
pub(crate) fn run_each(hooks: &[Hook], state: &State, place: Place<'_>) -> Vec<String> {
    hooks
        .iter()
        .filter_map(|hook| run_all(std::slice::from_ref(hook), state, place).err())
        .map(|error| error.message)
        .collect()
}

fn run(hook: &Hook, state: &[u8], place: Place<'_>) -> Result<(), String> {
    let failed = |errno: sys::Errno| text(errno);
    if !hook.path.starts_with('/') {
        return Err("its path must be absolute".to_owned());
    }
    if hook.timeout.is_some_and(|seconds| seconds <= 0) {
        return Err("its timeout must be greater than zero".to_owned());
    }
    let path = c_string(&hook.path).map_err(|error| error.message)?;
    let args = if hook.args.is_empty() { std::slice::from_ref(&hook.path) } else { &hook.args[..] };
    let nul = |_| "NUL byte in an argument".to_owned();
    let args = Strings::new(args.iter().map(String::as_str)).map_err(nul)?;
    let env = Strings::new(hook.env.iter().map(String::as_str)).map_err(nul)?;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed)?;
    let root = match place {
        Place::Host => None,
        Place::Container(pidfd) => Some(root_of(pidfd).map_err(failed)?),
    };
    let clone = || {
        sys::clone::spawn(&sys::clone::Clone::default(), || {
            if let Place::Container(pidfd) = place
                && sys::namespace::join(pidfd, INSIDE).is_err()
            {
                return 126;
            }
            if let Some(root) = &root
                && rustix::process::fchdir(root).and_then(|()| rustix::process::chroot(c".")).is_err()
            {
                return 126;
            }
            if rustix::stdio::dup2_stdin(&read).is_err() || sys::signal::reset_all().is_err() {
                return 126;
            }
            let _ = sys::program::execve(&path, &args, &env);
            127
        })
        .map_err(|errno| StartError::other(text(errno)))
    };
    let child = match place {
        Place::Host => clone(),
        Place::Container(pidfd) => in_pid_namespace(pidfd, clone),
    };
    let child = child.map_err(|error| error.message)?;
    drop(read);
    // A hook need not read it.
    let _ = std::fs::File::from(write).write_all(state);
    wait(&child.pidfd, hook.timeout)
}

/// The root directory of a process; the namespace's own may be another.
fn root_of(pidfd: BorrowedFd<'_>) -> sys::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap_or_default();
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap_or_default().trim();
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{pid}/root"), flags, rustix::fs::Mode::empty())
}

fn wait(pidfd: &OwnedFd, timeout: Option<i64>) -> Result<(), String> {
    let until = timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.max(0).cast_unsigned()));
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left
            .map(|left| rustix::event::Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() });
        match rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], left.as_ref()) {
            Ok(0) => {
                let _ = sys::signal::send(pidfd, 9);
                let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
                return Err("timed out".to_owned());
            }
            Ok(_) => break,
            Err(sys::Errno::INTR) => {}
            Err(errno) => return Err(text(errno)),
        }
    }
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).map_err(text)?;
    match status.and_then(|status| status.exit_status()) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("exit status {code}")),
        None => Err("killed by a signal".to_owned()),
    }
}
