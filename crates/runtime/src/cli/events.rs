//! `events`: what a container uses, and kills for want of memory, one JSON object a line, in runc's shape.

use std::time::{Duration, Instant};

use cgroup::{Cgroup, OomWatch, Usage};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value, json};

use super::arguments::{Arguments, Flag};
use super::bundle::Home;
use super::{Failure, Global, Outcome};

pub(super) const FLAGS: &[Flag] = &[Flag::switch("stats", ""), Flag::text("interval", "")];

const INTERVAL: Duration = Duration::from_secs(5);

/// Once with `--stats`, else until the container's end.
pub(super) fn events(global: &Global, arguments: &Arguments) -> Outcome {
    let id = arguments.id()?;
    let home = Home::of(global, id);
    let record = home.read()?;
    if record.status(&home) == "stopped" {
        return Err(format!("container with id {id} is not running"));
    }
    let group = Cgroup::open(&record.cgroup).map_err(|error| error.message)?;
    let interval = arguments.text("interval").map_or(Ok(INTERVAL), interval)?;
    tell_usage(id, &group)?;
    if arguments.has("stats") {
        return Ok(0);
    }
    let running = record.open()?;
    let mut watch = group.oom_watch().ok();
    let mut next = Instant::now() + interval;
    loop {
        let ended = PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&running.pidfd), PollFlags::IN);
        let oom = watch.as_ref().map(|watch| PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(watch), PollFlags::IN));
        let mut fds: Vec<PollFd<'_>> = [ended].into_iter().chain(oom).collect();
        let left = next.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let _ = rustix::event::poll(&mut fds, Some(&left));
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if ready.get(1) == Some(&true) && watch.as_mut().is_some_and(killed) {
            super::log::say(&json!({"type": "oom", "id": id}).to_string());
        }
        if ready[0] {
            return Ok(0);
        }
        if Instant::now() >= next {
            tell_usage(id, &group)?;
            next = Instant::now() + interval;
        }
    }
}

fn killed(watch: &mut OomWatch) -> bool {
    watch.take().is_ok_and(|count| count > 0)
}

/// `5s`, `500ms`, `1m` or seconds.
fn interval(text: &str) -> Result<Duration, Failure> {
    let bad = || format!("invalid value {text:?} for flag -interval: a duration such as 5s is needed");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let milliseconds = match &text[digits.len()..] {
        "ms" => number,
        "" | "s" => number.saturating_mul(1000),
        "m" => number.saturating_mul(60_000),
        _ => return Err(bad()),
    };
    if milliseconds == 0 { Err(bad()) } else { Ok(Duration::from_millis(milliseconds)) }
}

fn tell_usage(id: &str, group: &Cgroup) -> Result<(), Failure> {
    let usage = group.usage().map_err(|error| error.message)?;
    super::log::say(&json!({"type": "stats", "id": id, "data": document(&usage)}).to_string());
    Ok(())
}

fn document(usage: &Usage) -> Value {
    let (cpu, memory) = (&usage.cpu, &usage.memory);
    let counts = |list: &[cgroup::IoCount]| {
        let one = |count: &cgroup::IoCount| json!({"major": count.major, "minor": count.minor, "op": count.operation, "value": count.value});
        list.iter().map(one).collect::<Vec<Value>>()
    };
    json!({
        "cpu": {
            "usage": {"total": cpu.total, "kernel": cpu.system, "user": cpu.user, "percpu": cpu.per_cpu},
            "throttling": {
                "periods": cpu.periods, "throttledPeriods": cpu.throttled_periods, "throttledTime": cpu.throttled,
            },
        },
        "memory": {
            "cache": memory.stat.get("cache").or(memory.stat.get("file")).copied().unwrap_or(0),
            "usage": {
                "usage": memory.current, "max": memory.peak, "limit": memory.limit.unwrap_or(u64::MAX),
                "failcnt": memory.failures,
            },
            "raw": memory.stat,
        },
        "pids": {"current": usage.pids.current, "limit": usage.pids.limit.unwrap_or(0)},
        "blkio": {
            "ioServiceBytesRecursive": counts(&usage.io_bytes), "ioServicedRecursive": counts(&usage.io_operations),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        for (text, expected) in [("5s", Some(5000)), ("250ms", Some(250)), ("2m", Some(120_000)), ("3", Some(3000))] {
            assert_eq!(interval(text).ok().map(|d| d.as_millis()), expected, "{text}");
        }
        for bad in ["", "0s", "x", "5h", "-1s"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
