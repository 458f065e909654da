//! What a container's change of state is to its health.

use values::Timestamp;

use super::state::Fact;
use crate::container::state::{Phase, State};

/// `None`: nothing. `now` is when the change was seen.
pub fn follow(was: &State, is: &State, now: Timestamp) -> Option<Fact> {
    let watched = |state: &State| matches!(state.phase, Phase::Running { paused: false, .. });
    match (watched(was), watched(is)) {
        (false, true) if was.is_paused() => Some(Fact::Thawed { at: now }),
        (false, true) => Some(Fact::Started { at: is.started_at }),
        (true, false) => Some(Fact::Stopped),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_change() {
        let now = Timestamp { secs: 9, nanos: 0 };
        let begun = Timestamp { secs: 5, nanos: 0 };
        let (up, frozen) = (Phase::Running { paused: false, then: None }, Phase::Running { paused: true, then: None });
        let start = Phase::Starting { then: None };
        let check = |from: Phase, to: Phase, expected: Option<Fact>| {
            let state = |phase| State { phase, started_at: begun, ..State::default() };
            assert_eq!(follow(&state(from), &state(to), now), expected, "{from:?} {to:?}");
        };
        check(start, up, Some(Fact::Started { at: begun }));
        check(Phase::Exited, up, Some(Fact::Started { at: begun }));
        check(up, frozen, Some(Fact::Stopped));
        check(frozen, up, Some(Fact::Thawed { at: now }));
        check(up, Phase::Exited, Some(Fact::Stopped));
        check(up, Phase::Backoff, Some(Fact::Stopped));
        check(frozen, Phase::Exited, None);
        check(up, up, None);
        check(Phase::Created, start, None);
    }
}
