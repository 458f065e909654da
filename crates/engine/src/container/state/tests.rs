use super::*;
use std::collections::{HashSet, VecDeque};

const AT: Timestamp = Timestamp { secs: 1_700_000_000, nanos: 0 };
const PLAIN: Policy = Policy { restart: Restart::No, auto_remove: false };

fn asks() -> Vec<Ask> {
    let grace = Some(Duration::from_secs(10));
    vec![
        Ask::Start,
        Ask::Stop { signal: Signal::TERM, grace },
        Ask::Stop { signal: Signal::TERM, grace: None },
        Ask::Restart { signal: Signal::TERM, grace },
        Ask::Kill { signal: Signal::KILL, ends: true },
        Ask::Kill { signal: Signal::HUP, ends: false },
        Ask::Pause,
        Ask::Unpause,
        Ask::Remove { force: false },
        Ask::Remove { force: true },
        Ask::Renew { signal: Signal::TERM, grace, recovered: false },
        Ask::Renew { signal: Signal::TERM, grace, recovered: true },
    ]
}

fn facts(generation: u64) -> Vec<Fact> {
    vec![
        Fact::Launched { pid: 7, birth: 1, at: AT },
        Fact::LaunchFailed { code: 127, message: "no".into(), at: AT },
        exited(0),
        Fact::Exited(Exit { code: 1, signal: 0, oom: true, memory_peak: 1 << 20, at: AT }),
        Fact::Lost { at: AT },
        Fact::Oom,
        Fact::GraceElapsed { generation },
        Fact::BackoffElapsed { generation },
        Fact::Frozen,
        Fact::Thawed,
        Fact::Removed,
        Fact::RemoveFailed,
    ]
}

/// Everything that tells states apart for the walk; counters are left out so that the walk ends.
fn key(s: &State) -> (Phase, bool, bool, bool, bool, Option<Ending>) {
    (s.phase, s.restarts > 0, s.exits > 0, s.stopped_by_user, s.started_at.is_zero(), s.ending)
}

/// Walks every reachable state by every ask and fact and holds each step to the invariants.
fn walk(policy: &Policy, check: impl Fn(&State, &str, &State, &[Effect])) -> usize {
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([State::default()]);
    while let Some(state) = queue.pop_front() {
        if !seen.insert(key(&state)) {
            continue;
        }
        for ask in asks() {
            if let Ok((next, effects)) = admit(&state, ask) {
                check(&state, &format!("{ask:?}"), &next, &effects);
                queue.push_back(next);
            }
        }
        for fact in facts(state.generation) {
            let (next, effects) = observe(&state, &fact, policy);
            check(&state, &format!("{fact:?}"), &next, &effects);
            queue.push_back(next);
        }
    }
    seen.len()
}

#[test]
fn every_step_keeps_the_invariants() {
    let policies = [Restart::No, Restart::Always, Restart::UnlessStopped, Restart::OnFailure(2)];
    let mut states = 0;
    for restart in policies {
        for auto_remove in [false, true] {
            let policy = Policy { restart, auto_remove };
            states += walk(&policy, |from, why, to, effects| {
                let what = format!("{policy:?}: {from:?} --{why}--> {to:?} {effects:?}");
                let has = |e: &Effect| effects.contains(e);
                // nothing leaves Gone, and only Removing leads there
                if from.phase == Phase::Gone {
                    assert_eq!(to.phase, Phase::Gone, "{what}");
                    assert!(effects.is_empty(), "{what}");
                }
                if to.phase == Phase::Gone && from.phase != Phase::Gone {
                    assert_eq!(from.phase, Phase::Removing, "{what}");
                }
                // one launch at a time, each of a new generation, always in Starting
                if has(&Effect::Launch) {
                    assert!(matches!(to.phase, Phase::Starting { .. }), "{what}");
                    assert_eq!(to.generation, from.generation + 1, "{what}");
                    let over = !matches!(from.phase, Phase::Starting { .. }) || why.starts_with("Exited");
                    assert!(over, "{what}");
                }
                // what ran is released exactly when it stops running
                let held = |p: Phase| matches!(p, Phase::Starting { .. } | Phase::Running { .. });
                if held(from.phase) && (!held(to.phase) || has(&Effect::Launch)) {
                    assert!(has(&Effect::Release), "{what}");
                }
                // deletion happens in Removing only, once
                if has(&Effect::Delete) {
                    assert_eq!(to.phase, Phase::Removing, "{what}");
                    assert_ne!(from.phase, Phase::Removing, "{what}");
                }
                // a removal that was promised is kept
                if matches!(from.phase, Phase::Running { then: Some(Then::Remove), .. }) {
                    let kept = matches!(to.phase, Phase::Running { then: Some(Then::Remove), .. } | Phase::Removing);
                    assert!(kept, "{what}");
                }
                // an end that was asked for while it starts is remembered until it is up, and begun then
                assert!(to.ending.is_none() || matches!(to.phase, Phase::Starting { .. }), "{what}");
                if let (Phase::Starting { then }, Phase::Running { .. }) = (from.phase, to.phase) {
                    let begun = effects.iter().any(|e| matches!(e, Effect::Signal(_) | Effect::KillAll));
                    assert_eq!(begun, !matches!(then, None | Some(Then::Start)), "{what}");
                }
                // only a running container has a process
                assert_eq!(to.pid != 0, to.is_running(), "{what}");
            });
        }
    }
    assert!(states > 100, "the walk saw only {states} states");
}

fn running() -> State {
    let (s, _) = admit(&State::default(), Ask::Start).unwrap();
    observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &PLAIN).0
}

fn exited(code: i32) -> Fact {
    exited_at(code, AT)
}

fn exited_at(code: i32, at: Timestamp) -> Fact {
    let signal = if code > 128 { code - 128 } else { 0 };
    Fact::Exited(Exit { code, signal, oom: false, memory_peak: 0, at })
}

#[test]
fn the_policy_decides_after_an_exit() {
    for (restart, code, restarts, again) in [
        (Restart::No, 1, 0, false),
        (Restart::Always, 0, 0, true),
        (Restart::UnlessStopped, 0, 9, true),
        (Restart::OnFailure(0), 0, 0, false),
        (Restart::OnFailure(0), 1, 99, true),
        (Restart::OnFailure(3), 1, 2, true),
        (Restart::OnFailure(3), 1, 3, false),
    ] {
        let s = State { restarts, ..running() };
        let (s, _) = observe(&s, &exited(code), &Policy { restart, auto_remove: false });
        assert_eq!(s.phase == Phase::Backoff, again, "{restart:?} {code} {restarts}");
    }
}

#[test]
fn a_users_stop_beats_the_policy() {
    let policy = Policy { restart: Restart::Always, auto_remove: false };
    let (s, effects) =
        admit(&running(), Ask::Stop { signal: Signal::TERM, grace: Some(Duration::from_secs(1)) }).unwrap();
    assert!(effects.contains(&Effect::Signal(Signal::TERM)));
    let (s, _) = observe(&s, &exited(143), &policy);
    assert_eq!((s.phase, s.exit_code), (Phase::Exited, 143));
    assert!(wanted_at_boot(&s, &policy), "always comes back with the daemon");
    assert!(!wanted_at_boot(&s, &Policy { restart: Restart::UnlessStopped, auto_remove: false }));
}

#[test]
fn delays_double_up_to_a_minute_and_start_anew_after_ten_seconds() {
    let policy = Policy { restart: Restart::Always, auto_remove: false };
    let mut s = running();
    let mut seen = vec![];
    for _ in 0..12 {
        s = observe(&s, &exited(1), &policy).0;
        seen.push(s.backoff_millis);
        s = observe(&s, &Fact::BackoffElapsed { generation: s.generation }, &policy).0;
        s = observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &policy).0;
    }
    assert_eq!(seen, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
    let late = AT.plus(Duration::from_secs(11));
    s = observe(&s, &exited_at(1, late), &policy).0;
    assert_eq!(s.backoff_millis, 100);
}

#[test]
fn asks_meanwhile_are_remembered() {
    let (s, _) = admit(&State::default(), Ask::Start).unwrap();
    let (s, effects) = admit(&s, Ask::Remove { force: true }).unwrap();
    assert!(effects.is_empty());
    let (s, effects) = observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &PLAIN);
    assert!(effects.contains(&Effect::KillAll));
    let (s, effects) = observe(&s, &exited(137), &PLAIN);
    assert_eq!(s.phase, Phase::Removing);
    assert!(effects.contains(&Effect::Delete));
}

#[test]
fn stale_timers_change_nothing() {
    let s = running();
    let stale = Fact::GraceElapsed { generation: s.generation - 1 };
    assert_eq!(observe(&s, &stale, &PLAIN), (s.clone(), vec![]));
}

#[test]
fn a_failed_first_start_leaves_it_created() {
    let (s, _) = admit(&State::default(), Ask::Start).unwrap();
    let (s, _) = observe(&s, &Fact::LaunchFailed { code: 127, message: "no".into(), at: AT }, &PLAIN);
    assert_eq!((s.status(), s.exit_code, s.error.as_str()), ("created", 127, "no"));
    assert!(s.finished_at.is_zero());
}

/// All that is left to do with a container in `s` once it is up: the last phase and how many times it is launched on the way.
fn play(mut s: State, asks: &[Ask]) -> (Phase, u32) {
    for ask in asks {
        s = admit(&s, *ask).unwrap().0;
    }
    let mut launches = 0;
    while let Phase::Starting { .. } = s.phase {
        launches += 1;
        let (next, effects) = observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &PLAIN);
        s = next;
        if effects.iter().any(|e| matches!(e, Effect::KillAll | Effect::Signal(_))) {
            s = observe(&s, &exited(137), &PLAIN).0;
        }
    }
    (s.phase, launches)
}

#[test]
fn who_asked_for_an_end_while_it_starts_gets_it() {
    let stop = Ask::Stop { signal: Signal::TERM, grace: None };
    let restart = Ask::Restart { signal: Signal::TERM, grace: None };
    let kill = Ask::Kill { signal: Signal::KILL, ends: true };
    let up = Phase::Running { paused: false, then: None };
    for (asks, phase, launches) in [
        (&[Ask::Start][..], up, 1),
        (&[Ask::Start, stop], Phase::Exited, 1),
        (&[Ask::Start, restart], up, 1),
        (&[Ask::Start, stop, restart], up, 2),
        (&[Ask::Start, stop, restart, stop], Phase::Exited, 1),
        (&[restart, kill], Phase::Exited, 1),
        (&[Ask::Start, kill, restart, restart], up, 2),
    ] {
        assert_eq!(play(State::default(), asks), (phase, launches), "{asks:?}");
    }
}

#[test]
fn an_end_asked_for_while_it_starts_is_no_harder_than_any() {
    let (second, minute) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(60)));
    let stop = |grace| Ask::Stop { signal: Signal::TERM, grace };
    let kill = |signal| Ask::Kill { signal, ends: true };
    for (asks, signal, grace) in [
        (&[stop(second)][..], Signal::TERM, second),
        (&[stop(None)], Signal::TERM, None),
        (&[stop(minute), stop(second)], Signal::TERM, second),
        (&[stop(second), stop(minute)], Signal::TERM, second),
        (&[kill(Signal::INT)], Signal::INT, None),
        (&[kill(Signal::INT), stop(second)], Signal::TERM, second),
        (&[stop(second), kill(Signal::KILL)], Signal::KILL, None),
        (&[kill(Signal::KILL), stop(minute)], Signal::KILL, None),
        (&[stop(second), Ask::Restart { signal: Signal::TERM, grace: minute }], Signal::TERM, second),
    ] {
        let mut s = admit(&State::default(), Ask::Start).unwrap().0;
        for ask in asks {
            s = admit(&s, *ask).unwrap().0;
        }
        let (s, effects) = observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &PLAIN);
        let mut expected = vec![Effect::Emit(Event::Start), Effect::Emit(Event::Kill(signal)), Effect::Signal(signal)];
        expected.extend(grace.map(|grace| Effect::ArmGrace(grace, s.generation)));
        assert_eq!(effects, expected, "{asks:?}");
    }
}

#[test]
fn the_code_of_the_last_end_outlives_the_next_start() {
    let policy = Policy { restart: Restart::Always, auto_remove: false };
    let s = observe(&running(), &exited(3), &policy).0;
    let s = observe(&s, &Fact::BackoffElapsed { generation: s.generation }, &policy).0;
    let s = observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &policy).0;
    assert_eq!((s.exit_code, s.last_code), (0, 3));
}

#[test]
fn only_a_stop_is_told_as_one() {
    let stop = Ask::Stop { signal: Signal::TERM, grace: None };
    let kill = Ask::Kill { signal: Signal::KILL, ends: true };
    for (asks, told) in [(&[stop][..], true), (&[kill], false), (&[kill, stop], true), (&[stop, kill], true)] {
        let asked = asks.iter().fold(running(), |s, ask| admit(&s, *ask).unwrap().0);
        let effects = observe(&asked, &exited(137), &PLAIN).1;
        assert_eq!(effects.contains(&Effect::Emit(Event::Stop)), told, "{asks:?}");
    }
}

#[test]
fn a_renewal_is_delayed_twice_as_long_until_it_recovers() {
    let renew = |recovered| Ask::Renew { signal: Signal::TERM, grace: None, recovered };
    // a minute each: the restart policy alone would begin anew
    let round = |s: State, recovered| {
        let (s, effects) = admit(&s, renew(recovered)).unwrap();
        assert!(effects.contains(&Effect::Signal(Signal::TERM)));
        let s = observe(&s, &exited_at(143, s.started_at.plus(Duration::from_secs(60))), &PLAIN).0;
        let delay = s.backoff_millis;
        let s = observe(&s, &Fact::BackoffElapsed { generation: s.generation }, &PLAIN).0;
        (observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &PLAIN).0, delay)
    };
    let mut s = running();
    let mut seen = vec![];
    for recovered in [false, false, false, true, false] {
        let (next, delay) = round(s, recovered);
        s = next;
        seen.push(delay);
    }
    assert_eq!((seen, s.restarts), (vec![100, 200, 400, 100, 200], 5));
}

#[test]
fn a_users_word_beats_a_renewal() {
    let renew = Ask::Renew { signal: Signal::TERM, grace: None, recovered: false };
    let stop = Ask::Stop { signal: Signal::TERM, grace: None };
    let kill = Ask::Kill { signal: Signal::KILL, ends: true };
    for ask in [stop, kill] {
        let s = admit(&admit(&running(), renew).unwrap().0, ask).unwrap().0;
        assert_eq!(observe(&s, &exited(137), &PLAIN).0.phase, Phase::Exited, "{ask:?}");
        let (again, _) = admit(&running(), ask).unwrap();
        assert_eq!(admit(&again, renew), Err(Refusal::NotRunning));
    }
}

#[test]
fn who_ended_it_is_remembered_until_it_runs_again() {
    let stop = Ask::Stop { signal: Signal::TERM, grace: Some(Duration::ZERO) };
    let (s, _) = admit(&running(), stop).unwrap();
    let (s, _) = observe(&s, &Fact::GraceElapsed { generation: s.generation }, &PLAIN);
    let (s, _) = observe(&s, &exited(137), &PLAIN);
    assert_eq!((s.ended_by, s.signal, s.signalled), (Some(Then::Stay), 9, 9));
    let (s, _) = admit(&s, Ask::Start).unwrap();
    let (s, _) = observe(&s, &Fact::Launched { pid: 7, birth: 1, at: AT }, &PLAIN);
    assert_eq!((s.ended_by, s.signal, s.signalled), (None, 0, 0));
    // nobody asked
    let (s, _) = observe(&s, &exited(137), &PLAIN);
    assert_eq!((s.ended_by, s.signal, s.signalled), (None, 9, 0));
}

/// The disk was full, and the daemon died: what it wrote down last is older than what it finds.
#[test]
fn what_could_not_be_written_down_is_found() {
    let policy = Policy { restart: Restart::Always, auto_remove: false };
    let starting = admit(&State::default(), Ask::Start).unwrap().0;
    let (ended, effects) = observe(&starting, &exited(3), &PLAIN);
    assert_eq!((ended.phase, ended.exit_code, ended.exits, ended.pid), (Phase::Exited, 3, 1, 0));
    let events = [Effect::Emit(Event::Start), Effect::Release, Effect::Emit(Event::Die)];
    assert_eq!(effects, events);
    assert_eq!(observe(&starting, &exited(3), &policy).0.phase, Phase::Backoff);
    let removed = admit(&starting, Ask::Remove { force: true }).unwrap().0;
    assert_eq!(observe(&removed, &exited(3), &PLAIN).0.phase, Phase::Removing);

    let stale = running();
    let again = Fact::Launched { pid: 8, birth: 2, at: AT };
    let (now, effects) = observe(&stale, &again, &policy);
    assert_eq!((now.pid, now.birth, now.exits), (8, 2, stale.exits + 1));
    assert_eq!((now.phase, effects), (Phase::Running { paused: false, then: None }, vec![Effect::Emit(Event::Start)]));
    assert_eq!(observe(&now, &again, &policy), (now.clone(), vec![]));
}

#[test]
fn who_was_told_to_reload_can_be_paused() {
    let up = State { phase: Phase::Running { paused: false, then: None }, pid: 7, ..State::default() };
    let frozen_after = |asks: &[Ask]| {
        let state = asks.iter().fold(up.clone(), |state, ask| admit(&state, *ask).unwrap().0);
        let (state, effects) = observe(&state, &Fact::Frozen, &PLAIN);
        assert!(state.is_paused());
        effects.contains(&Effect::Thaw)
    };
    // without a stop signal of its own any signal counts as one that ends it
    let signal = |signal| Ask::Kill { signal, ends: true };
    assert!(!frozen_after(&[signal(Signal::HUP), Ask::Pause]));
    assert!(frozen_after(&[Ask::Pause, signal(Signal::HUP)]));
    assert!(frozen_after(&[signal(Signal::KILL), Ask::Pause]));
    assert!(frozen_after(&[Ask::Stop { signal: Signal::TERM, grace: None }, Ask::Pause]));
    // a daemon that comes back finds it frozen
    let told = State { phase: Phase::Running { paused: false, then: Some(Then::Stay) }, ..up };
    assert!(observe(&told, &Fact::Frozen, &PLAIN).1.contains(&Effect::Thaw));
}
