//! `--init`: a small PID 1 which starts the program, passes signals on and reaps orphans.

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use sys::signal::Set;

/// Signals which are about ourselves, not the program.
const OWN: [i32; 9] = [
    libc::SIGCHLD,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGSYS,
    libc::SIGTTIN,
];

/// Starts `program` in a child and looks after everything until that ends; does not return but on an error.
pub(crate) fn run(program: impl FnOnce() -> i32) -> Result<(), Errno> {
    let mut forwarded = Set::ALL;
    for signal in OWN {
        forwarded = forwarded.without(signal);
    }
    let taken = forwarded.with(libc::SIGCHLD);
    sys::signal::set_mask(taken)?;
    let main = sys::clone::fork(|| {
        // A process group of its own, in the foreground where there is a terminal: Ctrl-C is for the program.
        let _ = rustix::process::setpgid(None, None);
        let _ = sys::tty::set_foreground(rustix::stdio::stdin(), rustix::process::getpid().as_raw_nonzero().get());
        let _ = sys::signal::set_mask(Set::EMPTY);
        program()
    })?;
    let _ = rustix::thread::set_name(c"docker-init");
    // Only the streams stay: what else is open belongs to the set-up.
    let _ = sys::fd::close_from(3);
    loop {
        let signal = sys::signal::wait(taken)?;
        if signal != libc::SIGCHLD {
            let _ = sys::signal::kill(main, signal);
            continue;
        }
        if let Some(status) = reap(main) {
            sys::clone::exit(status);
        }
    }
}

/// Takes all the dead; the program's exit status when it is among them.
fn reap(main: i32) -> Option<i32> {
    let mut result = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == Pid::from_raw(main)? {
            result = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
        }
    }
    result
}
