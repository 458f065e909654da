use super::*;
use std::collections::{HashSet, VecDeque};

const AT: Timestamp = Timestamp { secs: 1_700_000_000, nanos: 0 };

fn after(seconds: u64) -> Timestamp {
    AT.plus(Duration::from_secs(seconds))
}

fn check() -> Check {
    Check {
        argv: vec!["probe".into()],
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        start_period: Duration::ZERO,
        start_interval: Duration::from_secs(1),
        retries: 2,
        on_failure: OnFailure::None,
    }
}

fn outcome(second: u64, code: i32) -> Fact {
    let outcome = Outcome { begun: after(second), ended: after(second), code, output: "said".into() };
    Fact::Probed { turn: None, outcome }
}

fn of_turn(turn: u64, second: u64) -> Fact {
    let outcome = Outcome { begun: after(second), ended: after(second), code: 1, output: String::new() };
    Fact::Probed { turn: Some(turn), outcome }
}

/// Plays facts on a container that has just started; the last health, and all effects but `Save` and timers of probes.
fn play(check: &Check, facts: &[Fact]) -> (Health, Vec<Effect>) {
    let mut health = observe(check, &Health::default(), &Fact::Started { at: AT }).0;
    let mut all = vec![];
    for fact in facts {
        let (next, effects) = observe(check, &health, fact);
        health = next;
        all.extend(effects);
    }
    (health, all)
}

fn emitted(effects: &[Effect]) -> Vec<Status> {
    effects.iter().filter_map(|e| if let Effect::Emit(status) = e { Some(*status) } else { None }).collect()
}

/// Every health that can be reached, by every fact, whatever its time, held to the invariants.
#[test]
fn every_step_keeps_the_invariants() {
    let mut seen = HashSet::new();
    for on_failure in [OnFailure::None, OnFailure::Kill, OnFailure::Restart, OnFailure::Stop] {
        for start_period in [0, 30] {
            let check = Check { on_failure, start_period: Duration::from_secs(start_period), ..check() };
            let mut queue = VecDeque::from([(Health::default(), 0)]);
            while let Some((from, second)) = queue.pop_front() {
                let key = (
                    from.status,
                    from.phase,
                    from.streak,
                    from.was_healthy,
                    from.acted,
                    from.log.len(),
                    second.min(40),
                );
                if from.streak > 4 || !seen.insert((on_failure, start_period, key)) {
                    continue;
                }
                let at = after(second);
                for fact in [
                    Fact::Started { at },
                    Fact::Thawed { at },
                    Fact::Resumed { at },
                    Fact::Stopped,
                    Fact::Due { turn: from.turn, at },
                    Fact::Due { turn: from.turn.wrapping_sub(1), at },
                    outcome(second, 0),
                    outcome(second, 1),
                    of_turn(from.turn, second),
                    of_turn(from.turn.wrapping_sub(1), second),
                ] {
                    let (to, effects) = observe(&check, &from, &fact);
                    hold(&check, &from, &fact, &to, &effects);
                    queue.push_back((to, second + 10));
                }
            }
        }
    }
    assert!(seen.len() > 300, "the walk saw only {} states", seen.len());
}

fn hold(check: &Check, from: &Health, fact: &Fact, to: &Health, effects: &[Effect]) {
    let what = format!("{from:?} --{fact:?}--> {to:?} {effects:?}");
    let arms = effects.iter().filter(|e| matches!(e, Effect::Arm(..))).count();
    // whoever is watched has the one timer, of the newest turn; whoever is not has none
    assert!(arms <= 1, "{what}");
    if arms == 1 {
        assert!(to.phase != Phase::Idle && to.turn > from.turn, "{what}");
        assert!(effects.iter().any(|e| matches!(e, Effect::Arm(_, turn) if *turn == to.turn)), "{what}");
    }
    if to.phase != from.phase && to.phase != Phase::Idle {
        assert_eq!(arms, 1, "{what}");
    }
    if from.phase != Phase::Idle && to.phase == Phase::Idle {
        assert_eq!(effects, [Effect::Disarm], "{what}");
    }
    // a probe is begun by the timer alone, never two at a time
    let probes = effects.contains(&Effect::Probe(to.turn));
    assert_eq!(probes, from.phase == Phase::Waiting && to.phase == Phase::Probing, "{what}");
    assert!(!probes || matches!(fact, Fact::Due { .. }), "{what}");
    // a change of status by a probe is told, no other is
    let told = effects.iter().any(|e| matches!(e, Effect::Emit(_)));
    let by_probe = to.log != from.log;
    assert_eq!(told, by_probe && to.status != from.status, "{what}");
    // what is done is done once, and only where it is wanted
    let acts = effects.iter().filter(|e| matches!(e, Effect::Act(_))).count();
    assert!(acts == 0 || check.on_failure != OnFailure::None && from.acted.is_none() && to.acted.is_some(), "{what}");
    // unhealthy by the count, or because it is not watched
    assert!(to.streak < check.retries || to.status == Status::Unhealthy, "{what}");
    assert!(to.log.len() <= KEPT, "{what}");
    // what would be lost with the daemon is written down
    let noted = |h: &Health| (h.status, h.streak.min(check.retries), h.acted);
    if by_probe && noted(from) != noted(to) {
        assert!(effects.contains(&Effect::Save), "{what}");
    }
}

#[test]
fn it_becomes_unhealthy_and_well_again() {
    let check = check();
    let facts = [outcome(10, 1), outcome(20, 1), outcome(30, 2), outcome(40, 0), outcome(50, 1), outcome(60, 0)];
    let (health, effects) = play(&check, &facts);
    assert_eq!(emitted(&effects), [Status::Unhealthy, Status::Healthy]);
    assert_eq!((health.status, health.streak, health.log.len()), (Status::Healthy, 0, 5));
    assert_eq!(health.log[0].begun, after(20));
}

#[test]
fn failures_in_the_start_period_do_not_count_and_are_asked_for_more_often() {
    let check = Check { start_period: Duration::from_secs(30), ..check() };
    let (health, effects) = play(&check, &[outcome(1, 1), outcome(2, 1), outcome(29, 1)]);
    assert_eq!((health.status, health.streak), (Status::Starting, 0));
    assert!(effects.contains(&Effect::Arm(Duration::from_secs(1), health.turn)));
    let (health, effects) = play(&check, &[outcome(1, 1), outcome(31, 1), outcome(32, 1)]);
    assert_eq!((health.status, health.streak), (Status::Unhealthy, 2));
    assert!(effects.contains(&Effect::Arm(Duration::from_secs(10), health.turn)));
    // once it was healthy they count
    let (health, _) = play(&check, &[outcome(1, 0), outcome(2, 1), outcome(3, 1)]);
    assert_eq!(health.status, Status::Unhealthy);
}

#[test]
fn what_was_asked_before_a_pause_or_told_twice_is_no_news() {
    let check = check();
    let (health, effects) = play(&check, &[outcome(10, 1), outcome(10, 1)]);
    assert_eq!((health.streak, health.log.len()), (1, 1), "{effects:?}");
    let paused = [outcome(10, 0), Fact::Stopped, outcome(11, 1), Fact::Thawed { at: after(15) }, outcome(12, 1)];
    let (health, _) = play(&check, &paused);
    // as Docker, until the next probe
    assert_eq!((health.status, health.log.len()), (Status::Unhealthy, 1));
    assert_eq!(
        emitted(&play(&check, &[&paused[..], &[outcome(16, 0)]].concat()).1),
        [Status::Healthy, Status::Healthy]
    );
}

#[test]
fn only_the_answer_that_is_waited_for_counts() {
    let check = check();
    let waiting = observe(&check, &Health::default(), &Fact::Started { at: AT }).0;
    let probing = observe(&check, &waiting, &Fact::Due { turn: waiting.turn, at: after(10) }).0;
    let told = |h: &Health, turn| observe(&check, h, &of_turn(turn, 10)).0.log.len();
    assert_eq!(told(&probing, probing.turn), 1);
    assert_eq!(told(&probing, waiting.turn), 0);
    let frozen = observe(&check, &probing, &Fact::Stopped).0;
    let thawed = observe(&check, &frozen, &Fact::Thawed { at: after(12) }).0;
    assert_eq!((told(&frozen, probing.turn), told(&thawed, probing.turn)), (0, 0));
}

#[test]
fn a_new_daemon_goes_on_waiting() {
    let check = check();
    let (health, _) = play(&check, &[outcome(10, 1)]);
    for (second, left) in [(13, 7), (19, 1), (24, 6), (504, 6)] {
        let (h, effects) = observe(&check, &health, &Fact::Resumed { at: after(second) });
        assert_eq!(effects, [Effect::Arm(Duration::from_secs(left), h.turn)]);
        assert_eq!((h.status, h.streak), (Status::Starting, 1));
    }
}

#[test]
fn it_is_acted_once_until_it_is_well_or_starts_again() {
    let check = Check { on_failure: OnFailure::Restart, ..check() };
    let acts = |facts: &[Fact]| {
        let effects = play(&check, facts).1;
        effects.iter().filter(|e| **e == Effect::Act(OnFailure::Restart)).count()
    };
    let sick = [outcome(10, 1), outcome(20, 1), outcome(30, 1)];
    assert_eq!(acts(&sick[..1]), 0);
    assert_eq!(acts(&sick), 1);
    assert_eq!(acts(&[&sick[..], &[outcome(40, 0), outcome(50, 1), outcome(60, 1)]].concat()), 2);
    let again = [Fact::Stopped, Fact::Started { at: after(70) }, outcome(80, 1), outcome(90, 1)];
    assert_eq!(acts(&[&sick[..], &again].concat()), 2);
    // a pause makes it look unhealthy, and is no reason to act
    assert_eq!(acts(&[outcome(10, 0), Fact::Stopped, Fact::Thawed { at: after(15) }, outcome(20, 1)]), 0);
}

#[test]
fn a_silent_shim_counts_as_a_failure() {
    let check = check();
    let health = observe(&check, &Health::default(), &Fact::Started { at: AT }).0;
    let (health, _) = observe(&check, &health, &Fact::Due { turn: health.turn, at: after(10) });
    let (health, _) = observe(&check, &health, &Fact::Due { turn: health.turn, at: after(50) });
    assert_eq!((health.streak, health.log[0].code, health.phase), (1, -1, Phase::Waiting));
}

#[test]
fn timeouts_read_as_dockers() {
    assert_eq!(timed_out(Duration::from_secs(1), ""), "Health check exceeded timeout (1s)");
    assert_eq!(timed_out(Duration::from_millis(1500), "hm\n"), "Health check exceeded timeout (1.5s): hm\n");
}
