//! `lighter`: the client, and under `lighter daemon` (or the names `lighterd` and `dockerd`) the daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let name = args.first().map(std::path::Path::new).and_then(|p| p.file_name()).and_then(|n| n.to_str());
    let first = args.get(1).and_then(|a| a.to_str());
    match (name, first) {
        (Some("dockerd" | "lighterd"), _) => daemon::main(args.into_iter().skip(1).collect()),
        // `-d` alone is how the daemon was started in 2013
        (_, Some("daemon" | "-d")) => daemon::main(args.into_iter().skip(2).collect()),
        _ => cli::main(args.into_iter()),
    }
}
