use super::*;
use crate::container::health::Outcome;

const NOW: Timestamp = Timestamp { secs: 1_700_000_000, nanos: 0 };

fn ago(seconds: i64) -> Timestamp {
    Timestamp { secs: NOW.secs - seconds, nanos: 0 }
}

fn exited(code: i32, signal: i32) -> State {
    State {
        phase: Phase::Exited,
        exit_code: code,
        signal,
        exits: 1,
        started_at: ago(70),
        finished_at: ago(10),
        ..State::default()
    }
}

fn sick(acted: Option<OnFailure>) -> (Check, Health) {
    let check = Check {
        argv: vec![],
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        start_period: Duration::ZERO,
        start_interval: Duration::from_secs(1),
        retries: 2,
        on_failure: acted.unwrap_or_default(),
    };
    let outcome = Outcome { begun: ago(12), ended: ago(12), code: 1, output: "refused\n".into() };
    let health = Health { status: Status::Unhealthy, streak: 2, log: vec![outcome], acted, ..Health::default() };
    (check, health)
}

fn explain(state: State, restart: Restart, health: Option<&(Check, Health)>) -> String {
    let policy = Policy { restart, auto_remove: false };
    let facts = Facts {
        state: &state,
        policy: &policy,
        check: health.map(|(check, _)| check),
        health: health.map(|(_, health)| health),
        memory_limit: 16 << 20,
        stop_signal: Signal::TERM,
        now: NOW,
    };
    let mut all = reasons(&facts);
    all.push(next(&facts));
    all.retain(|text| !text.is_empty());
    all.join("\n")
}

fn check(state: State, restart: Restart, expected: &[&str]) {
    assert_eq!(explain(state, restart, None), expected.join("\n"));
}

const RAN: &str = "10 seconds ago, having run for about a minute.";
const ALONE: &str = "It stays so: it has no restart policy.";

#[test]
fn it_ended_by_itself() {
    check(exited(0, 0), Restart::No, &[&format!("Its first process exited with code 0 {RAN}"), ALONE]);
    let convention = "By convention 143 means that a child of that process was killed by SIGTERM.";
    check(exited(143, 0), Restart::No, &[&format!("Its first process exited with code 143 {RAN}"), convention, ALONE]);
    let crash = "That is a crash of the program itself.";
    let first = format!("Its first process was killed by SIGSEGV (exit code 139) {RAN}");
    check(exited(139, 11), Restart::No, &[&first, crash, ALONE]);
}

#[test]
fn it_was_killed() {
    let killed = |change: &dyn Fn(&mut State)| {
        let mut state = exited(137, 9);
        change(&mut state);
        state
    };
    let first = &format!("Its first process was killed by SIGKILL (exit code 137) {RAN}");
    let others = "The signal did not come through this daemon: somebody else on the machine, or a process in the container, sent it.";
    check(killed(&|_| {}), Restart::No, &[first, others, ALONE]);
    let by_user = |s: &mut State| (s.ended_by, s.signalled, s.stopped_by_user) = (Some(Then::Killed), 9, true);
    check(killed(&by_user), Restart::No, &[first, "A user killed it.", ALONE]);
    let late = "A user stopped it. It did not end by SIGTERM in time, so it was killed.";
    let stopped = |s: &mut State| (s.ended_by, s.signalled, s.stopped_by_user) = (Some(Then::Stay), 9, true);
    let left = "It stays so: restart policy unless-stopped leaves alone what was stopped.";
    check(killed(&stopped), Restart::UnlessStopped, &[first, late, left]);
    let always = "It stays so until a user, or a new start of the daemon, starts it (restart policy always).";
    check(killed(&stopped), Restart::Always, &[first, late, always]);
    let oom = "The kernel killed a process of it for want of memory (OOM). It has held 16MiB at most; its limit is 16MiB (--memory).";
    check(killed(&|s| (s.oom, s.memory_peak) = (true, 16 << 20)), Restart::No, &[first, oom, ALONE]);
    let unknown = "The kernel killed a process of it for want of memory (OOM). Its limit is 16MiB (--memory).";
    check(killed(&|s| s.oom = true), Restart::No, &[first, unknown, ALONE]);
}

#[test]
fn it_was_not_started() {
    let failed = State { error: "no such program".into(), exit_code: 127, exits: 1, ..State::default() };
    let first = "It could not be started (exit code 127): no such program";
    check(failed.clone(), Restart::No, &[first, ALONE]);
    let policy = "It stays so: restart policy always does not repeat a start that failed.";
    check(failed, Restart::Always, &[first, policy]);
    check(
        State::default(),
        Restart::Always,
        &["It was created and has not been started.", "Nobody but a user starts it."],
    );
}

#[test]
fn what_the_policy_does() {
    let first = &format!("Its first process exited with code 1 {RAN}");
    let backoff = State { phase: Phase::Backoff, backoff_millis: 12_800, restarts: 8, ..exited(1, 0) };
    let soon = "It is started again in 2.8 s (restart policy on-failure; restart number 8).";
    check(backoff, Restart::OnFailure(0), &[first, soon]);
    let done = State { restarts: 3, ..exited(1, 0) };
    let gave_up = "It stays so: restart policy on-failure:3 gave up after 3 restarts.";
    check(done, Restart::OnFailure(3), &[first, gave_up]);
    let fine = &format!("Its first process exited with code 0 {RAN}");
    check(
        exited(0, 0),
        Restart::OnFailure(3),
        &[fine, "It stays so: restart policy on-failure:3 does not act on code 0."],
    );
    let up = State { phase: Phase::Running { paused: false, then: None }, ..exited(0, 0) };
    let since = "Its first process has been running for about a minute.";
    check(up, Restart::Always, &[since, "If it ends it is started again (restart policy always)."]);
}

#[test]
fn it_is_unhealthy() {
    let up = State { phase: Phase::Running { paused: false, then: None }, ..exited(0, 0) };
    let text = explain(up, Restart::No, Some(&sick(None)));
    assert_eq!(
        text,
        "Its first process has been running for about a minute.\n\
         It is unhealthy: 2 health checks in a row failed (2 make it unhealthy).\n\
         The last health check exited with 1 12 seconds ago, saying: refused"
    );
    for (action, then, cause) in [
        (OnFailure::Stop, Some(Then::Stay), "It was stopped because it was unhealthy (--health-on-failure=stop)."),
        (OnFailure::Kill, None, "It was killed because it was unhealthy (--health-on-failure=kill)."),
        (
            OnFailure::Restart,
            Some(Then::Renew { recovered: false }),
            "It was ended because it was unhealthy (--health-on-failure=restart).",
        ),
    ] {
        let signal = if action == OnFailure::Kill { 9 } else { 15 };
        let state = State { ended_by: then, signalled: signal, ..exited(128 + signal, signal) };
        let text = explain(state, Restart::No, Some(&sick(Some(action))));
        assert!(text.contains(cause) && text.contains("It was unhealthy: 2 health checks"), "{text}");
    }
}
