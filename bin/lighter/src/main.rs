//! `lighter`: the client. What starts a daemon (`lighter daemon`, or the name `dockerd`) is handed to the program
//! `lighterd` beside it: a command that only talks to a daemon need not load one.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

const DAEMON: &str = "lighterd";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let name = args.first().map(Path::new).and_then(|p| p.file_name()).and_then(|n| n.to_str());
    let first = args.get(1).and_then(|a| a.to_str());
    match (name, first) {
        (Some("dockerd" | DAEMON), _) => daemon(&args[1..]),
        // `-d` alone is how the daemon was started in 2013
        (_, Some("daemon" | "-d")) => daemon(&args[2..]),
        _ => cli::main(args.into_iter()),
    }
}

/// Becomes the daemon, with the same process id.
fn daemon(args: &[OsString]) -> ExitCode {
    let program = match std::env::current_exe() {
        Ok(own) => own.with_file_name(DAEMON),
        Err(error) => return failed(&format!("cannot find own program: {error}")),
    };
    // with what it would otherwise begin once more for
    let error = Command::new(&program).args(args).envs(sys::memory::without_caches()).exec();
    failed(&format!("cannot run {}: {error}", program.display()))
}

fn failed(why: &str) -> ExitCode {
    eprintln!("failed to start daemon: {why}");
    ExitCode::FAILURE
}
