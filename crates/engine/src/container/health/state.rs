//! A container's health: the one pure table.
//!
//! [`observe`] takes in what happened and computes a new [`Health`] and the [`Effect`]s to carry out, in order.
//!
//! ```text
//!            Started, Thawed, Resumed          Due                       Probed
//!   Idle ───────────────────────────▶ Waiting ─────▶ Probing ──────────────────▶ Waiting
//!    ▲                                   │              │        (or Due: no answer came)
//!    └──────────── Stopped ──────────────┴──────────────┘
//! ```
//!
//! As in Docker: the log outlives a restart, a container that is not watched (frozen or ended) counts as unhealthy, and
//! after a pause it does so until the next probe.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use values::{Timestamp, duration};

use super::check::{Check, OnFailure};

/// As many outcomes are kept.
const KEPT: usize = 5;
/// For a shim to tell the end of a probe, beyond the probe's own timeout.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The exit code of a probe that did not run to its end.
pub const NO_CODE: i32 = -1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    #[default]
    Starting,
    Healthy,
    Unhealthy,
}

impl Status {
    /// Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// The same in the status of a list.
    pub fn in_list(self) -> &'static str {
        if self == Self::Starting { "health: starting" } else { self.word() }
    }
}

/// What came of one probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub begun: Timestamp,
    pub ended: Timestamp,
    /// Of the program; -1 when it was not started or did not end.
    pub code: i32,
    pub output: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Not watched: the container does not run or is frozen.
    #[default]
    Idle,
    /// For the next probe.
    Waiting,
    Probing,
}

/// What is known. Made by the container's first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub status: Status,
    pub phase: Phase,
    /// Failures in a row that count.
    pub streak: u32,
    /// The last outcomes, oldest first.
    pub log: Vec<Outcome>,
    /// When the container's process started.
    pub started: Timestamp,
    /// Since when it has been watched without a break: what was asked before counts no more.
    pub since: Timestamp,
    /// It was healthy at some time in this run.
    pub was_healthy: bool,
    /// What was done in this run about its being unhealthy.
    pub acted: Option<OnFailure>,
    /// Tells timers apart: those of earlier turns are stale.
    pub turn: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The container's process started.
    Started {
        at: Timestamp,
    },
    Thawed {
        at: Timestamp,
    },
    /// A daemon has come back to a container that has been running all the time.
    Resumed {
        at: Timestamp,
    },
    /// It ended or was frozen.
    Stopped,
    Due {
        turn: u64,
        at: Timestamp,
    },
    /// `turn`: of the [`Effect::Probe`] that led to it; `None`: an earlier daemon asked, or it was for nothing.
    Probed {
        turn: Option<u64>,
        outcome: Outcome,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// After this time, `Due`. There is one timer: an earlier one is replaced.
    Arm(Duration, u64),
    Disarm,
    /// Ask, and tell the answer with this turn.
    Probe(u64),
    /// The event `health_status`.
    Emit(Status),
    Act(OnFailure),
    /// More changed than the log: write it down.
    Save,
}

/// Takes in what happened. A fact that does not fit (a stale timer, a result told twice) changes nothing.
pub fn observe(check: &Check, health: &Health, fact: &Fact) -> (Health, Vec<Effect>) {
    let h = health.clone();
    match (h.phase, fact) {
        (_, Fact::Started { at }) => started(h, *at, check),
        (Phase::Idle, Fact::Thawed { at }) => {
            let h = Health { since: *at, ..h };
            let delay = delay(&h, *at, check);
            wait(h, delay)
        }
        (_, Fact::Resumed { at }) => resumed(h, *at, check),
        (Phase::Waiting | Phase::Probing, Fact::Stopped) => {
            let h = Health { phase: Phase::Idle, status: Status::Unhealthy, turn: h.turn + 1, ..h };
            (h, vec![Effect::Disarm])
        }
        (Phase::Waiting, Fact::Due { turn, .. }) if *turn == h.turn => {
            let turn = h.turn + 1;
            let patience = check.timeout.saturating_add(PATIENCE);
            (Health { phase: Phase::Probing, turn, ..h }, vec![Effect::Arm(patience, turn), Effect::Probe(turn)])
        }
        (Phase::Probing, Fact::Due { turn, at }) if *turn == h.turn => {
            let output = "the container's shim has not told the end of the health check".into();
            probed(h, Outcome { begun: *at, ended: *at, code: NO_CODE, output }, check)
        }
        (Phase::Probing, Fact::Probed { turn: Some(turn), outcome }) if *turn == h.turn => {
            probed(h, outcome.clone(), check)
        }
        (Phase::Waiting | Phase::Probing, Fact::Probed { turn: None, outcome }) if is_news(&h, outcome) => {
            probed(h, outcome.clone(), check)
        }
        _ => (h, vec![]),
    }
}

fn started(h: Health, at: Timestamp, check: &Check) -> (Health, Vec<Effect>) {
    let h = Health { log: h.log, turn: h.turn, started: at, since: at, ..Health::default() };
    let delay = delay(&h, at, check);
    wait(h, delay)
}

/// The wait goes on where it was. Not every probe is written down: those since the last one that was are taken to have come
/// in time, so that all the containers of a daemon that comes back are not asked at the same moment.
fn resumed(h: Health, now: Timestamp, check: &Check) -> (Health, Vec<Effect>) {
    let last = h.log.last().map_or(h.since, |outcome| outcome.ended.max(h.since));
    let (delay, past) = (delay(&h, last, check), now.since(last));
    let into_it = past.as_nanos().checked_rem(delay.as_nanos()).unwrap_or_default();
    wait(h, delay - Duration::from_nanos_u128(into_it))
}

fn wait(h: Health, delay: Duration) -> (Health, Vec<Effect>) {
    let turn = h.turn + 1;
    (Health { phase: Phase::Waiting, turn, ..h }, vec![Effect::Arm(delay, turn)])
}

/// From one probe's end to the next one's begin.
fn delay(h: &Health, now: Timestamp, check: &Check) -> Duration {
    let starting = h.status == Status::Starting && now.since(h.started) < check.start_period;
    if starting { check.start_interval } else { check.interval }
}

/// Not told before, and not asked before the container was frozen.
fn is_news(h: &Health, outcome: &Outcome) -> bool {
    outcome.begun >= h.since && h.log.iter().all(|known| outcome.begun != known.begun)
}

fn probed(mut h: Health, outcome: Outcome, check: &Check) -> (Health, Vec<Effect>) {
    let before = (h.status, h.streak.min(check.retries), h.acted);
    let mut effects = vec![];
    if outcome.code == 0 {
        (h.status, h.streak, h.acted, h.was_healthy) = (Status::Healthy, 0, None, true);
    } else if h.status != Status::Starting || outcome.begun.since(h.started) >= check.start_period {
        h.streak = h.streak.saturating_add(1);
    }
    let failed = h.streak >= check.retries;
    if failed {
        h.status = Status::Unhealthy;
    }
    let now = outcome.ended;
    h.log.push(outcome);
    h.log.drain(..h.log.len().saturating_sub(KEPT));
    if h.status != before.0 {
        effects.push(Effect::Emit(h.status));
    }
    if failed && h.acted.is_none() && check.on_failure != OnFailure::None {
        h.acted = Some(check.on_failure);
        effects.push(Effect::Act(check.on_failure));
    }
    if before != (h.status, h.streak.min(check.retries), h.acted) {
        effects.push(Effect::Save);
    }
    let delay = delay(&h, now, check);
    let (h, armed) = wait(h, delay);
    effects.extend(armed);
    (h, effects)
}

/// Docker's text for a probe that was killed.
pub fn timed_out(timeout: Duration, output: &str) -> String {
    let timeout = duration::format_go(i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX));
    match output {
        "" => format!("Health check exceeded timeout ({timeout})"),
        output => format!("Health check exceeded timeout ({timeout}): {output}"),
    }
}

#[cfg(test)]
mod tests;
