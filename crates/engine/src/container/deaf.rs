//! Will a stop signal end a container's first process? The kernel lets the first process of a pid namespace see only
//! signals for which it has a handler (pid_namespaces(7)), and programs often have none for SIGTERM.

use values::Signal;

use super::Container;
use super::state::State;

/// What the user should know before waiting for a stop by `signal`; `None`: it may well work, or it does not run.
pub fn warning(container: &Container, signal: Signal) -> Option<String> {
    let state = container.state();
    if !state.is_running() || state.pid == 0 {
        return None;
    }
    let status = status_of(&state)?;
    is_deaf(&status, signal).then(|| {
        // until the very end of execve(2) it has the name of the shim: before Linux 6.14 the descriptor's number it is run by
        let is_shims = |name: &str| name == "lighter-shim" || name.parse::<u32>().is_ok();
        let program = field(&status, "Name").filter(|name| !is_shims(name)).map(str::to_owned);
        let program = program.or_else(|| container.record().argv().into_iter().next()).unwrap_or_default();
        format!(
            "its first process ({program}) has no handler for {signal} and will be killed only when the time to stop is over: run it with --init, or another --stop-signal"
        )
    })
}

/// proc_pid_status(5), if the pid still means the same process.
fn status_of(state: &State) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", state.pid)).ok()?;
    (sys::stat::birth(state.pid) == state.birth).then_some(status)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_deaf(status: &str, signal: Signal) -> bool {
    if matches!(signal.number(), SIGKILL | SIGSTOP) {
        return false;
    }
    let has = |name: &str| {
        let mask = field(status, name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
        mask >> (signal.number() - 1) & 1 == 1
    };
    // the last number is the one in the innermost namespace
    let is_first = field(status, "NSpid").and_then(|pids| pids.split_ascii_whitespace().last()) == Some("1");
    // what is blocked is taken by sigwait(3) or a signalfd
    let heard = has("SigCgt") || has("SigBlk");
    !heard && (is_first || has("SigIgn"))
}

const SIGKILL: i32 = 9;
const SIGSTOP: i32 = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hears() {
        let check = |pids: &str, caught: u64, blocked: u64, ignored: u64, signal: Signal, deaf: bool| {
            let status = format!(
                "Name:\tsleep\nNSpid:\t{pids}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n"
            );
            assert_eq!(is_deaf(&status, signal), deaf, "{status} {signal}");
        };
        let term = 1 << 14;
        check("4711\t1", 0, 0, 0, Signal::TERM, true);
        check("4711\t1", term, 0, 0, Signal::TERM, false);
        check("4711\t1", term, 0, 0, Signal::HUP, true);
        check("4711\t1", 0, term, 0, Signal::TERM, false);
        check("4711\t1", 0, 0, term, Signal::TERM, true);
        check("4711\t1", 0, 0, 0, Signal::KILL, false);
        // not the first of a namespace: the default action ends it
        check("4711", 0, 0, 0, Signal::TERM, false);
        check("4711\t17", 0, 0, 0, Signal::TERM, false);
        check("4711", 0, 0, term, Signal::TERM, true);
        check("1\t11", 0, 0, 0, Signal::TERM, false);
    }
}
