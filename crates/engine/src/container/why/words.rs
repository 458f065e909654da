//! A container's state in sentences: pure.

use std::time::Duration;

use values::{Signal, Timestamp, duration, size};

use crate::container::health::{Check, Health, OnFailure, Status};
use crate::container::state::{Phase, Policy, Restart, State, Then};

pub struct Facts<'a> {
    pub state: &'a State,
    pub policy: &'a Policy,
    pub check: Option<&'a Check>,
    pub health: Option<&'a Health>,
    /// Bytes; 0: none.
    pub memory_limit: u64,
    pub stop_signal: Signal,
    pub now: Timestamp,
}

impl Facts<'_> {
    fn ago(&self, at: Timestamp) -> String {
        format!("{} ago", spoken(self.now.since(at)))
    }

    fn acted(&self) -> Option<OnFailure> {
        self.health.and_then(|h| h.acted)
    }
}

/// Docker's words for a time, inside a sentence.
fn spoken(time: Duration) -> String {
    duration::human(time).to_lowercase()
}

fn bytes(n: u64) -> String {
    size::human_binary(n as f64)
}

fn name(signal: i32) -> String {
    Signal::from_number(signal).map_or_else(|| format!("signal {signal}"), |s| s.to_string())
}

/// Why it is as it is.
pub fn reasons(f: &Facts<'_>) -> Vec<String> {
    let s = f.state;
    if !s.error.is_empty() {
        return vec![format!("It could not be started (exit code {}): {}", s.exit_code, s.error)];
    }
    match s.phase {
        Phase::Created => vec!["It was created and has not been started.".into()],
        Phase::Starting { .. } if s.exits == 0 => vec!["It is being started.".into()],
        Phase::Running { paused, then } => {
            let mut all =
                vec![format!("Its first process has been running for {}.", spoken(f.now.since(s.started_at)))];
            all.extend(
                paused.then(|| "It is paused: its processes are frozen and its health is not asked for.".into()),
            );
            all.extend(under_way(then));
            all.extend(memory(f));
            all.extend(health(f));
            all
        }
        Phase::Dead => vec!["It could not be removed whole: see the daemon's log; `rm -f` tries again.".into()],
        Phase::Removing | Phase::Gone => vec!["It is being removed.".into()],
        Phase::Backoff | Phase::Exited | Phase::Starting { .. } => {
            let mut all = vec![end(f)];
            all.extend(memory(f));
            all.extend(cause(f));
            all.extend(code(s));
            all.extend(health(f));
            all
        }
    }
}

fn under_way(then: Option<Then>) -> Option<String> {
    let what = match then? {
        Then::Stay => "a stop",
        Then::Killed => "a kill",
        Then::Start | Then::EndAndStart => "a restart",
        Then::Renew { .. } => "a restart because it is unhealthy",
        Then::Remove => "its removal",
    };
    Some(format!("Its end is waited for: {what} is under way."))
}

fn end(f: &Facts<'_>) -> String {
    let s = f.state;
    let ran = spoken(s.finished_at.since(s.started_at));
    let when = format!("{}, having run for {ran}", f.ago(s.finished_at));
    match s.signal {
        0 => format!("Its first process exited with code {} {when}.", s.exit_code),
        signal => format!("Its first process was killed by {} (exit code {}) {when}.", name(signal), s.exit_code),
    }
}

fn memory(f: &Facts<'_>) -> Option<String> {
    let s = f.state;
    if !s.oom {
        return None;
    }
    let peak = match s.memory_peak {
        0 => String::new(),
        peak => format!(" It has held {} at most;", bytes(peak)),
    };
    let limit = match f.memory_limit {
        0 => "it has no limit of its own: the machine, or a group above it, ran out".into(),
        limit => format!("its limit is {} (--memory)", bytes(limit)),
    };
    let (limit, joint) = if peak.is_empty() { (capital(&limit), " ") } else { (limit, " ") };
    Some(format!("The kernel killed a process of it for want of memory (OOM).{peak}{joint}{limit}."))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Who wanted the end.
fn cause(f: &Facts<'_>) -> Option<String> {
    let s = f.state;
    let late = s.signalled == Signal::KILL.number() && f.stop_signal != Signal::KILL && s.signal == s.signalled;
    let grace = |who: &str| match late {
        true => format!("{who} It did not end by {} in time, so it was killed.", f.stop_signal),
        false => who.to_owned(),
    };
    match s.ended_by {
        Some(Then::Stay) if f.acted() == Some(OnFailure::Stop) => {
            Some(grace("It was stopped because it was unhealthy (--health-on-failure=stop)."))
        }
        Some(Then::Stay) => Some(grace("A user stopped it.")),
        Some(Then::Start | Then::EndAndStart) => Some(grace("A user restarted it.")),
        Some(Then::Renew { .. }) => {
            Some(grace("It was ended because it was unhealthy (--health-on-failure=restart)."))
        }
        Some(Then::Killed) => Some("A user killed it.".into()),
        Some(Then::Remove) => Some("A user is removing it.".into()),
        None if s.oom && s.signal == Signal::KILL.number() => None,
        None if s.signal == 0 => None,
        None if s.signal == s.signalled && f.acted() == Some(OnFailure::Kill) => {
            Some("It was killed because it was unhealthy (--health-on-failure=kill).".into())
        }
        None if s.signal == s.signalled => Some(format!("A user sent it {}.", name(s.signal))),
        None if is_crash(s.signal) => Some("That is a crash of the program itself.".into()),
        None => Some(
            "The signal did not come through this daemon: somebody else on the machine, or a process in the container, sent it."
                .into(),
        ),
    }
}

/// SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: signal(7), what a program does to itself.
fn is_crash(signal: i32) -> bool {
    matches!(signal, 4 | 5 | 6 | 7 | 8 | 11 | 31)
}

/// What exit codes usually mean.
fn code(s: &State) -> Option<String> {
    if s.signal != 0 {
        return None;
    }
    match s.exit_code {
        126 => Some("Shells exit with 126 when they cannot execute a program.".into()),
        127 => Some("Shells exit with 127 when they do not find a program.".into()),
        255 => Some("255 is also what is noted when nobody saw the end, as after a reboot.".into()),
        code @ 129..=192 => {
            let signal = name(code - 128);
            Some(format!("By convention {code} means that a child of that process was killed by {signal}."))
        }
        _ => None,
    }
}

fn health(f: &Facts<'_>) -> Vec<String> {
    let (Some(health), Some(check)) = (f.health, f.check) else { return vec![] };
    // one that is not watched reads unhealthy and is not
    let failed = health.streak >= check.retries;
    let status = match health.status {
        Status::Starting => "It is starting: no health check has succeeded yet",
        Status::Healthy => "It is healthy",
        Status::Unhealthy if failed => "It is unhealthy",
        Status::Unhealthy => return vec![],
    };
    let up = f.state.is_running();
    if !up && !failed {
        return vec![];
    }
    let status = if up { status.to_owned() } else { status.replacen("is", "was", 1) };
    let streak = match health.streak {
        0 => String::new(),
        n => format!(": {n} health check{} in a row failed ({} make it unhealthy)", plural(n), check.retries),
    };
    let mut all = vec![format!("{status}{streak}.")];
    if let Some(last) = health.log.last().filter(|last| last.code != 0) {
        let output: Vec<&str> = last.output.trim_end().lines().collect();
        let output = output[output.len().saturating_sub(3)..].join(" / ");
        let said = if output.is_empty() { "and said nothing".to_owned() } else { format!("saying: {output}") };
        let ended = if last.code < 0 { "did not finish".to_owned() } else { format!("exited with {}", last.code) };
        all.push(format!("The last health check {ended} {}, {said}", f.ago(last.ended)));
    }
    all
}

fn plural(n: u32) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// When it is started again by itself.
pub fn restart_at(s: &State) -> Option<Timestamp> {
    let delay = Duration::from_millis(s.backoff_millis);
    (s.phase == Phase::Backoff).then(|| s.finished_at.plus(delay))
}

/// What happens without a user.
pub fn next(f: &Facts<'_>) -> String {
    let s = f.state;
    if let Some(at) = restart_at(s) {
        let left = at.since(f.now).as_millis() as f64 / 1000.0;
        let by = match s.ended_by {
            Some(Then::Renew { .. }) => "--health-on-failure=restart".to_owned(),
            _ => format!("restart policy {}", policy(f.policy.restart)),
        };
        return format!("It is started again in {left:.1} s ({by}; restart number {}).", s.restarts);
    }
    match s.phase {
        Phase::Running { then: None, .. } => if_it_ends(f),
        Phase::Starting { .. } if s.exits > 0 => "It is being started again.".into(),
        Phase::Created if s.error.is_empty() => "Nobody but a user starts it.".into(),
        Phase::Created | Phase::Exited => stays(f),
        _ => String::new(),
    }
}

fn if_it_ends(f: &Facts<'_>) -> String {
    let ends = match f.policy.restart {
        _ if f.policy.auto_remove => "If it ends it is removed (--rm).".into(),
        Restart::No => String::new(),
        Restart::OnFailure(_) => {
            format!(
                "If it ends with another code than 0 it is started again (restart policy {}).",
                policy(f.policy.restart)
            )
        }
        other => format!("If it ends it is started again (restart policy {}).", policy(other)),
    };
    let sick = match f.check.map_or(OnFailure::None, |check| check.on_failure) {
        OnFailure::None => String::new(),
        action => format!("Once it is unhealthy: {action} (--health-on-failure)."),
    };
    [ends, sick].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn stays(f: &Facts<'_>) -> String {
    let s = f.state;
    let named = policy(f.policy.restart);
    let why = match f.policy.restart {
        Restart::No => "it has no restart policy".into(),
        Restart::Always if s.stopped_by_user => {
            return format!(
                "It stays so until a user, or a new start of the daemon, starts it (restart policy {named})."
            );
        }
        _ if s.stopped_by_user => format!("restart policy {named} leaves alone what was stopped"),
        _ if !s.error.is_empty() && s.restarts == 0 => {
            format!("restart policy {named} does not repeat a start that failed")
        }
        Restart::OnFailure(_) if s.exit_code == 0 => format!("restart policy {named} does not act on code 0"),
        Restart::OnFailure(most) if most > 0 && s.restarts >= most => {
            format!("restart policy {named} gave up after {} restart{}", s.restarts, plural(s.restarts))
        }
        _ => return String::new(),
    };
    format!("It stays so: {why}.")
}

fn policy(restart: Restart) -> String {
    match restart {
        Restart::No => "no".into(),
        Restart::Always => "always".into(),
        Restart::UnlessStopped => "unless-stopped".into(),
        Restart::OnFailure(0) => "on-failure".into(),
        Restart::OnFailure(most) => format!("on-failure:{most}"),
    }
}

#[cfg(test)]
mod tests;
