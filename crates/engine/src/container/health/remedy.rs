//! What is done about an unhealthy container: an ask like a user's.

use std::time::Duration;

use values::Signal;

use super::check::OnFailure;
use crate::container::state::{Ask, State};

/// `None`: nothing is to be done, or its end is under way already. `signal` and `grace` are the container's own.
pub fn remedy(
    state: &State,
    action: OnFailure,
    recovered: bool,
    signal: Signal,
    grace: Option<Duration>,
) -> Option<Ask> {
    if !state.runs_undisturbed(signal) {
        return None;
    }
    match action {
        OnFailure::None => None,
        // not a user's kill: the restart policy has its say
        OnFailure::Kill => Some(Ask::Kill { signal: Signal::KILL, ends: false }),
        OnFailure::Restart => Some(Ask::Renew { signal, grace, recovered }),
        OnFailure::Stop => Some(Ask::Stop { signal, grace }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::state::{Phase, Then, admit};

    #[test]
    fn only_what_runs_undisturbed_and_always_admitted() {
        let up = |paused, then| State { phase: Phase::Running { paused, then }, ..State::default() };
        for action in [OnFailure::None, OnFailure::Kill, OnFailure::Restart, OnFailure::Stop] {
            let ask = |state: &State| remedy(state, action, false, Signal::TERM, None);
            let asked = ask(&up(false, None));
            assert_eq!(asked.is_some(), action != OnFailure::None);
            assert!(asked.is_none_or(|a| admit(&up(false, None), a).is_ok()), "{action}");
            for state in [up(true, None), up(false, Some(Then::Start)), up(false, Some(Then::Remove)), State::default()]
            {
                assert_eq!(ask(&state), None, "{action} {state:?}");
            }
            // after a signal: by what it was
            for (signal, acts) in [(Signal::HUP, true), (Signal::TERM, false), (Signal::KILL, false)] {
                let state = State { signalled: signal.number(), ..up(false, Some(Then::Killed)) };
                let asked = ask(&state);
                assert_eq!(asked.is_some(), acts && action != OnFailure::None, "{action} {signal:?}");
                assert!(asked.is_none_or(|a| admit(&state, a).is_ok()), "{action}");
            }
        }
    }
}
