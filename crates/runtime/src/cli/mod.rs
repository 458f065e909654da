//! The OCI command line over the same runtime: `lighter-runtime [global flags] COMMAND [flags] …`, with runc's words.
//!
//! <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md>

mod arguments;
mod bundle;
mod checkpoint;
mod console;
mod create;
mod events;
mod exec;
mod features;
mod log;
mod manage;
mod report;
mod template;
mod update;

use std::path::PathBuf;

use arguments::{Arguments, Flag};

/// Why a command failed: a line for people. Its exit status is 1.
type Failure = String;
/// A command's exit status.
type Outcome = Result<u8, Failure>;

/// Flags before the command.
#[derive(Debug)]
struct Global {
    /// Where the containers' states are kept.
    root: PathBuf,
    log: log::Log,
    /// Control groups are scopes of systemd's.
    systemd: bool,
}

const DEFAULT_ROOT: &str = "/run/lighter-runtime";

const GLOBAL: &[Flag] = &[
    Flag::text("root", ""),
    Flag::text("log", ""),
    Flag::text("log-format", ""),
    Flag::text("rootless", ""),
    Flag::switch("debug", ""),
    Flag::switch("systemd-cgroup", ""),
    Flag::switch("version", "v"),
    Flag::switch("help", "h"),
];

/// One command: name, what it takes, flags, what it does.
struct Command {
    name: &'static str,
    usage: &'static str,
    flags: &'static [Flag],
    run: fn(&Global, &Arguments) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command { name: "create", usage: "[flags] ID", flags: create::FLAGS, run: create::create },
    Command { name: "start", usage: "ID", flags: &[], run: create::start },
    Command { name: "run", usage: "[flags] ID", flags: create::RUN_FLAGS, run: create::run },
    Command { name: "exec", usage: "[flags] ID COMMAND [ARG...]", flags: exec::FLAGS, run: exec::exec },
    Command { name: "state", usage: "ID", flags: &[], run: report::state },
    Command { name: "kill", usage: "[flags] ID [SIGNAL]", flags: manage::KILL_FLAGS, run: manage::kill },
    Command { name: "delete", usage: "[flags] ID", flags: manage::DELETE_FLAGS, run: manage::delete },
    Command { name: "pause", usage: "ID", flags: &[], run: manage::pause },
    Command { name: "resume", usage: "ID", flags: &[], run: manage::resume },
    Command { name: "update", usage: "[flags] ID", flags: update::FLAGS, run: update::update },
    Command { name: "events", usage: "[flags] ID", flags: events::FLAGS, run: events::events },
    Command { name: "checkpoint", usage: "[flags] ID", flags: checkpoint::FLAGS, run: checkpoint::refuse },
    Command { name: "restore", usage: "[flags] ID", flags: checkpoint::FLAGS, run: checkpoint::refuse },
    Command { name: "list", usage: "[flags]", flags: report::LIST_FLAGS, run: report::list },
    Command { name: "ps", usage: "[flags] ID [ps options]", flags: report::PS_FLAGS, run: report::ps },
    Command { name: "features", usage: "", flags: &[], run: features::features },
    Command { name: "spec", usage: "[flags]", flags: template::FLAGS, run: template::spec },
];

/// Runs a command line (without the program's own name); its exit status.
pub fn main(args: impl IntoIterator<Item = String>) -> u8 {
    let args: Vec<String> = args.into_iter().collect();
    let global = match Arguments::parse(GLOBAL, &args, true) {
        Ok(global) => global,
        Err(failure) => return log::Log::default().report(&failure),
    };
    let log = log::Log::new(global.text("log"), global.text("log-format"));
    dispatch(&global, &log).unwrap_or_else(|failure| log.report(&failure))
}

fn dispatch(global: &Arguments, log: &log::Log) -> Outcome {
    if global.has("version") {
        log::say(&format!("lighter-runtime version {}\nspec: {}", values::VERSION, oci::runtime::VERSION));
        return Ok(0);
    }
    let Some((name, rest)) = global.rest.split_first().filter(|_| !global.has("help")) else {
        log::say(usage().trim_end());
        return Ok(0);
    };
    if name == "help" {
        log::say(usage().trim_end());
        return Ok(0);
    }
    if let Some(rootless) = global.text("rootless").filter(|text| *text != "false" && *text != "auto") {
        return Err(format!("--rootless={rootless} is not supported"));
    }
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| format!("unknown command {name:?}; see lighter-runtime --help"))?;
    let arguments = Arguments::parse(command.flags, rest, true)?;
    let root = PathBuf::from(global.text("root").unwrap_or(DEFAULT_ROOT));
    (command.run)(&Global { root, log: log.clone(), systemd: global.has("systemd-cgroup") }, &arguments)
}

fn usage() -> String {
    let mut text =
        "Usage: lighter-runtime [--root DIR] [--log FILE] [--log-format text|json] COMMAND\n\nCommands:\n".to_owned();
    for command in COMMANDS {
        text.push_str(&format!("  {} {}\n", command.name, command.usage));
    }
    text
}
