//! The client alone, for the tests of this crate. Its `daemon` is a stand-in that answers a few requests, or, with
//! `STAND_IN_FAILS` set, refuses to start.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("daemon") {
        return stand_in();
    }
    cli::main(std::env::args_os())
}

fn stand_in() -> ExitCode {
    if std::env::var_os("STAND_IN_FAILS").is_some() {
        eprintln!("no room for a daemon here");
        return ExitCode::FAILURE;
    }
    let Ok(listener) = UnixListener::bind("/run/lighter.sock") else { return ExitCode::FAILURE };
    // one request besides pings and it ends; a connection without one only tried the door
    for stream in listener.incoming().flatten() {
        let lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let Some(request) = head.first() else { continue };
        let _ = (&stream).write_all(b"HTTP/1.1 204 No Content\r\nApi-Version: 1.55\r\nConnection: close\r\n\r\n");
        if !request.contains("/_ping") {
            break;
        }
    }
    ExitCode::SUCCESS
}
