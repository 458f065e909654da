//! The command line: everything a user can say to the daemon through the API, with the words, flags, tables and
//! exit codes of the docker client.
//!
//! A command is one file below [`commands`] holding one row ([`command::Command`]); see `FRAME.md` for where
//! things go. Nothing here is built before it is needed: rows are statics, the daemon's socket is opened and
//! `config.json` is read by the first command that asks for it.

mod autostart;
pub mod command;
mod commands;
mod completion;
mod config;
mod confirm;
mod context;
mod credentials;
mod dispatch;
mod failure;
pub mod flags;
mod help;
mod host;
mod invocation;
mod man;
mod moment;
mod not_yet;
mod output;
mod plugin;
mod root;
mod session;
mod streams;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

pub use failure::{Failure, Outcome};
pub use invocation::Invocation;
pub use session::Session;

/// The commit the program was built from, where the build told us.
pub const BUILD: &str = match option_env!("LIGHTER_BUILD") {
    Some(build) => build,
    None => "unknown",
};

/// The whole client: `args` as the kernel gave them, the program's name first. Called `docker` (argv[0]), it
/// says docker.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut words = args.map(|word| word.to_string_lossy().into_owned());
    let name = words.next().unwrap_or_default();
    let program = match name.rsplit('/').next() {
        Some("docker") => "docker",
        _ => "lighter",
    };
    let words: Vec<String> = words.collect();
    ExitCode::from(dispatch::run(program, &words))
}
