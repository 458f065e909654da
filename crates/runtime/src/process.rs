//! What a process is: shared by containers and execs.

use std::ffi::CString;

use oci::runtime::{Process, Rlimit as OciRlimit};
use rustix::fs::Mode;
use rustix::process::{Gid, Resource, Rlimit};
use sys::program::Strings;

use crate::capability::Sets;
use crate::program::{Command, Slot, Step, Wait};
use crate::user::Identity;
use crate::{SeccompProgram, StartError, StartErrorKind};

/// How the steps end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) wait: Wait,
    /// Stay as PID 1; find and execute the program in a child.
    pub(crate) init: bool,
    /// How many descriptors from 3 on the program inherits.
    pub(crate) preserve: u32,
    /// In a user namespace: what only root outside may do is left to [`limit_from_outside`].
    pub(crate) mapped: bool,
    /// Where the process goes on in the pid namespace it joined; None: it was born there.
    pub(crate) enter: Option<Enter>,
}

/// When a process that joins a container becomes visible in there. Until then nobody inside can trace it or look through its
/// `/proc/PID/root`, whatever capabilities he has (CVE-2016-9962).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enter {
    /// With nothing left that the container's own processes lack.
    Last,
    /// Before its system calls are filtered: for profiles that forbid the calls by which it enters.
    Unfiltered,
}

/// A string for the kernel.
pub(crate) fn c_string(text: &str) -> Result<CString, StartError> {
    CString::new(text).map_err(|_| StartError::other(format!("{text:?} contains a NUL byte")))
}

/// Arguments, environment and where the program may be. `home` is for an environment without HOME.
pub(crate) fn command(process: &Process, home: &str) -> Result<Command, StartError> {
    let Some(name) = process.args.first().cloned() else {
        return Err(StartError::other("no command specified: process.args must not be empty"));
    };
    if name.is_empty() {
        // as execvp(3): there is no such program
        let message = "exec: \"\": executable file not found in $PATH".to_owned();
        return Err(StartError { kind: StartErrorKind::NotFound, message });
    }
    let env = environment(&process.env, home);
    let path = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default();
    let candidates = if name.contains('/') {
        vec![c_string(&name)?]
    } else {
        path.split(':')
            .filter(|directory| directory.starts_with('/'))
            .map(|directory| c_string(&format!("{}/{name}", directory.trim_end_matches('/'))))
            .collect::<Result<_, _>>()?
    };
    let nul = |_| StartError::other("an argument or environment variable contains a NUL byte");
    let args = Strings::new(process.args.iter().map(String::as_str)).map_err(nul)?;
    let env = Strings::new(env).map_err(nul)?;
    Ok(Command { name, candidates, args, env })
}

/// Each variable once, its last value counting; HOME added.
pub(crate) fn environment(given: &[String], home: &str) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut env: Vec<String> = Vec::with_capacity(given.len() + 1);
    for entry in given {
        let wanted = name(entry);
        match env.iter_mut().find(|known| name(known) == wanted) {
            Some(known) => known.clone_from(entry),
            None => env.push(entry.clone()),
        }
    }
    if !env.iter().any(|entry| entry.starts_with("HOME=") && entry.len() > 5) {
        env.retain(|entry| name(entry) != "HOME");
        env.push(format!("HOME={home}"));
    }
    env
}

/// The steps from standard streams to the program. `stdio` are the slots of 0, 1, 2.
pub(crate) fn steps(
    process: &Process,
    identity: &Identity,
    seccomp: Option<&SeccompProgram>,
    stdio: [Option<Slot>; 3],
    end: End,
) -> Result<Vec<Step>, StartError> {
    let mut steps = vec![Step::Stdio { fds: stdio, owner: identity.uid }];
    let mut enter = Vec::new();
    if end.enter.is_some() {
        enter.extend([Step::Enter, Step::NewSession]);
    }
    if process.terminal {
        enter.push(Step::ControllingTerminal);
    }
    if end.enter.is_none() {
        steps.append(&mut enter);
    }
    limits(process, end.mapped, &mut steps)?;
    if end.enter.is_none() {
        steps.extend(labels(process)?);
    }
    steps.push(Step::Umask(Mode::from_raw_mode(process.user.umask.unwrap_or(0o022))));
    let filter = seccomp.map(|program| Step::Seccomp { filter: program.instructions(), flags: program.flags() });
    let (early, late) = if process.no_new_privileges { (None, filter) } else { (filter, None) };
    if process.no_new_privileges {
        steps.push(Step::NoNewPrivileges);
    }
    let cwd = if process.cwd.is_empty() { "/" } else { &process.cwd };
    if !cwd.starts_with('/') {
        return Err(StartError::other(format!("cwd {cwd:?} must be an absolute path")));
    }
    let capabilities = capabilities(process, identity)?;
    steps.push(Step::CloseAll(3 + end.preserve, end.wait));
    steps.push(Step::Chdir { path: c_string(cwd)?, last: false });
    steps.push(Step::BoundingSet(capabilities.bounding));
    steps.push(Step::Groups(identity.additional_gids.iter().map(|gid| Gid::from_raw(*gid)).collect()));
    steps.push(Step::Ids { uid: identity.uid, gid: identity.gid });
    steps.push(Step::Chdir { path: c_string(cwd)?, last: true });
    if early.is_some() && end.enter == Some(Enter::Unfiltered) {
        steps.append(&mut enter);
    }
    steps.extend(early);
    steps.push(Step::Capabilities(capabilities));
    if !end.init {
        steps.push(Step::Find);
    }
    steps.append(&mut enter);
    steps.extend(late);
    steps.push(Step::Ready(end.wait));
    if end.init {
        steps.push(Step::Reaper);
    }
    Ok(steps)
}

fn capabilities(process: &Process, identity: &Identity) -> Result<Sets, StartError> {
    let possible = crate::capability::possible()?;
    let mut sets = Sets::new(&process.capabilities.clone().unwrap_or_default(), possible)?;
    if identity.by_name && identity.uid != 0 {
        // Docker gives them to root only; others keep the bounding set, for programs with file capabilities.
        sets.effective = sets.ambient;
        sets.permitted = sets.ambient;
    }
    Ok(sets)
}

fn limits(process: &Process, mapped: bool, steps: &mut Vec<Step>) -> Result<(), StartError> {
    if let Some(scheduler) = &process.scheduler {
        steps.push(Step::Scheduler(crate::schedule::attributes(scheduler)?));
    }
    if let Some(priority) = &process.io_priority {
        steps.push(Step::IoPriority(crate::schedule::io_priority(priority)?));
    }
    if mapped {
        return Ok(());
    }
    if let Some(value) = process.oom_score_adj
        && Some(value) != own_oom_score_adj()
    {
        steps.push(Step::Proc { path: c"self/oom_score_adj".to_owned(), text: c_string(&value.to_string())? });
    }
    let limits = &process.rlimits;
    if let Some(twice) = limits.iter().enumerate().find(|(at, one)| limits[..*at].iter().any(|b| b.kind == one.kind)) {
        return Err(StartError::other(format!("rlimit {} is there more than once", twice.1.kind)));
    }
    for limit in limits {
        let (resource, value, number) = rlimit(limit)?;
        steps.push(Step::Rlimit(resource, value, number));
    }
    Ok(())
}

/// Sets a waiting process' limits and its chance of being killed for want of memory.
pub(crate) fn limit_from_outside(pid: i32, process: &Process) -> Result<(), StartError> {
    let target = rustix::process::Pid::from_raw(pid);
    for limit in &process.rlimits {
        let (resource, value, number) = rlimit(limit)?;
        rustix::process::prlimit(target, resource, value).map_err(|errno| {
            let why = crate::failure::text(errno);
            StartError::other(format!(
                "error setting rlimits for ready process: error setting rlimit type {number}: {why}"
            ))
        })?;
    }
    if let Some(value) = process.oom_score_adj.filter(|value| Some(*value) != own_oom_score_adj()) {
        let path = format!("/proc/{pid}/oom_score_adj");
        std::fs::write(&path, value.to_string())
            .map_err(|error| StartError::other(format!("write {path}: {}", values::system_words(&error))))?;
    }
    Ok(())
}

/// What the new process inherits.
fn own_oom_score_adj() -> Option<i32> {
    std::fs::read_to_string("/proc/self/oom_score_adj").ok()?.trim().parse().ok()
}

/// What the security modules are told: it counts at the next `execve`, across forks and changes of namespaces. Who enters a user
/// namespace has no procfs there in which to say it, and says it before.
pub(crate) fn labels(process: &Process) -> Result<Vec<Step>, StartError> {
    let mut steps = Vec::new();
    if !process.apparmor_profile.is_empty() && process.apparmor_profile != "unconfined" {
        if !std::path::Path::new("/proc/self/attr/apparmor/exec").exists() {
            return Err(StartError::other("apparmor is not enabled: cannot use a profile"));
        }
        let text = c_string(&format!("exec {}", process.apparmor_profile))?;
        steps.push(Step::Proc { path: c"self/attr/apparmor/exec".to_owned(), text });
    }
    if !process.selinux_label.is_empty() {
        selinux_or_error()?;
        steps.push(Step::Proc { path: c"self/attr/exec".to_owned(), text: c_string(&process.selinux_label)? });
    }
    Ok(steps)
}

/// A label means nothing to a kernel without SELinux, in runc's words.
pub(crate) fn selinux_or_error() -> Result<(), StartError> {
    if std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(());
    }
    Err(StartError::other("selinux label is specified in config, but selinux is disabled or not supported"))
}

/// A session keyring of this name (None: without one), which processes of the label may use.
pub(crate) fn keyring(process: &Process, name: Option<CString>) -> Result<Vec<Step>, StartError> {
    let mut steps = Vec::new();
    if !process.selinux_label.is_empty() {
        let path = c"self/attr/keycreate".to_owned();
        steps.push(Step::Proc { path, text: c_string(&process.selinux_label)? });
    }
    steps.push(Step::Keyring(name));
    Ok(steps)
}

fn rlimit(limit: &OciRlimit) -> Result<(Resource, Rlimit, u32), StartError> {
    const NAMES: [(&str, Resource); 16] = [
        ("RLIMIT_CPU", Resource::Cpu),
        ("RLIMIT_FSIZE", Resource::Fsize),
        ("RLIMIT_DATA", Resource::Data),
        ("RLIMIT_STACK", Resource::Stack),
        ("RLIMIT_CORE", Resource::Core),
        ("RLIMIT_RSS", Resource::Rss),
        ("RLIMIT_NPROC", Resource::Nproc),
        ("RLIMIT_NOFILE", Resource::Nofile),
        ("RLIMIT_MEMLOCK", Resource::Memlock),
        ("RLIMIT_AS", Resource::As),
        ("RLIMIT_LOCKS", Resource::Locks),
        ("RLIMIT_SIGPENDING", Resource::Sigpending),
        ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
        ("RLIMIT_NICE", Resource::Nice),
        ("RLIMIT_RTPRIO", Resource::Rtprio),
        ("RLIMIT_RTTIME", Resource::Rttime),
    ];
    let found = NAMES.iter().position(|(name, _)| *name == limit.kind);
    let Some(number) = found else {
        return Err(StartError::other(format!("invalid rlimit type {:?}", limit.kind)));
    };
    let bound = |value: u64| (value != u64::MAX).then_some(value);
    let value = Rlimit { current: bound(limit.soft), maximum: bound(limit.hard) };
    Ok((NAMES[number].1, value, number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_env(given: &[&str], expected: &[&str]) {
        let given: Vec<String> = given.iter().map(|entry| (*entry).to_owned()).collect();
        assert_eq!(environment(&given, "/home/x"), expected);
    }

    #[test]
    fn environments() {
        check_env(&[], &["HOME=/home/x"]);
        check_env(&["A=1", "B=2", "A=3"], &["A=3", "B=2", "HOME=/home/x"]);
        check_env(&["HOME=/y"], &["HOME=/y"]);
        check_env(&["HOME=", "A=1"], &["A=1", "HOME=/home/x"]);
    }

    #[test]
    fn candidates() {
        let process = |name: &str| Process {
            args: vec![name.to_owned()],
            env: vec!["PATH=/bin:/usr/bin/::rel".to_owned()],
            ..Process::default()
        };
        let found = |name: &str| {
            let command = command(&process(name), "/").unwrap();
            command.candidates.into_iter().map(|path| path.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(found("ls"), ["/bin/ls", "/usr/bin/ls"]);
        assert_eq!(found("./ls"), ["./ls"]);
        assert!(command(&process(""), "/").is_err());
    }
}
