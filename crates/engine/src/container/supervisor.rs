//! The one owner of a container's state.
//!
//! Letters come in, [`state`](super::state) says what they mean, the new state is written down, published, and its
//! effects are begun. Nothing here waits: what takes time is a task of its own and comes back as a letter.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shim::protocol::{Fact as ShimFact, Probed, Request};
use sys::crash;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use values::{Id, Result, Signal, Timestamp};

use super::handle::{Container, Mail};
use super::record::{Record, Volatile};
use super::state::{Effect, Event, Fact, Phase, Policy, State, admit, observe};
use super::waiting::Waiting;
use super::{freeze, health, launch, lost, remove, verbs};
use crate::exec;
use crate::shared::Shared;
use crate::shim_link::{self, ShimLink, Told};

/// A killed process that has not ended after this long is stuck in the kernel.
const DEATH: Duration = Duration::from_secs(8);

pub struct Supervisor {
    shared: Arc<Shared>,
    container: Arc<Container>,
    volatile: Volatile,
    published: watch::Sender<Volatile>,
    inbox: mpsc::UnboundedReceiver<Mail>,
    policy: Policy,
    check: Option<health::Check>,
    /// Of the health check.
    timer: Option<AbortHandle>,
    /// The last probe that was asked of the shim, and its turn.
    probe: Option<(String, u64)>,
    /// The last ones, which can be looked at as execs.
    probes: VecDeque<Id>,
    /// The shim of the current launch, and its directory.
    link: Option<(PathBuf, ShimLink)>,
    /// The end of the previous shim: its cgroup must be gone before the next is made.
    closing: Option<JoinHandle<()>>,
    /// Who waits for the outcome of freezing.
    freezing: Option<oneshot::Sender<Result<()>>>,
    /// While its state cannot be recorded (a full disk): the pause before the next try.
    unrecorded: Option<Duration>,
    /// Directories of shims, for a daemon that comes after this one: the end of their containers is not recorded yet.
    kept: Vec<PathBuf>,
}

/// So many probes can be looked at, as many as have a place in the container's health log.
const PROBES: usize = 5;
/// Between tries to record a state: from this, doubled, to that.
const RECORD_AGAIN: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(30);

/// Begins to supervise a container; returns its handle.
pub fn supervise(shared: &Arc<Shared>, mut record: Record, volatile: Volatile) -> Arc<Container> {
    record.shrink();
    let (published, state) = watch::channel(volatile.clone());
    let (mailbox, inbox) = mpsc::unbounded_channel();
    let policy = record.policy();
    let check = health::Check::of(&record.config);
    let container = Arc::new(Container::new(record, state, mailbox));
    let supervisor = Supervisor {
        shared: shared.clone(),
        container: container.clone(),
        volatile,
        published,
        inbox,
        policy,
        check,
        timer: None,
        probe: None,
        probes: VecDeque::new(),
        link: None,
        closing: None,
        freezing: None,
        unrecorded: None,
        kept: Vec::new(),
    };
    tokio::spawn(supervisor.run());
    container
}

impl Supervisor {
    async fn run(mut self) {
        while let Some(mail) = self.inbox.recv().await {
            self.handle(mail);
            if self.volatile.state.is_gone() {
                return;
            }
        }
    }

    fn handle(&mut self, mail: Mail) {
        match mail {
            Mail::Ask { ask, admitted, done } => match admit(&self.volatile.state, ask) {
                Ok((state, effects)) => {
                    self.freezing = done;
                    self.become_state(state, effects);
                    let _ = admitted.send(Ok(self.volatile.state.clone()));
                }
                Err(refusal) => {
                    let _ = admitted.send(Err(refusal));
                }
            },
            Mail::Fact(fact) => self.observe(&fact),
            Mail::Health(fact) => self.observe_health(&fact),
            Mail::Record if self.unrecorded.is_some() => self.record(true),
            Mail::Record => {}
            Mail::Policy(policy) => self.policy = policy,
            Mail::Networks { generation, endpoints, ports, noted } => {
                let runs = generation == self.volatile.state.generation && self.volatile.state.is_running();
                if runs {
                    self.volatile.endpoints = endpoints;
                    self.volatile.ports = ports;
                    self.record(false);
                    self.published.send_replace(self.volatile.clone());
                }
                let _ = noted.send(runs);
            }
            Mail::Launched { fact, link, endpoints, ports, directory } => {
                self.volatile.endpoints = endpoints;
                self.volatile.ports = ports;
                self.container.heard();
                self.container.set_link(Some((directory.clone(), link.clone())));
                self.link = Some((directory, link));
                let known = matches!(self.volatile.state.phase, Phase::Running { paused: false, .. });
                self.observe(&fact);
                if known {
                    self.observe_health(&health::state::Fact::Resumed { at: now() });
                }
            }
            Mail::Reached(answer) => drop(answer.send(())),
            Mail::Told { generation, told } if generation == self.volatile.state.generation => self.told(told),
            // the shim of an earlier launch has nothing more to say
            Mail::Told { .. } => {}
        }
    }

    fn told(&mut self, told: Told) {
        self.container.heard();
        let Told::Fact { number, fact } = told else {
            if let Some((directory, _)) = self.link.take() {
                self.container.set_link(None);
                tokio::spawn(lost::recover(self.shared.clone(), self.container.clone(), directory));
            }
            return;
        };
        match fact {
            ShimFact::Oom => self.observe(&Fact::Oom),
            ShimFact::Exited(exited) => {
                // acknowledged by the release which follows
                return self.observe(&lost::exit(&exited));
            }
            ShimFact::ExecExited { id, code, at } => {
                self.shared.execs.exited(&self.shared, &self.container, &id, code, at)
            }
            ShimFact::Probed(probed) => self.probed(probed),
        }
        if let Some((_, link)) = &self.link {
            link.tell(Request::Ack(number));
        }
    }

    fn observe(&mut self, fact: &Fact) {
        let (state, effects) = observe(&self.volatile.state, fact, &self.policy);
        self.become_state(state, effects);
    }

    fn become_state(&mut self, state: State, effects: Vec<Effect>) {
        if state == self.volatile.state && effects.is_empty() {
            return;
        }
        let was = std::mem::replace(&mut self.volatile.state, state);
        let of_health = match health::follow(&was, &self.volatile.state, now()) {
            Some(fact) => self.become_health(&fact),
            None => vec![],
        };
        // before the state is seen: who sees it ended may start it again
        let ended = effects.contains(&Effect::Release);
        let left = if ended { self.release() } else { None };
        before_saving(&self.volatile.state);
        if self.volatile.state.phase != Phase::Gone {
            self.record(false);
        }
        after_saving(&self.volatile.state);
        if ended {
            // only now: what the shim knows of the end goes with it
            self.close(was.generation, left);
        }
        if self.volatile.state.phase == Phase::Gone {
            self.forget_kept();
        }
        // events first: who waits for the state finds them in the ring
        for effect in &effects {
            if let Effect::Emit(event) = effect {
                self.emit(*event);
            }
        }
        self.published.send_replace(self.volatile.clone());
        for effect in effects {
            self.perform(effect);
            crash::point("any.effect-begun");
        }
        for effect in of_health {
            self.perform_health(effect);
        }
    }

    /// Lets the ended shim go, or what is left of it. What it wrote down stays until the end is recorded.
    fn close(&mut self, generation: u64, link: Option<(PathBuf, ShimLink)>) {
        let (id, keep) = (&self.container.id, self.unrecorded.is_some());
        let directory = self.shared.shim_dir(id, generation);
        if keep {
            lost::keep_exit(&directory);
            self.kept.push(directory.clone());
        }
        if let Some((directory, link)) = link {
            self.closing = Some(tokio::spawn(lost::let_go(link, directory, self.shared.cgroup_path(id), keep)));
        } else if !keep {
            tokio::spawn(lost::forget(directory));
        }
    }

    fn forget_kept(&mut self) {
        for directory in std::mem::take(&mut self.kept) {
            tokio::spawn(lost::forget(directory));
        }
    }

    fn become_health(&mut self, fact: &health::state::Fact) -> Vec<health::state::Effect> {
        let Some(check) = &self.check else { return vec![] };
        let before = self.volatile.health.take().unwrap_or_default();
        let (after, effects) = health::state::observe(check, &before, fact);
        self.volatile.health = Some(after);
        effects
    }

    fn observe_health(&mut self, fact: &health::state::Fact) {
        let effects = self.become_health(fact);
        for effect in &effects {
            if let health::state::Effect::Emit(status) = effect {
                let action = format!("health_status: {}", status.word());
                self.shared.emit_container(&action, &self.container);
            }
        }
        if effects.contains(&health::state::Effect::Save) {
            self.record(false);
        }
        if !effects.is_empty() {
            self.published.send_replace(self.volatile.clone());
        }
        for effect in effects {
            self.perform_health(effect);
        }
    }

    fn perform_health(&mut self, effect: health::state::Effect) {
        use health::state::{Effect, Fact};
        match effect {
            Effect::Arm(after, turn) => {
                self.disarm();
                let container = self.container.clone();
                let timer = tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    container.post(Mail::Health(Fact::Due { turn, at: now() }));
                });
                self.timer = Some(timer.abort_handle());
            }
            Effect::Disarm => self.disarm(),
            Effect::Probe(turn) => self.ask_for_health(turn),
            Effect::Act(action) => self.act(action),
            Effect::Emit(_) | Effect::Save => {}
        }
    }

    fn disarm(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }

    fn ask_for_health(&mut self, turn: u64) {
        let Some(check) = self.check.clone() else { return };
        let id = Id::random();
        let command = exec::command(&check.argv);
        self.shared.execs.probe(&self.container, &id, &check.argv);
        self.probes.push_back(id.clone());
        if self.probes.len() > PROBES
            && let Some(old) = self.probes.pop_front()
        {
            self.shared.execs.forget(&old);
        }
        self.emit_exec(&format!("exec_create: {command}"), id.as_str(), None);
        self.emit_exec(&format!("exec_start: {command}"), id.as_str(), None);
        self.probe = Some((id.to_string(), turn));
        tokio::spawn(health::probe::run(self.shared.clone(), self.container.clone(), check, id, turn));
    }

    fn probed(&mut self, told: Probed) {
        let Some(check) = &self.check else { return };
        let (code, output) = match told.timed_out {
            true => (health::state::NO_CODE, health::state::timed_out(check.timeout, &told.output)),
            false => (told.code, told.output),
        };
        self.shared.execs.probe_ended(&told.id, told.code);
        self.emit_exec("exec_die", &told.id, Some(told.code));
        let turn = self.probe.take_if(|(id, _)| *id == told.id).map(|(_, turn)| turn);
        let outcome = health::Outcome { begun: told.begun, ended: told.at, code, output };
        self.observe_health(&health::state::Fact::Probed { turn, outcome });
    }

    /// What the user wants done about an unhealthy container.
    fn act(&mut self, action: health::OnFailure) {
        let recovered = self.volatile.health.as_ref().is_some_and(|h| h.was_healthy);
        let signal = verbs::signal_of(&self.container);
        let grace = verbs::grace(&self.shared, &self.container, None);
        let ask = health::remedy(&self.volatile.state, action, recovered, signal, grace);
        if let Some((state, effects)) = ask.and_then(|ask| admit(&self.volatile.state, ask).ok()) {
            tracing::info!("container {} is unhealthy: {action}", self.container.id);
            self.become_state(state, effects);
        }
    }

    fn emit_exec(&self, action: &str, id: &str, code: Option<i32>) {
        let mut attributes = self.container.event_attributes();
        attributes.insert("execID".into(), id.into());
        if let Some(code) = code {
            attributes.insert("exitCode".into(), code.to_string());
        }
        self.shared.events.emit("container", action, self.container.id.as_str(), attributes);
    }

    /// Writes the state down. Where that fails, memory and the kernel stay right, and it is tried again: a daemon that
    /// comes after this one shall know of an end whose shim is gone.
    fn record(&mut self, again: bool) {
        self.volatile.number += 1;
        let (id, first) = (&self.container.id, self.unrecorded.is_none());
        match self.shared.records.save_state(id, &self.volatile) {
            Ok(()) if first => {}
            Ok(()) => {
                tracing::info!("the state of container {id} is recorded now");
                self.unrecorded = None;
                self.forget_kept();
            }
            Err(e) => {
                if first {
                    tracing::error!("cannot record the state of container {id}: {e}");
                }
                if first || again {
                    let (least, most) = RECORD_AGAIN.into_inner();
                    let pause = self.unrecorded.map_or(least, |last| (last * 2).min(most));
                    self.unrecorded = Some(pause);
                    let container = self.container.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(pause).await;
                        container.post(Mail::Record);
                    });
                }
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Launch => {
                let generation = self.volatile.state.generation;
                let closing = self.closing.take();
                tokio::spawn(launch::launch(self.shared.clone(), self.container.clone(), generation, closing));
            }
            Effect::Signal(Signal::KILL) => self.kill(Request::Kill { signal: Signal::KILL.number() }),
            Effect::Signal(signal) => self.signal(signal),
            Effect::KillAll => self.kill(Request::KillAll),
            Effect::ArmGrace(after, generation) => self.later(after, Fact::GraceElapsed { generation }),
            Effect::ArmBackoff(after, generation) => self.again_later(after, generation),
            Effect::Freeze => self.freeze(true),
            Effect::Thaw => self.freeze(false),
            Effect::Delete => {
                let closing = self.closing.take();
                tokio::spawn(remove::delete(self.shared.clone(), self.container.clone(), closing));
            }
            Effect::Release | Effect::Emit(_) => {}
        }
    }

    fn signal(&self, signal: Signal) {
        match &self.link {
            Some((_, link)) => {
                crash::point("stop.signalling");
                link.tell(Request::Kill { signal: signal.number() });
            }
            // its shim has not answered since the daemon's start
            None => lost::signal(self.volatile.state.pid, self.volatile.state.birth, signal),
        }
    }

    /// Begins to kill, and notes when the kernel does not let a process go.
    fn kill(&self, request: Request) {
        let State { pid, exits, generation, .. } = self.volatile.state;
        let (directory, link) = match self.link.clone() {
            Some((directory, link)) => (directory, Some(link)),
            None => (self.shared.shim_dir(&self.container.id, generation), None),
        };
        let container = self.container.clone();
        tokio::spawn(async move {
            let since = now();
            crash::point("kill.begun");
            shim_link::kill(link, directory, request).await;
            crash::point("kill.done");
            let ended = container.until(|s| s.exits > exits || !s.is_running());
            if tokio::time::timeout(DEATH, ended).await.is_err() {
                container.wait_for(Waiting::for_end(since, pid));
            }
        });
    }

    fn later(&self, after: Duration, fact: Fact) {
        let container = self.container.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            container.post(Mail::Fact(fact));
        });
    }

    fn again_later(&self, after: Duration, generation: u64) {
        let (shared, container) = (self.shared.clone(), self.container.clone());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            shared.pace.restart(&container, generation).await;
        });
    }

    fn freeze(&mut self, freeze: bool) {
        let (shared, container, done) = (self.shared.clone(), self.container.clone(), self.freezing.take());
        tokio::spawn(async move {
            let outcome = freeze::set(&shared, &container, freeze).await;
            if outcome.is_ok() {
                container.post(Mail::Fact(if freeze { Fact::Frozen } else { Fact::Thawed }));
            }
            if let Some(done) = done {
                let _ = done.send(outcome);
            }
        });
    }

    /// Gives back what the ended process held; returns its shim, to be let go.
    fn release(&mut self) -> Option<(PathBuf, ShimLink)> {
        self.container.waits_no_more();
        self.container.set_link(None);
        self.shared.tidy.soon();
        self.shared.garbage.soon();
        self.shared.execs.container_ended(&self.container.id);
        let endpoints = std::mem::take(&mut self.volatile.endpoints);
        let ports = std::mem::take(&mut self.volatile.ports);
        self.shared.release_networks(&self.container, &endpoints, !ports.is_empty());
        crate::volumes::emit_unmounts(&self.shared, &self.container);
        self.link.take()
    }

    fn emit(&self, event: Event) {
        let state = &self.volatile.state;
        let mut attributes = self.container.event_attributes();
        let action = match event {
            Event::Start => "start",
            Event::Stop => "stop",
            Event::Restart => "restart",
            Event::Oom => "oom",
            Event::Pause => "pause",
            Event::Unpause => "unpause",
            Event::Destroy => "destroy",
            Event::Kill(signal) => {
                attributes.insert("signal".into(), signal.number().to_string());
                "kill"
            }
            Event::Die => {
                attributes.insert("exitCode".into(), state.exit_code.to_string());
                let ran = state.finished_at.since(state.started_at).as_secs();
                attributes.insert("execDuration".into(), ran.to_string());
                "die"
            }
        };
        self.shared.events.emit("container", action, self.container.id.as_str(), attributes);
    }
}

/// The kernel is ahead of what is written down.
fn before_saving(state: &State) {
    match state.phase {
        Phase::Starting { .. } => crash::point("starting.unsaved"),
        Phase::Running { then: Some(_), .. } => crash::point("stopping.unsaved"),
        Phase::Running { .. } => crash::point("running.unsaved"),
        Phase::Exited => crash::point("exited.unsaved"),
        Phase::Removing => crash::point("removing.unsaved"),
        Phase::Gone => crash::point("gone.unpublished"),
        Phase::Created | Phase::Backoff | Phase::Dead => {}
    }
}

/// What is written down is ahead of the kernel.
fn after_saving(state: &State) {
    match state.phase {
        Phase::Starting { .. } => crash::point("starting.saved"),
        Phase::Running { then: Some(_), .. } => crash::point("stopping.saved"),
        Phase::Running { .. } => crash::point("running.saved"),
        Phase::Exited => crash::point("exited.saved"),
        Phase::Removing => crash::point("removing.saved"),
        Phase::Created | Phase::Backoff | Phase::Dead | Phase::Gone => {}
    }
}

/// A moment for facts which the daemon finds out itself.
pub fn now() -> Timestamp {
    Timestamp::now()
}
