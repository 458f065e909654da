//! A container as everybody but its supervisor sees it: a published state, a mailbox, and what never changes.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use shim::protocol::Attach;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use values::{Error, Id, Result, Timestamp};

use network::{Endpoint, Published};

use super::health;
use super::health::Health;
use super::record::{Record, Volatile};
use super::state::{Ask, Fact, Phase, Policy, Refusal, State};
use super::waiting::Waiting;
use crate::shim_link::{ShimLink, Told};

/// A letter to a container's supervisor.
pub enum Mail {
    Ask {
        ask: Ask,
        admitted: oneshot::Sender<Result<State, Refusal>>,
        /// For what can fail after it was admitted (freezing).
        done: Option<oneshot::Sender<Result<()>>>,
    },
    Fact(Fact),
    Health(health::state::Fact),
    /// Its state could not be recorded: try again.
    Record,
    /// The restart policy was changed.
    Policy(Policy),
    /// A launch succeeded.
    Launched {
        fact: Fact,
        link: ShimLink,
        endpoints: Vec<Endpoint>,
        ports: Vec<Published>,
        directory: PathBuf,
    },
    /// It came onto a network or left one. Answers whether the launch still ran: otherwise nothing of it is kept.
    Networks {
        generation: u64,
        endpoints: Vec<Endpoint>,
        ports: Vec<Published>,
        noted: oneshot::Sender<bool>,
    },
    /// Answered when all letters before this one have been dealt with.
    Reached(oneshot::Sender<()>),
    /// The shim of this launch told something.
    Told {
        generation: u64,
        told: Told,
    },
}

/// A client that attached before the start.
pub struct Pending {
    pub attach: Attach,
    pub stream: UnixStream,
}

pub struct Container {
    pub id: Id,
    /// Replaced whole by a rename or an update.
    record: RwLock<Arc<Record>>,
    state: watch::Receiver<Volatile>,
    mailbox: mpsc::UnboundedSender<Mail>,
    pub pending: Mutex<Vec<Pending>>,
    /// Held to read by a start, to write by a copy into the container while it does not run.
    pub files: Arc<tokio::sync::RwLock<()>>,
    /// Held by who changes the record, from reading it to having replaced it, and by who erases it.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// Held by an update, which waits for a start that is under way: never while `changing` is held.
    pub(super) updating: tokio::sync::Mutex<()>,
    /// The running shim's directory and control connection.
    link: Mutex<Option<(PathBuf, ShimLink)>>,
    /// Held while its networks are made or changed.
    pub networking: tokio::sync::Mutex<()>,
    /// Who removes it takes the volumes along that were made for it.
    pub takes_volumes: AtomicBool,
    /// What did not come in time.
    pub(super) waiting: Mutex<Option<Waiting>>,
}

impl Container {
    pub fn new(record: Record, state: watch::Receiver<Volatile>, mailbox: mpsc::UnboundedSender<Mail>) -> Self {
        Self {
            id: record.id.clone(),
            record: RwLock::new(Arc::new(record)),
            state,
            mailbox,
            pending: Mutex::default(),
            files: Arc::default(),
            changing: tokio::sync::Mutex::default(),
            updating: tokio::sync::Mutex::default(),
            link: Mutex::default(),
            networking: tokio::sync::Mutex::default(),
            takes_volumes: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    pub fn record(&self) -> Arc<Record> {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A turn to change the record, by `verb`.
    ///
    /// # Errors
    /// `Conflict` where it is being removed: what was written then would be there again when it is gone.
    pub async fn change(&self, verb: &str) -> Result<tokio::sync::MutexGuard<'_, ()>> {
        let turn = self.changing.lock().await;
        match self.state().phase {
            Phase::Removing | Phase::Gone | Phase::Dead => {
                Err(Error::conflict(format!("container is marked for removal and cannot be \"{verb}\"")))
            }
            _ => Ok(turn),
        }
    }

    pub fn set_record(&self, record: Record) {
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(record);
    }

    pub fn name(&self) -> String {
        self.record().name.clone()
    }

    pub fn state(&self) -> State {
        self.state.borrow().state.clone()
    }

    pub fn phase(&self) -> Phase {
        self.state.borrow().state.phase
    }

    /// What lists need: all but what the health probes said.
    pub fn outline(&self) -> Volatile {
        let now = self.state.borrow();
        Volatile {
            number: now.number,
            state: now.state.clone(),
            endpoints: now.endpoints.clone(),
            ports: now.ports.clone(),
            health: now.health.as_ref().map(|health| Health { log: Vec::new(), ..*health }),
        }
    }

    pub fn volatile(&self) -> Volatile {
        self.state.borrow().clone()
    }

    /// Its health as filters have it.
    pub fn health_word(&self) -> &'static str {
        self.state.borrow().health.as_ref().map_or("none", |h| h.status.word())
    }

    /// Every later change of state; the current one counts as seen.
    pub fn watch(&self) -> watch::Receiver<Volatile> {
        self.state.clone()
    }

    pub fn post(&self, mail: Mail) {
        let _ = self.mailbox.send(mail);
    }

    pub fn set_link(&self, link: Option<(PathBuf, ShimLink)>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// The shim of the running process.
    pub fn link(&self) -> Result<(PathBuf, ShimLink)> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        link.ok_or_else(|| match self.state().phase {
            // after the daemon's start, until it has answered
            Phase::Running { .. } => self.unavailable(Waiting::for_answer(Timestamp::now(), 0)),
            _ => self.not_running(),
        })
    }

    pub fn not_running(&self) -> Error {
        Error::conflict(format!("container {} is not running", self.id))
    }

    /// Has the supervisor admit `ask`; returns the state right after it.
    pub async fn ask(&self, ask: Ask) -> Result<Result<State, Refusal>> {
        let (admitted, answer) = oneshot::channel();
        self.post(Mail::Ask { ask, admitted, done: None });
        answer.await.map_err(|_| self.gone())
    }

    /// The same for an ask whose effect may fail; waits for that too.
    pub async fn ask_done(&self, ask: Ask) -> Result<Result<State, Refusal>> {
        let (admitted, answer) = oneshot::channel();
        let (done, finished) = oneshot::channel();
        self.post(Mail::Ask { ask, admitted, done: Some(done) });
        match answer.await.map_err(|_| self.gone())? {
            Ok(state) => {
                finished.await.map_err(|_| self.gone())??;
                Ok(Ok(state))
            }
            refused => Ok(refused),
        }
    }

    /// Waits until the state is as wanted, or the container is gone.
    pub async fn until(&self, wanted: impl Fn(&State) -> bool) -> State {
        let mut watch = self.state.clone();
        match watch.wait_for(|v| wanted(&v.state) || v.state.is_gone()).await {
            Ok(volatile) => volatile.state.clone(),
            // the supervisor ended: what it published last is what is
            Err(_) => self.state.borrow().state.clone(),
        }
    }

    /// Waits until the supervisor has dealt with all that was posted before.
    pub async fn has_read(&self) {
        let (reached, answer) = oneshot::channel();
        self.post(Mail::Reached(reached));
        // one that is gone reads nothing any more
        let _ = answer.await;
    }

    pub fn gone(&self) -> Error {
        Error::not_found(format!("No such container: {}", self.id))
    }

    pub fn is_starting(&self) -> bool {
        matches!(self.state.borrow().state.phase, Phase::Starting { .. })
    }
}

impl Container {
    /// What every event of it carries: its image, its name, its labels.
    pub fn event_attributes(&self) -> std::collections::BTreeMap<String, String> {
        let record = self.record();
        let mut attributes = record.config.labels.clone().unwrap_or_default();
        attributes.insert("image".into(), record.config.image.clone());
        attributes.insert("name".into(), record.name.clone());
        attributes
    }
}
