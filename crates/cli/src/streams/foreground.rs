//! What `run`, `start -a`, `attach` and `exec` have in common: a process elsewhere that stands in our foreground.

use api::endpoints::{
    ContainerKill, ContainerKillQuery, ContainerResize, ContainerResizeQuery, ExecResize, ExecResizeQuery,
};
use client::Client;
use std::time::Duration;
use values::Signal;

use super::detach_keys;
use super::signals::{Plan, Resize, Send, Watch};
use crate::failure::Failure;
use crate::{Invocation, Session, terminal};

/// What has the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A container, by id.
    Container(String),
    /// An exec, by id.
    Exec(String),
}

/// How often the first size is offered to a process that is not there yet.
const RESIZE_TRIES: u32 = 10;

impl Target {
    /// Tells it the size of our terminal, if that has one.
    fn resize(&self, client: &Client, (rows, columns): (u16, u16)) -> Result<(), client::Error> {
        if rows == 0 && columns == 0 {
            return Ok(());
        }
        let (height, width) = (Some(i64::from(rows)), Some(i64::from(columns)));
        match self {
            Target::Container(id) => {
                client.call::<ContainerResize>(&[id], &ContainerResizeQuery { height, width }, &())
            }
            Target::Exec(id) => client.call::<ExecResize>(&[id], &ExecResizeQuery { height, width }, &()),
        }
    }
}

/// Signals and sizes of one foreground process.
pub struct Foreground {
    target: Target,
    watch: Watch,
    client: Client,
}

impl Foreground {
    /// Begins to take signals: to be passed to `container` where that is given, and the terminal's new sizes where
    /// `sized`. Until [`Foreground::ready`] they are kept.
    pub fn begin(client: &Client, target: Target, proxy_to: Option<&str>, sized: bool) -> Foreground {
        let proxy = proxy_to.map(|id| proxy(client.another(), id.to_owned()));
        let resize = sized.then(|| resizer(client.another(), target.clone()));
        let watch = Watch::start(Plan { proxy, resize, hold: true });
        Foreground { target, watch, client: client.another() }
    }

    /// The process runs now: it gets the signals that came too early and, where `sized`, the terminal's size.
    pub fn ready(&self, sized: bool) {
        if sized {
            self.first_size(terminal::size());
        }
        if let Target::Container(id) = &self.target {
            for signal in self.watch.ready() {
                kill(&self.client, id, signal);
            }
        } else {
            self.watch.ready();
        }
    }

    /// As [`Foreground::ready`], for a terminal that has shown its prompt to someone before: a size of one more and
    /// back makes the program draw it again.
    pub fn ready_redrawing(&self) {
        let (rows, columns) = terminal::size();
        if rows > 0 {
            let _ = self.target.resize(&self.client, (rows.saturating_add(1), columns.saturating_add(1)));
        }
        self.ready(true);
    }

    /// A process that has just been started may not have its terminal yet: later tries are a thread's.
    fn first_size(&self, size: (u16, u16)) {
        if self.target.resize(&self.client, size).is_ok() {
            return;
        }
        let (target, client) = (self.target.clone(), self.client.another());
        std::thread::spawn(move || {
            let again = |attempt: u32| {
                std::thread::sleep(Duration::from_millis(10) * attempt);
                target.resize(&client, terminal::size()).is_ok()
            };
            if !(1..=RESIZE_TRIES).any(again) {
                eprintln!("failed to resize tty, using default size\r");
            }
        });
    }
}

fn proxy(client: Client, id: String) -> Send {
    Box::new(move |signal| kill(&client, &id, signal))
}

/// A signal that cannot be delivered (the process has just ended) is nobody's concern any more.
fn kill(client: &Client, id: &str, signal: Signal) {
    let name = signal.to_string();
    let name = name.strip_prefix("SIG").unwrap_or(&name).to_owned();
    let _ = client.call::<ContainerKill>(&[id], &ContainerKillQuery { signal: name }, &());
}

fn resizer(client: Client, target: Target) -> Resize {
    Box::new(move || drop(target.resize(&client, terminal::size())))
}

/// The detach keys in force: what the daemon is told (empty: its default), and the bytes we look for ourselves.
/// Keys that cannot be parsed are the daemon's to refuse.
pub fn detach_keys(session: &Session, call: &Invocation) -> (String, Vec<u8>) {
    let text = match call.text_or_empty("detach-keys") {
        "" => session.config().detach_keys.clone(),
        given => given.to_owned(),
    };
    let keys = match text.as_str() {
        "" => detach_keys::DEFAULT.to_vec(),
        text => detach_keys::parse(text).unwrap_or_else(|_| detach_keys::DEFAULT.to_vec()),
    };
    (text, keys)
}

/// A terminal inside needs one outside.
///
/// # Errors
/// Docker's sentence if our stdin is attached and is no terminal.
pub fn check_tty(stdin_attached: bool, tty: bool) -> Result<(), Failure> {
    if stdin_attached && tty && !terminal::stdin_is_terminal() {
        return Err(Failure::new("the input device is not a TTY"));
    }
    Ok(())
}
