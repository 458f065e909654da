//! `lighter daemon`: reads its configuration, takes its directories and sockets, and lets the server serve the engine
//! until it is told to stop.
//!
//! - [`options`]: flags and `daemon.json`, one table; [`settings`]: what they mean.
//! - `roots`, `sockets`, `systemd`, `log`: what the daemon takes from the machine, and gives back.
//! - `run`: all of it wired together; signals.
//!
//! Containers are children of their shims and not of the daemon: when it ends, they go on (`live-restore`, which is
//! the default here), unless it was told otherwise.

mod configuration;
mod group;
mod hosts;
mod log;
mod memory;
pub mod options;
mod precedence;
mod roots;
mod run;
mod settings;
mod signals;
mod sockets;
mod systemd;

use std::ffi::OsString;
use std::process::ExitCode;

use configuration::Configuration;
use options::{flags, help};
use values::Error;

/// For `fuzz/`: the text of a `daemon.json` and what it means.
#[cfg(fuzzing)]
pub fn fuzz_file(text: &str) {
    if let Ok(values) = options::file::parse(text)
        && let Ok(values) = options::merge::merge(options::merge::Values::default(), values)
    {
        let _ = settings::Settings::new(&values);
    }
}

/// Docker's code for a command line that is wrong.
const WRONG_USAGE: u8 = 125;

/// Runs the daemon; `args` are those behind `lighter daemon`. Returns after a graceful end.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let args: Result<Vec<String>, OsString> = args.into_iter().map(OsString::into_string).collect();
    let bad = |arg: OsString| Error::invalid(format!("{arg:?} is not UTF-8"));
    let parsed = match args.map_err(bad).and_then(|args| flags::parse(&args)) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("{error}\nSee 'lighter daemon --help'.");
            return WRONG_USAGE.into();
        }
    };
    if parsed.help {
        print!("{}", help::text());
        return ExitCode::SUCCESS;
    }
    if parsed.version {
        println!("Lighter version {}", values::VERSION);
        return ExitCode::SUCCESS;
    }
    let validate = parsed.validate;
    let configuration = match Configuration::read(parsed) {
        Ok(configuration) => configuration,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if validate {
        println!("configuration OK");
        return ExitCode::SUCCESS;
    }
    match run::run(configuration) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to start daemon: {error}");
            ExitCode::FAILURE
        }
    }
}
