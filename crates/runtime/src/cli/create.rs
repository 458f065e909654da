//! `create`, `start` and `run`.

use std::os::fd::AsFd;

use oci::runtime::State;
use rustix::fs::{Mode, OFlags};

use super::arguments::{Arguments, Flag};
use super::bundle::{Home, Record, load};
use super::{Failure, Global, Outcome, console, manage};
use crate::create::{Extra, create_with};
use crate::hooks::{Place, number_inside, run_all, run_each};
use crate::{Launch, Running, SeccompProgram, StartError, Stdio, capability, seccomp};

pub(super) const FLAGS: &[Flag] = &[
    Flag::text("bundle", "b"),
    Flag::text("console-socket", ""),
    Flag::text("pid-file", ""),
    Flag::text("preserve-fds", ""),
    Flag::switch("no-pivot", ""),
    Flag::switch("no-new-keyring", ""),
];

pub(super) const RUN_FLAGS: &[Flag] = &[
    Flag::text("bundle", "b"),
    Flag::text("console-socket", ""),
    Flag::text("pid-file", ""),
    Flag::text("preserve-fds", ""),
    Flag::switch("no-pivot", ""),
    Flag::switch("no-new-keyring", ""),
    Flag::switch("detach", "d"),
    Flag::switch("keep", ""),
    Flag::switch("no-subreaper", ""),
];

/// Makes a container that waits for `start`.
pub(super) fn create(global: &Global, arguments: &Arguments) -> Outcome {
    let made = make(global, arguments, true)?;
    drop(made);
    Ok(0)
}

/// Lets a created container run.
pub(super) fn start(global: &Global, arguments: &Arguments) -> Outcome {
    let home = Home::of(global, arguments.id()?);
    let record = home.read()?;
    match record.status(&home) {
        "created" => {}
        "stopped" => return Err("cannot start a container that has stopped".to_owned()),
        _ => return Err("cannot start an already running container".to_owned()),
    }
    release(global, &home, &record)?;
    Ok(0)
}

/// Both, and waits for its end unless detached.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Outcome {
    let detach = arguments.has("detach");
    let signals = if detach { None } else { Some(console::hold_signals()?) };
    let (home, record, running) = make(global, arguments, detach)?;
    if let Err(failure) = release(global, &home, &record) {
        // with a hook that failed it is gone already
        if home.read().is_ok() {
            let _ = manage::destroy(global, &home, &record, true);
        }
        return Err(failure);
    }
    let Some(signals) = signals else { return Ok(0) };
    let handed_over = arguments.text("console-socket").is_some();
    let status = console::attend(&running.pidfd, running.console.filter(|_| !handed_over), signals);
    if !arguments.has("keep") {
        manage::destroy(global, &home, &record, true)?;
    }
    status
}

fn make(global: &Global, arguments: &Arguments, detach: bool) -> Result<(Home, Record, Running), Failure> {
    if arguments.has("no-pivot") {
        return Err("--no-pivot is not supported: a container's root is always pivoted to".to_owned());
    }
    let id = arguments.id()?;
    let (bundle, mut launch) = load(id, arguments.text("bundle"), global.systemd)?;
    let filter = launch.spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    warn_of_capabilities(global, &launch)?;
    let filter = filter.map(seccomp::compile).transpose().map_err(|error| error.message)?;
    let named = |filter: SeccompProgram| filter.of(id, &bundle.to_string_lossy(), &launch.spec.annotations);
    launch.seccomp = filter.map(named);
    let preserve = arguments.number("preserve-fds")? + listen_fds(&mut launch);
    let stdio = streams(&launch, arguments.text("console-socket"), detach)?;
    let home = Home::of(global, id);
    home.make(id)?;
    let made = make_in(global, &home, &launch, stdio, preserve, &bundle, arguments);
    match made {
        Ok((record, running)) => Ok((home, record, running)),
        Err(failure) => {
            home.remove();
            Err(failure)
        }
    }
}

/// Those which the container will not have, although its configuration names them.
fn warn_of_capabilities(global: &Global, launch: &Launch) -> Result<(), Failure> {
    let Some(asked) = launch.spec.process.as_ref().and_then(|process| process.capabilities.as_ref()) else {
        return Ok(());
    };
    let possible = capability::possible().map_err(|error| error.message)?;
    for name in capability::unknown(asked) {
        global.log.warn(&format!("capability {name:?} is unknown and left out"));
    }
    for name in capability::lacking(asked, possible) {
        global.log.warn(&format!("capability {name:?} is not ours to give and left out"));
    }
    Ok(())
}

fn make_in(
    global: &Global,
    home: &Home,
    launch: &Launch,
    stdio: Stdio,
    preserve: u32,
    bundle: &std::path::Path,
    arguments: &Arguments,
) -> Result<(Record, Running), Failure> {
    let fifo = home.make_fifo()?;
    let keyring = !arguments.has("no-new-keyring");
    let extra = Extra { fifo: Some(fifo), preserve, bundle: bundle.to_string_lossy().into_owned(), keyring };
    let created = create_with(launch, stdio.into(), extra).map_err(|error| {
        // What prestart hooks and their like made, poststop hooks take back.
        let hooks = launch.spec.hooks.clone().unwrap_or_default();
        let state = crate::hooks::state(launch, &bundle.to_string_lossy(), "stopped", 0);
        run_each(&hooks.poststop, &state, Place::Host).iter().for_each(|failure| global.log.warn(failure));
        format!("unable to start container process: {}", error.message)
    })?;
    let container = created.container().ok_or("no container")?;
    let record = Record::new(launch, bundle, container, launch.seccomp.clone());
    if let (Some(socket), Some(master)) = (arguments.text("console-socket"), &container.console) {
        console::hand_over(socket, master)?;
    }
    if let Some(path) = arguments.text("pid-file") {
        write_pid(path, record.pid)?;
    }
    home.write(&record)?;
    // From here on it lives without us.
    let running = created.leave().map_err(|error| error.message)?;
    Ok((record, running))
}

/// Which streams a container gets.
fn streams(launch: &Launch, socket: Option<&str>, detach: bool) -> Result<Stdio, Failure> {
    let terminal = launch.spec.process.as_ref().is_some_and(|process| process.terminal);
    match (terminal, socket) {
        (false, Some(_)) => Err("cannot use console socket if runc will not detach or allocate tty".to_owned()),
        (false, None) => console::inherited(),
        (true, None) if detach => {
            Err("cannot allocate tty if runc will detach without setting console socket".to_owned())
        }
        (true, _) => Ok(Stdio::Terminal { rows: 0, cols: 0 }),
    }
}

/// Socket activation: the descriptors of `LISTEN_FDS` belong to the container.
fn listen_fds(launch: &mut Launch) -> u32 {
    let count: u32 = std::env::var("LISTEN_FDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    if let (Some(process), true) = (&mut launch.spec.process, count > 0) {
        process.env.push(format!("LISTEN_FDS={count}"));
        process.env.push("LISTEN_PID=1".to_owned());
    }
    count
}

/// Writes the byte for which the container waits, its hooks before and after. A hook that fails is the container's end
/// (runtime.md, lifecycle): it is undone as by `delete`, poststop hooks and all.
fn release(global: &Global, home: &Home, record: &Record) -> Result<(), Failure> {
    let running = record.open()?;
    let undone = |error: StartError| {
        if let Err(failure) = manage::destroy(global, home, record, true) {
            global.log.warn(&failure);
        }
        error.message
    };
    let state = State { pid: number_inside(record.pid), ..record.state(home) };
    run_all(&record.hooks.start_container, &state, Place::Container(running.pidfd.as_fd())).map_err(undone)?;
    let failed = |errno| format!("start the container: {errno}");
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fifo = rustix::fs::open(home.fifo(), flags, Mode::empty()).map_err(failed)?;
    std::fs::remove_file(home.fifo()).map_err(|error| format!("start the container: {error}"))?;
    rustix::io::write(&fifo, &[1]).map_err(failed)?;
    run_all(&record.hooks.poststart, &record.state(home), Place::Host).map_err(undone)
}

/// Written beside and renamed: who waits for the file finds a whole number in it.
pub(super) fn write_pid(path: &str, pid: i32) -> Result<(), Failure> {
    let new = format!("{path}.new");
    std::fs::write(&new, pid.to_string())
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| format!("pid file {path}: {error}"))
}
