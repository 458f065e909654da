//! `kill`, `delete`, `pause` and `resume`.

use std::time::Duration;

use cgroup::Cgroup;
use rustix::event::{PollFd, PollFlags, Timespec};
use values::Signal;

use super::arguments::{Arguments, Flag};
use super::bundle::{Home, Record};
use super::{Failure, Global, Outcome};
use crate::hooks::{Place, run_each};

pub(super) const KILL_FLAGS: &[Flag] = &[Flag::switch("all", "a")];
pub(super) const DELETE_FLAGS: &[Flag] = &[Flag::switch("force", "f")];

/// How long the kernel may take to freeze a container.
const FREEZE: Duration = Duration::from_secs(10);
/// How long a killed process may take to end.
const END: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

pub(super) fn kill(global: &Global, arguments: &Arguments) -> Outcome {
    let home = Home::of(global, arguments.id()?);
    let record = home.read()?;
    let name = arguments.rest.get(1).map_or("SIGTERM", String::as_str);
    let signal: Signal = name.parse().map_err(|_| format!("unknown signal {name:?}"))?;
    if arguments.has("all") {
        // Its first process may have ended already.
        let Ok(group) = Cgroup::open(&record.cgroup) else { return Ok(0) };
        for pid in group.pids().map_err(|error| error.message)? {
            send(pid, signal.number())?;
        }
        return Ok(0);
    }
    if record.status(&home) == "stopped" {
        return Err("container not running".to_owned());
    }
    let running = record.open()?;
    sys::signal::send(&running.pidfd, signal.number()).map_err(|errno| format!("signal the container: {errno}"))?;
    Ok(0)
}

fn send(pid: i32, signal: i32) -> Result<(), Failure> {
    match sys::signal::kill(pid, signal) {
        Ok(()) | Err(sys::Errno::SRCH) => Ok(()),
        Err(errno) => Err(format!("signal process {pid}: {errno}")),
    }
}

pub(super) fn delete(global: &Global, arguments: &Arguments) -> Outcome {
    let id = arguments.id()?;
    let (home, force) = (Home::of(global, id), arguments.has("force"));
    let record = match home.read() {
        Ok(record) => record,
        Err(_) if force => {
            home.remove();
            return Ok(0);
        }
        Err(failure) => return Err(failure),
    };
    match record.status(&home) {
        "stopped" => {}
        _ if force => {}
        status => return Err(format!("cannot delete container {id} that is not stopped: {status}")),
    }
    destroy(global, &home, &record, true)?;
    Ok(0)
}

/// Ends what is left of it and removes all of it.
pub(super) fn destroy(global: &Global, home: &Home, record: &Record, kill: bool) -> Result<(), Failure> {
    if kill && record.status(home) != "stopped" {
        end(record)?;
    }
    if let Ok(group) = Cgroup::open(&record.cgroup) {
        // Without a pid namespace of its own others may have outlived the first.
        let _ = group.kill_all();
        group.remove().map_err(|error| error.message)?;
    }
    record.resctrl.remove();
    let state = record.state(home);
    home.remove();
    // A failure is a warning, and the container is gone.
    for failure in run_each(&record.hooks.poststop, &state, Place::Host) {
        global.log.warn(&failure);
    }
    Ok(())
}

fn end(record: &Record) -> Result<(), Failure> {
    let Ok(running) = record.open() else { return Ok(()) };
    if let Ok(group) = Cgroup::open(&record.cgroup) {
        let _ = group.thaw();
    }
    let _ = sys::signal::send(&running.pidfd, libc::SIGKILL);
    let mut fds = [PollFd::new(&running.pidfd, PollFlags::IN)];
    match rustix::event::poll(&mut fds, Some(&END)) {
        Ok(0) => Err(format!("process {} does not end", record.pid)),
        _ => Ok(()),
    }
}

pub(super) fn pause(global: &Global, arguments: &Arguments) -> Outcome {
    let home = Home::of(global, arguments.id()?);
    let record = home.read()?;
    match record.status(&home) {
        "running" | "created" => {}
        status => return Err(format!("container not running or created: {status}")),
    }
    group(&record)?.freeze(FREEZE).map_err(|error| error.message)?;
    Ok(0)
}

pub(super) fn resume(global: &Global, arguments: &Arguments) -> Outcome {
    let home = Home::of(global, arguments.id()?);
    let record = home.read()?;
    if record.status(&home) != "paused" {
        return Err("container not paused".to_owned());
    }
    group(&record)?.thaw().map_err(|error| error.message)?;
    Ok(0)
}

fn group(record: &Record) -> Result<Cgroup, Failure> {
    Cgroup::open(&record.cgroup).map_err(|error| error.message)
}
