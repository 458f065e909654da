//! A container's states: the one pure table.
//!
//! [`admit`] answers what a user asks, [`observe`] takes in what happened. Both only compute: a new [`State`] and the
//! [`Effect`]s to carry out, in order. Effects never block the supervisor; what they lead to comes back as a [`Fact`].
//!
//! ```text
//!            Start            Launched             Exited, policy says again
//!  Created ─────────▶ Starting ───────▶ Running ─────────────────────────▶ Backoff ─┐
//!     │                  │ ▲               │ Exited                           │     │ BackoffElapsed
//!     │     LaunchFailed │ │ Start         ▼                                  │     │
//!     │                  └─┼──────────▶ Exited ◀──────────────── Stop ────────┘     │
//!     │                    └───────────────┼──────────────────────────── Starting ◀─┘
//!     └──────────── Remove ───────────▶ Removing ── Removed ──▶ Gone
//! ```

use serde::{Deserialize, Serialize};
use std::time::Duration;
use values::{Signal, Timestamp};

/// The exit code of a container whose end nobody saw, as Docker has it.
const LOST: i32 = 255;
/// First delay before a restart by policy; doubled each time.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);
pub const BACKOFF_MOST: Duration = Duration::from_secs(60);
/// A run at least this long starts the delays anew.
pub const BACKOFF_RESET: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    Created,
    /// A shim is being asked to run it. `then`: what was asked meanwhile; `Start` for a restart.
    Starting {
        then: Option<Then>,
    },
    Running {
        paused: bool,
        then: Option<Then>,
    },
    /// Waits to be started again by its restart policy.
    Backoff,
    Exited,
    Removing,
    /// Its last state: nothing of it is left.
    Gone,
    /// Could not be removed whole.
    Dead,
}

/// What follows the end of the running process, instead of the restart policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Then {
    Stay,
    /// The same, but nobody said stop: it was killed.
    Killed,
    Start,
    /// Asked for while it was starting: end first, then start.
    EndAndStart,
    /// It is unhealthy: end, and start again after a delay. `recovered`: it was well in this run, so the delays begin anew.
    Renew {
        recovered: bool,
    },
    Remove,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub phase: Phase,
    /// The first process, in the host's numbering; 0 when none.
    pub pid: i32,
    /// Its start time in clock ticks since boot: tells a reused pid apart.
    pub birth: u64,
    pub exit_code: i32,
    /// As `exit_code`, but kept while it runs again: for those who waited for that end.
    #[serde(default)]
    pub last_code: i32,
    /// Why the last start failed.
    pub error: String,
    pub oom: bool,
    /// The signal that killed it; 0: it exited.
    #[serde(default)]
    pub signal: i32,
    /// With `oom`: the most memory it has held, bytes; 0: not known.
    #[serde(default)]
    pub memory_peak: u64,
    /// The last signal which it was sent in this run by this engine; 0: none.
    #[serde(default)]
    pub signalled: i32,
    /// What was to follow its last end; `None`: it ended by itself.
    #[serde(default)]
    pub ended_by: Option<Then>,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// By policy, since the user last started it.
    pub restarts: u32,
    /// How many times a process of it ended or failed to start.
    pub exits: u64,
    /// How many times it was launched; timers of earlier launches are stale.
    pub generation: u64,
    /// Stopped by a user's word: `unless-stopped` and `on-failure` leave it alone.
    pub stopped_by_user: bool,
    pub backoff_millis: u64,
    /// How to end what is starting once it is up; of `Starting` only.
    #[serde(skip)]
    pub ending: Option<Ending>,
    /// A pause was asked for, and no end since.
    #[serde(skip)]
    pub freezing: bool,
}

/// What a `stop`, `restart` or `kill` that comes while it starts will do as soon as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    pub signal: Signal,
    /// Before SIGKILL; `None` waits for ever.
    pub grace: Option<Duration>,
}

impl Ending {
    /// Of two that were asked for, the one that ends it sooner.
    fn sooner(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(e) if e.signal == Signal::KILL => e,
            Some(e) if self.signal != Signal::KILL => {
                let graces = [e.grace, self.grace];
                Self { signal: self.signal, grace: graces.into_iter().flatten().min() }
            }
            _ => self,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            phase: Phase::Created,
            pid: 0,
            birth: 0,
            exit_code: 0,
            last_code: 0,
            error: String::new(),
            oom: false,
            signal: 0,
            memory_peak: 0,
            signalled: 0,
            ended_by: None,
            started_at: Timestamp::ZERO,
            finished_at: Timestamp::ZERO,
            restarts: 0,
            exits: 0,
            generation: 0,
            stopped_by_user: false,
            backoff_millis: 0,
            ending: None,
            freezing: false,
        }
    }
}

impl State {
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }
    pub fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Running { paused: true, .. })
    }
    pub fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    /// It runs, and nobody has asked for its end. What it was sent may count as a kill (as in Docker, any signal does where it
    /// has no stop signal of its own) and not be meant as one: a signal like HUP. `stop` is its stop signal.
    pub fn runs_undisturbed(&self, stop: Signal) -> bool {
        let ends = [stop, Signal::KILL, Signal::TERM, Signal::INT, Signal::QUIT];
        match self.phase {
            Phase::Running { paused: false, then: None } => true,
            Phase::Running { paused: false, then: Some(Then::Killed) } => {
                ends.iter().all(|signal| signal.number() != self.signalled)
            }
            _ => false,
        }
    }

    /// Docker's word for it.
    pub fn status(&self) -> &'static str {
        match self.phase {
            Phase::Created => "created",
            // the outcome is not known yet: as Docker, it is still what it was
            Phase::Starting { .. } if self.exits == 0 => "created",
            Phase::Starting { .. } if self.restarts > 0 => "restarting",
            Phase::Starting { .. } | Phase::Exited => "exited",
            Phase::Running { paused: true, .. } => "paused",
            Phase::Running { .. } => "running",
            Phase::Backoff => "restarting",
            Phase::Removing | Phase::Gone => "removing",
            Phase::Dead => "dead",
        }
    }
}

/// The container's own will, from its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub restart: Restart,
    pub auto_remove: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    No,
    Always,
    UnlessStopped,
    /// On a non-zero exit code, at most so many times (0: any).
    OnFailure(u32),
}

impl Restart {
    fn wants(self, code: i32, restarts: u32) -> bool {
        match self {
            Self::No => false,
            Self::Always | Self::UnlessStopped => true,
            Self::OnFailure(most) => code != 0 && (most == 0 || restarts < most),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Start,
    /// `grace` before SIGKILL; `None` waits for ever.
    Stop {
        signal: Signal,
        grace: Option<Duration>,
    },
    Restart {
        signal: Signal,
        grace: Option<Duration>,
    },
    /// `ends`: the signal is meant to end it (SIGKILL or its stop signal), so the restart policy must not bring it back.
    Kill {
        signal: Signal,
        ends: bool,
    },
    Pause,
    Unpause,
    Remove {
        force: bool,
    },
    /// End it as by `Restart`, and start it again as its restart policy does: after a delay.
    Renew {
        signal: Signal,
        grace: Option<Duration>,
        recovered: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Launched {
        pid: i32,
        birth: u64,
        at: Timestamp,
    },
    LaunchFailed {
        code: i32,
        message: String,
        at: Timestamp,
    },
    Exited(Exit),
    /// The shim vanished with the container and left no exit code.
    Lost {
        at: Timestamp,
    },
    Oom,
    GraceElapsed {
        generation: u64,
    },
    BackoffElapsed {
        generation: u64,
    },
    Frozen,
    Thawed,
    Removed,
    RemoveFailed,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub code: i32,
    /// As [`State::signal`].
    pub signal: i32,
    pub oom: bool,
    /// As [`State::memory_peak`].
    pub memory_peak: u64,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Launch,
    Signal(Signal),
    KillAll,
    /// After this time, `GraceElapsed`.
    ArmGrace(Duration, u64),
    /// After this time, `BackoffElapsed`.
    ArmBackoff(Duration, u64),
    Freeze,
    Thaw,
    /// The process ended: give back what it held (shim, address).
    Release,
    /// Remove everything of the container; ends as `Removed` or `RemoveFailed`.
    Delete,
    Emit(Event),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Start,
    Die,
    Stop,
    Kill(Signal),
    Restart,
    Oom,
    Pause,
    Unpause,
    Destroy,
}

/// Why an ask cannot be admitted; the words are made where the container's name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is so already (304).
    NotModified,
    NotRunning,
    Paused,
    AlreadyPaused,
    NotPaused,
    Restarting,
    MarkedForRemoval,
    RemovalInProgress,
    /// It runs, and removal was not forced.
    Running,
    /// As `Running`, but frozen.
    RunningPaused,
    /// As `Running`, but waits for its restart.
    RunningRestarting,
}

type Step = (State, Vec<Effect>);

/// Answers an ask. The state is unchanged when it is refused.
pub fn admit(state: &State, ask: Ask) -> Result<Step, Refusal> {
    let mut s = state.clone();
    match ask {
        Ask::Start => start(s),
        Ask::Stop { signal, grace } => stop(s, signal, grace),
        Ask::Restart { signal, grace } => restart(s, signal, grace),
        Ask::Kill { signal, ends } => kill(s, signal, ends),
        Ask::Remove { force } => remove(s, force),
        Ask::Renew { signal, grace, recovered } => match &mut s.phase {
            Phase::Running { then, .. } if state.runs_undisturbed(signal) => {
                *then = Some(Then::Renew { recovered });
                let effects = end_process(&mut s, signal, grace);
                Ok((s, effects))
            }
            _ => Err(Refusal::NotRunning),
        },
        Ask::Pause => match s.phase {
            Phase::Running { paused: false, .. } => {
                s.freezing = true;
                Ok((s, vec![Effect::Freeze]))
            }
            Phase::Running { .. } => Err(Refusal::AlreadyPaused),
            Phase::Backoff => Err(Refusal::Restarting),
            _ => Err(Refusal::NotRunning),
        },
        Ask::Unpause => match &mut s.phase {
            Phase::Running { paused: true, .. } => Ok((s, vec![Effect::Thaw])),
            _ => Err(Refusal::NotPaused),
        },
    }
}

fn start(mut s: State) -> Result<Step, Refusal> {
    match s.phase {
        Phase::Created | Phase::Exited => {
            s.stopped_by_user = false;
            s.restarts = 0;
            s.backoff_millis = 0;
            Ok(launch(s))
        }
        // somebody else's start is under way: share its outcome
        Phase::Starting { .. } => Ok((s, vec![])),
        Phase::Running { paused: true, .. } => Err(Refusal::Paused),
        Phase::Running { .. } | Phase::Backoff => Err(Refusal::NotModified),
        Phase::Removing | Phase::Gone | Phase::Dead => Err(Refusal::MarkedForRemoval),
    }
}

fn launch(mut s: State) -> Step {
    s.phase = Phase::Starting { then: None };
    s.generation += 1;
    (s, vec![Effect::Launch])
}

/// The same for `restart`, which is told when it succeeded.
fn relaunch(s: State) -> Step {
    let (mut s, effects) = launch(s);
    s.phase = Phase::Starting { then: Some(Then::Start) };
    (s, effects)
}

/// The signal, and SIGKILL after the grace. A frozen process must be thawed to see it.
fn end_process(s: &mut State, signal: Signal, grace: Option<Duration>) -> Vec<Effect> {
    s.signalled = signal.number();
    s.freezing = false;
    let mut effects = vec![Effect::Emit(Event::Kill(signal)), Effect::Signal(signal)];
    if s.is_paused() {
        effects.push(Effect::Thaw);
    }
    if let Some(grace) = grace {
        effects.push(Effect::ArmGrace(grace, s.generation));
    }
    effects
}

fn stop(mut s: State, signal: Signal, grace: Option<Duration>) -> Result<Step, Refusal> {
    match &mut s.phase {
        Phase::Running { then, .. } => {
            // a removal that was asked for stays asked for
            if *then != Some(Then::Remove) {
                *then = Some(Then::Stay);
            }
            s.stopped_by_user = true;
            let effects = end_process(&mut s, signal, grace);
            Ok((s, effects))
        }
        Phase::Starting { then } => {
            if *then != Some(Then::Remove) {
                *then = Some(Then::Stay);
            }
            s.stopped_by_user = true;
            s.ending = Some(Ending { signal, grace }.sooner(s.ending));
            Ok((s, vec![]))
        }
        Phase::Backoff => {
            s.stopped_by_user = true;
            s.phase = Phase::Exited;
            s.generation += 1;
            Ok((s, vec![Effect::Emit(Event::Stop)]))
        }
        _ => Err(Refusal::NotModified),
    }
}

fn restart(mut s: State, signal: Signal, grace: Option<Duration>) -> Result<Step, Refusal> {
    match &mut s.phase {
        Phase::Running { then: Some(Then::Remove), .. } | Phase::Starting { then: Some(Then::Remove) } => {
            Err(Refusal::MarkedForRemoval)
        }
        Phase::Running { then, .. } => {
            *then = Some(Then::Start);
            let effects = end_process(&mut s, signal, grace);
            Ok((s, effects))
        }
        // a start is under way: that is what was wanted, unless somebody waits for its end
        Phase::Starting { then } => {
            *then = match then {
                Some(Then::Stay | Then::Killed | Then::EndAndStart) => Some(Then::EndAndStart),
                _ => Some(Then::Start),
            };
            Ok((s, vec![]))
        }
        Phase::Created | Phase::Exited | Phase::Backoff => {
            s.stopped_by_user = false;
            s.restarts = 0;
            s.backoff_millis = 0;
            Ok(relaunch(s))
        }
        Phase::Removing | Phase::Gone | Phase::Dead => Err(Refusal::MarkedForRemoval),
    }
}

fn kill(mut s: State, signal: Signal, ends: bool) -> Result<Step, Refusal> {
    match &mut s.phase {
        Phase::Running { paused, then } => {
            if ends {
                s.stopped_by_user = true;
                if matches!(then, None | Some(Then::Renew { .. })) {
                    *then = Some(Then::Killed);
                }
            }
            let thaw = *paused && ends;
            s.signalled = signal.number();
            s.freezing &= !ends;
            let mut effects = vec![Effect::Emit(Event::Kill(signal)), Effect::Signal(signal)];
            if thaw {
                effects.push(Effect::Thaw);
            }
            Ok((s, effects))
        }
        Phase::Starting { then } if ends => {
            s.stopped_by_user = true;
            match then {
                None | Some(Then::Start | Then::Renew { .. }) => *then = Some(Then::Killed),
                Some(Then::Stay | Then::Killed | Then::EndAndStart | Then::Remove) => {}
            }
            s.ending = Some(Ending { signal, grace: None }.sooner(s.ending));
            Ok((s, vec![]))
        }
        Phase::Backoff if ends => {
            s.stopped_by_user = true;
            s.phase = Phase::Exited;
            s.generation += 1;
            Ok((s, vec![]))
        }
        Phase::Backoff => Err(Refusal::Restarting),
        _ => Err(Refusal::NotRunning),
    }
}

fn remove(mut s: State, force: bool) -> Result<Step, Refusal> {
    match &mut s.phase {
        Phase::Created | Phase::Exited | Phase::Dead => {
            s.phase = Phase::Removing;
            Ok((s, vec![Effect::Delete]))
        }
        Phase::Backoff if force => {
            s.phase = Phase::Removing;
            s.generation += 1;
            Ok((s, vec![Effect::Delete]))
        }
        Phase::Running { then, .. } if force => {
            *then = Some(Then::Remove);
            s.stopped_by_user = true;
            s.signalled = Signal::KILL.number();
            Ok((s, vec![Effect::Emit(Event::Kill(Signal::KILL)), Effect::KillAll]))
        }
        Phase::Starting { then } if force => {
            *then = Some(Then::Remove);
            s.stopped_by_user = true;
            Ok((s, vec![]))
        }
        Phase::Running { paused: true, .. } => Err(Refusal::RunningPaused),
        Phase::Running { .. } | Phase::Starting { .. } => Err(Refusal::Running),
        Phase::Backoff => Err(Refusal::RunningRestarting),
        Phase::Removing | Phase::Gone => Err(Refusal::RemovalInProgress),
    }
}

/// Takes in what happened. A fact that does not fit the state (a stale timer, a repeated exit) changes nothing.
pub fn observe(state: &State, fact: &Fact, policy: &Policy) -> Step {
    let s = state.clone();
    match (s.phase, fact) {
        (Phase::Starting { then }, Fact::Launched { pid, birth, at }) => launched(s, then, *pid, *birth, *at),
        // a daemon that comes back finds it running, whatever it last wrote down
        (Phase::Created | Phase::Exited | Phase::Backoff, Fact::Launched { pid, birth, at }) => {
            launched(s, None, *pid, *birth, *at)
        }
        // it ended and was started again, and neither could be written down
        (Phase::Running { .. }, Fact::Launched { pid, birth, at }) if (s.pid, s.birth) != (*pid, *birth) => {
            launched(State { exits: s.exits + 1, ..s }, None, *pid, *birth, *at)
        }
        (Phase::Starting { then }, Fact::LaunchFailed { code, message, at }) => {
            launch_failed(s, then, *code, message, *at, policy)
        }
        (Phase::Running { then, .. }, Fact::Exited(exit)) => ended(s, then, *exit, policy),
        (Phase::Starting { then }, Fact::Exited(exit)) => ended_unseen(s, then, *exit, policy),
        (Phase::Running { then, .. }, Fact::Lost { at }) => {
            let lost = Exit { code: LOST, signal: 0, oom: false, memory_peak: 0, at: *at };
            ended(s, then, lost, policy)
        }
        (Phase::Starting { then }, Fact::Lost { at }) => {
            launch_failed(s, then, 128, "the daemon ended before the container was started", *at, policy)
        }
        (Phase::Running { .. }, Fact::Oom) => (State { oom: true, ..s }, vec![Effect::Emit(Event::Oom)]),
        (Phase::Running { .. }, Fact::GraceElapsed { generation }) if *generation == s.generation => {
            let s = State { signalled: Signal::KILL.number(), ..s };
            (s, vec![Effect::Emit(Event::Kill(Signal::KILL)), Effect::KillAll])
        }
        (Phase::Backoff, Fact::BackoffElapsed { generation }) if *generation == s.generation => launch(s),
        (Phase::Running { paused: false, then }, Fact::Frozen) => {
            let mut effects = vec![Effect::Emit(Event::Pause)];
            // Its end was asked for meanwhile: frozen it would not see the signal. Of an earlier one it has made what it would
            // (a reload, say), unless there was no choice.
            let had_a_choice = then == Some(Then::Killed) && s.signalled != Signal::KILL.number();
            if then.is_some() && !(had_a_choice && s.freezing) {
                effects.push(Effect::Thaw);
            }
            (State { phase: Phase::Running { paused: true, then }, freezing: false, ..s }, effects)
        }
        (Phase::Running { paused: true, then }, Fact::Thawed) => {
            (State { phase: Phase::Running { paused: false, then }, ..s }, vec![Effect::Emit(Event::Unpause)])
        }
        (Phase::Removing, Fact::Removed) => (State { phase: Phase::Gone, ..s }, vec![Effect::Emit(Event::Destroy)]),
        (Phase::Removing, Fact::RemoveFailed) => (State { phase: Phase::Dead, ..s }, vec![]),
        _ => (s, vec![]),
    }
}

fn launched(mut s: State, then: Option<Then>, pid: i32, birth: u64, at: Timestamp) -> Step {
    s.pid = pid;
    s.birth = birth;
    s.started_at = at;
    s.exit_code = 0;
    s.error.clear();
    s.oom = false;
    s.signal = 0;
    s.memory_peak = 0;
    s.signalled = 0;
    s.ended_by = None;
    let after = match then {
        Some(Then::Start) => None,
        Some(Then::EndAndStart) => Some(Then::Start),
        other => other,
    };
    s.phase = Phase::Running { paused: false, then: after };
    let mut effects = vec![Effect::Emit(Event::Start)];
    let ending = s.ending.take();
    match then {
        Some(Then::Stay | Then::Killed | Then::EndAndStart) => {
            let Ending { signal, grace } = ending.unwrap_or(Ending { signal: Signal::KILL, grace: None });
            effects.extend(end_process(&mut s, signal, grace));
        }
        Some(Then::Remove) => {
            s.signalled = Signal::KILL.number();
            effects.extend([Effect::Emit(Event::Kill(Signal::KILL)), Effect::KillAll]);
        }
        Some(Then::Start) => effects.push(Effect::Emit(Event::Restart)),
        Some(Then::Renew { .. }) | None => {}
    }
    (s, effects)
}

fn launch_failed(mut s: State, then: Option<Then>, code: i32, message: &str, at: Timestamp, policy: &Policy) -> Step {
    let by_policy = s.restarts > 0;
    let never_ran = s.started_at.is_zero();
    s.ending = None;
    s.pid = 0;
    s.exits += 1;
    s.exit_code = code;
    s.last_code = code;
    message.clone_into(&mut s.error);
    if !never_ran {
        s.finished_at = at;
    }
    s.phase = if never_ran { Phase::Created } else { Phase::Exited };
    if then == Some(Then::Remove) || policy.auto_remove {
        s.phase = Phase::Removing;
        return (s, vec![Effect::Release, Effect::Delete]);
    }
    // the user hears of a failed start and decides; the policy tries on where it had begun to
    if by_policy && then.is_none() && policy.restart.wants(code, s.restarts) {
        return back_off(s, vec![Effect::Release], Duration::ZERO);
    }
    (s, vec![Effect::Release])
}

/// It was launched, and that could not be written down before it ended.
fn ended_unseen(s: State, then: Option<Then>, exit: Exit, policy: &Policy) -> Step {
    let (s, _) = launched(s, then, 0, 0, exit.at);
    let then = if let Phase::Running { then, .. } = s.phase { then } else { None };
    let (s, mut effects) = ended(s, then, exit, policy);
    effects.insert(0, Effect::Emit(Event::Start));
    (s, effects)
}

fn ended(mut s: State, then: Option<Then>, exit: Exit, policy: &Policy) -> Step {
    let Exit { code, signal, oom, memory_peak, at } = exit;
    let ran = at.since(s.started_at);
    s.signal = signal;
    s.memory_peak = memory_peak;
    s.ended_by = then;
    s.pid = 0;
    s.exits += 1;
    s.exit_code = code;
    s.last_code = code;
    s.oom |= oom;
    s.finished_at = at;
    s.phase = Phase::Exited;
    let mut effects = vec![Effect::Release, Effect::Emit(Event::Die)];
    match then {
        Some(Then::Remove) => {
            s.phase = Phase::Removing;
            effects.push(Effect::Delete);
            (s, effects)
        }
        Some(Then::Start | Then::EndAndStart) => {
            s.stopped_by_user = false;
            s.restarts = 0;
            effects.insert(1, Effect::Emit(Event::Stop));
            let (s, more) = relaunch(s);
            effects.extend(more);
            (s, effects)
        }
        Some(Then::Stay) => {
            // docker tells of the stop before the end
            effects.insert(1, Effect::Emit(Event::Stop));
            rest(s, effects, policy)
        }
        Some(Then::Killed) => rest(s, effects, policy),
        Some(Then::Renew { recovered }) => back_off(s, effects, if recovered { ran } else { Duration::ZERO }),
        None if !policy.auto_remove && policy.restart.wants(code, s.restarts) => back_off(s, effects, ran),
        None => rest(s, effects, policy),
    }
}

fn rest(mut s: State, mut effects: Vec<Effect>, policy: &Policy) -> Step {
    if policy.auto_remove {
        s.phase = Phase::Removing;
        effects.push(Effect::Delete);
    }
    (s, effects)
}

fn back_off(mut s: State, mut effects: Vec<Effect>, ran: Duration) -> Step {
    let last = Duration::from_millis(s.backoff_millis);
    let delay = if last.is_zero() || ran >= BACKOFF_RESET { BACKOFF_FIRST } else { (last * 2).min(BACKOFF_MOST) };
    s.backoff_millis = delay.as_millis() as u64;
    s.restarts += 1;
    s.phase = Phase::Backoff;
    effects.push(Effect::ArmBackoff(delay, s.generation));
    (s, effects)
}

/// What a daemon that has just started does with a container that no shim answers for (after a reboot, or when its
/// process ended and was recorded): should it be started again?
pub fn wanted_at_boot(state: &State, policy: &Policy) -> bool {
    let was_up = matches!(state.phase, Phase::Running { .. } | Phase::Starting { .. } | Phase::Backoff);
    match (state.phase, policy.restart) {
        (Phase::Removing | Phase::Gone | Phase::Dead, _) | (_, Restart::No) => false,
        // never started containers stay so
        (Phase::Created, _) if state.exits == 0 => false,
        (_, Restart::Always) => true,
        (_, Restart::UnlessStopped) => !state.stopped_by_user,
        (_, Restart::OnFailure(_)) => was_up && !state.stopped_by_user,
    }
}

#[cfg(test)]
mod tests;
