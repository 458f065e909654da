//! The one owner of a container's state.
//!
//! Letters come in, [`state`](super::state) says what they mean, the new state is written down, published, and its
//! effects are begun. Nothing here waits: what takes time is a task of its own and comes back as a letter.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shim::protocol::{Fact as ShimFact, Request};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use values::{Result, Timestamp};

use super::handle::{Container, Mail};
use super::record::{Record, Volatile};
use super::state::{Effect, Event, Fact, Phase, Policy, admit, observe};
use super::{freeze, launch, lost, remove};
use crate::shared::Shared;
use crate::shim_link::{self, ShimLink, Told};

pub struct Supervisor {
    shared: Arc<Shared>,
    container: Arc<Container>,
    volatile: Volatile,
    published: watch::Sender<Volatile>,
    inbox: mpsc::UnboundedReceiver<Mail>,
    policy: Policy,
    /// The shim of the current launch, and its directory.
    link: Option<(PathBuf, ShimLink)>,
    /// The end of the previous shim: its cgroup must be gone before the next is made.
    closing: Option<JoinHandle<()>>,
    /// Who waits for the outcome of freezing.
    freezing: Option<oneshot::Sender<Result<()>>>,
}

/// Begins to supervise a container; returns its handle.
pub fn supervise(shared: &Arc<Shared>, record: Record, volatile: Volatile) -> Arc<Container> {
    let (published, state) = watch::channel(volatile.clone());
    let (mailbox, inbox) = mpsc::unbounded_channel();
    let policy = record.policy();
    let container = Arc::new(Container::new(record, state, mailbox));
    let supervisor = Supervisor {
        shared: shared.clone(),
        container: container.clone(),
        volatile,
        published,
        inbox,
        policy,
        link: None,
        closing: None,
        freezing: None,
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
            Mail::Launched { fact, link, endpoint, directory } => {
                self.volatile.endpoint = endpoint;
                self.container.set_link(Some((directory.clone(), link.clone())));
                self.link = Some((directory, link));
                self.observe(&fact);
            }
            Mail::Told { generation, told } if generation == self.volatile.state.generation => self.told(told),
            // the shim of an earlier launch has nothing more to say
            Mail::Told { .. } => {}
        }
    }

    fn told(&mut self, told: Told) {
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
                return self.observe(&Fact::Exited { code: exited.code, oom: exited.oom, at: exited.at });
            }
            ShimFact::ExecExited { id, code, at } => {
                self.shared.execs.exited(&self.shared, &self.container, &id, code, at)
            }
        }
        if let Some((_, link)) = &self.link {
            link.tell(Request::Ack(number));
        }
    }

    fn observe(&mut self, fact: &Fact) {
        let (state, effects) = observe(&self.volatile.state, fact, &self.policy);
        self.become_state(state, effects);
    }

    fn become_state(&mut self, state: super::state::State, effects: Vec<Effect>) {
        if state == self.volatile.state && effects.is_empty() {
            return;
        }
        self.volatile.state = state;
        // before the state is seen: who sees it ended may start it again
        let left = if effects.contains(&Effect::Release) { self.release() } else { None };
        if self.volatile.state.phase != Phase::Gone {
            self.shared.records.save_state(&self.container.id, &self.volatile);
        }
        if let Some((directory, link)) = left {
            // only now: what the shim knows of the end goes with it
            self.closing =
                Some(tokio::spawn(lost::let_go(link, directory, self.shared.cgroup_path(&self.container.id))));
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
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Launch => {
                let generation = self.volatile.state.generation;
                let closing = self.closing.take();
                tokio::spawn(launch::launch(self.shared.clone(), self.container.clone(), generation, closing));
            }
            Effect::Signal(signal) => self.tell(Request::Kill { signal: signal.number() }),
            Effect::KillAll => {
                if let Some((directory, link)) = self.link.clone() {
                    tokio::spawn(shim_link::kill_all(link, directory));
                }
            }
            Effect::ArmGrace(after, generation) => self.later(after, Fact::GraceElapsed { generation }),
            Effect::ArmBackoff(after, generation) => self.later(after, Fact::BackoffElapsed { generation }),
            Effect::Freeze => self.freeze(true),
            Effect::Thaw => self.freeze(false),
            Effect::Delete => {
                let closing = self.closing.take();
                tokio::spawn(remove::delete(self.shared.clone(), self.container.clone(), closing));
            }
            Effect::Release | Effect::Emit(_) => {}
        }
    }

    fn tell(&self, request: Request) {
        if let Some((_, link)) = &self.link {
            link.tell(request);
        }
    }

    fn later(&self, after: Duration, fact: Fact) {
        let container = self.container.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            container.post(Mail::Fact(fact));
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
        self.container.set_link(None);
        self.shared.tidy.soon();
        self.shared.execs.container_ended(&self.container.id);
        if self.volatile.endpoint.take().is_some() {
            self.shared.release_network(&self.container);
        }
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

/// A moment for facts which the daemon finds out itself.
pub fn now() -> Timestamp {
    Timestamp::now()
}
