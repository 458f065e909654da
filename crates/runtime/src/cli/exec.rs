//! `exec`.

use oci::runtime::{Capabilities, Process};

use super::arguments::{Arguments, Flag};
use super::bundle::{Home, Record};
use super::create::write_pid;
use super::{Failure, Global, Outcome, console};
use crate::exec::exec_with;
use crate::{Exec, Stdio};

pub(super) const FLAGS: &[Flag] = &[
    Flag::text("console-socket", ""),
    Flag::text("cwd", ""),
    Flag::text("env", "e"),
    Flag::switch("tty", "t"),
    Flag::text("user", "u"),
    Flag::text("additional-gids", "g"),
    Flag::text("process", "p"),
    Flag::switch("detach", "d"),
    Flag::text("pid-file", ""),
    Flag::text("cap", "c"),
    Flag::switch("no-new-privs", ""),
    Flag::switch("ignore-paused", ""),
    Flag::text("apparmor", ""),
    Flag::text("preserve-fds", ""),
];

/// Runs one more process in a container, and waits for its end unless detached.
pub(super) fn exec(global: &Global, arguments: &Arguments) -> Outcome {
    let home = Home::of(global, arguments.id()?);
    let record = home.read()?;
    match record.status(&home) {
        "stopped" => return Err("cannot exec in a stopped container".to_owned()),
        "paused" if !arguments.has("ignore-paused") => {
            return Err("cannot exec in a paused container (use --ignore-paused to override)".to_owned());
        }
        _ => {}
    }
    let process = process(&record, arguments)?;
    let (detach, socket) = (arguments.has("detach"), arguments.text("console-socket"));
    let stdio = match (process.terminal, socket) {
        (true, None) if detach => {
            return Err("cannot allocate tty if runc will detach without setting console socket".to_owned());
        }
        (true, _) => Stdio::Terminal { rows: 0, cols: 0 },
        (false, _) => console::inherited()?,
    };
    let signals = if detach { None } else { Some(console::hold_signals()?) };
    let exec = Exec { process, user: None, additional_groups: Vec::new(), seccomp: record.seccomp.clone() };
    let started = exec_with(&record.open()?, &exec, stdio, arguments.number("preserve-fds")?)
        .map_err(|error| format!("exec failed: unable to start container process: {}", error.message))?;
    if let (Some(socket), Some(master)) = (socket, &started.console) {
        console::hand_over(socket, master)?;
    }
    if let Some(path) = arguments.text("pid-file") {
        write_pid(path, started.pid)?;
    }
    match signals {
        None => Ok(0),
        Some(signals) => console::attend(&started.pidfd, started.console.filter(|_| socket.is_none()), signals),
    }
}

/// The container's own process with what the flags change, or the one of `--process`.
fn process(record: &Record, arguments: &Arguments) -> Result<Process, Failure> {
    if let Some(path) = arguments.text("process") {
        let text = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        return serde_json::from_slice(&text).map_err(|error| format!("{path}: {error}"));
    }
    let mut process = record.process.clone();
    process.args = arguments.rest[1..].to_vec();
    if process.args.is_empty() {
        return Err("process args cannot be empty".to_owned());
    }
    process.terminal = arguments.has("tty");
    process.env.extend(arguments.all("env").map(str::to_owned));
    if let Some(cwd) = arguments.text("cwd") {
        cwd.clone_into(&mut process.cwd);
    }
    if let Some(user) = arguments.text("user") {
        let (uid, gid) = user.split_once(':').map_or((user, None), |(uid, gid)| (uid, Some(gid)));
        let number = |text: &str| text.parse().map_err(|_| format!("invalid user {user:?}: UID[:GID] is needed"));
        process.user.uid = number(uid)?;
        if let Some(gid) = gid {
            process.user.gid = number(gid)?;
        }
    }
    for gid in arguments.all("additional-gids") {
        process.user.additional_gids.push(gid.parse().map_err(|_| format!("invalid group id {gid:?}"))?);
    }
    let capabilities = process.capabilities.get_or_insert_with(Capabilities::default);
    for name in arguments.all("cap") {
        for set in [&mut capabilities.bounding, &mut capabilities.effective, &mut capabilities.permitted] {
            if !set.iter().any(|known| known == name) {
                set.push(name.to_owned());
            }
        }
    }
    process.no_new_privileges |= arguments.has("no-new-privs");
    if let Some(profile) = arguments.text("apparmor") {
        profile.clone_into(&mut process.apparmor_profile);
    }
    Ok(process)
}
