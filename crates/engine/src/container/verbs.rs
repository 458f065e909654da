//! Start, stop, restart, kill, pause, unpause: an ask, and the wait for what comes of it.

use std::sync::Arc;
use std::time::Duration;

use values::{Error, Result, Signal};

use super::handle::Container;
use super::state::{Ask, Phase, Refusal, State, Then};
use crate::shared::Shared;

/// A killed process that has not ended after this long is stuck in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// The same for `stop`, where a shim that does not answer is killed before (`shim_link::kill`).
const LAST_PATIENCE: Duration = Duration::from_secs(30);

pub fn signal_of(container: &Container) -> Signal {
    container.record().config.stop_signal.parse().unwrap_or(Signal::TERM)
}

pub fn grace(shared: &Shared, container: &Container, timeout: Option<i64>) -> Option<Duration> {
    let seconds = timeout.or(container.record().config.stop_timeout);
    match seconds {
        None => Some(shared.config.defaults.stop_timeout),
        Some(s) => u64::try_from(s).ok().map(Duration::from_secs),
    }
}

pub fn parse(container: &Container, signal: Option<&str>) -> Result<Signal> {
    match signal {
        Some(text) if !text.is_empty() => text.parse(),
        _ => Ok(signal_of(container)),
    }
}

pub async fn start(container: &Arc<Container>) -> Result<()> {
    let admitted = match container.ask(Ask::Start).await? {
        Ok(state) => state,
        Err(Refusal::NotModified) => return Err(Error::not_modified("")),
        Err(Refusal::Paused) => {
            return Err(Error::conflict("cannot start a paused container, try unpause instead"));
        }
        Err(_) => {
            return Err(Error::conflict("container is marked for removal and cannot be started"));
        }
    };
    outcome_of_launch(container, admitted.generation).await
}

/// Waits until the launch is decided.
async fn outcome_of_launch(container: &Arc<Container>, generation: u64) -> Result<()> {
    let decided = |s: &State| s.generation > generation || !matches!(s.phase, Phase::Starting { .. });
    let state = container.until(decided).await;
    if state.error.is_empty() { Ok(()) } else { Err(launch_error(&state)) }
}

/// Docker answers 400 when the program is at fault, 500 otherwise.
fn launch_error(state: &State) -> Error {
    match state.exit_code {
        126 | 127 => Error::invalid(state.error.clone()),
        _ if runtime::part_refused(&state.error).is_some() => super::mounts::part_error(state.error.clone()),
        _ => Error::internal(state.error.clone()),
    }
}

pub async fn stop(
    shared: &Shared,
    container: &Arc<Container>,
    signal: Option<&str>,
    timeout: Option<i64>,
) -> Result<()> {
    let ask = Ask::Stop { signal: parse(container, signal)?, grace: grace(shared, container, timeout) };
    let admitted = match container.ask(ask).await? {
        Ok(state) => state,
        Err(_) => return Err(Error::not_modified("")),
    };
    end_of(container, ask, |s| s.exits > admitted.exits || !held(s)).await
}

/// Waits for what an ask with a grace has led to.
async fn end_of(container: &Container, ask: Ask, ended: impl Fn(&State) -> bool) -> Result<()> {
    let ended = container.until(ended);
    let grace = match ask {
        Ask::Stop { grace, .. } | Ask::Restart { grace, .. } => grace,
        _ => None,
    };
    // a user who wants no kill waits as long as it takes
    let Some(grace) = grace else {
        ended.await;
        return Ok(());
    };
    let late = |_| {
        let why = container.waits_for().map_or_else(String::new, |w| format!(": {}", w.text()));
        Error::internal(format!("tried to kill container, but did not receive an exit event{why}"))
    };
    tokio::time::timeout(grace + LAST_PATIENCE, ended).await.map(drop).map_err(late)
}

fn held(state: &State) -> bool {
    matches!(state.phase, Phase::Running { .. } | Phase::Starting { .. })
}

pub async fn restart(
    shared: &Shared,
    container: &Arc<Container>,
    signal: Option<&str>,
    timeout: Option<i64>,
) -> Result<()> {
    let ask = Ask::Restart { signal: parse(container, signal)?, grace: grace(shared, container, timeout) };
    let admitted = match container.ask(ask).await? {
        Ok(state) => state,
        Err(_) => return Err(Error::conflict("container is marked for removal and cannot be started")),
    };
    let next = match admitted.phase {
        Phase::Starting { then: Some(Then::EndAndStart) } => admitted.generation + 1,
        Phase::Starting { .. } => admitted.generation,
        _ => admitted.generation + 1,
    };
    end_of(container, ask, |s| s.generation >= next || !held(s)).await?;
    outcome_of_launch(container, next).await
}

pub async fn kill(container: &Arc<Container>, signal: Option<&str>) -> Result<()> {
    let signal: Signal = match signal {
        Some(text) if !text.is_empty() => match (text.parse(), text.parse::<i32>()) {
            (Ok(signal), _) => signal,
            (Err(_), Ok(number)) if number != 0 => {
                return Err(Error::invalid(format!("the linux daemon does not support signal {number}")));
            }
            (Err(error), _) => return Err(error),
        },
        _ => Signal::KILL,
    };
    let configured = &container.record().config.stop_signal;
    let ends = signal == Signal::KILL || signal == signal_of(container) || configured.is_empty();
    let admitted = match container.ask(Ask::Kill { signal, ends }).await? {
        Ok(state) => state,
        Err(Refusal::Restarting) => {
            let why = format!("Container {} is restarting, wait until the container is running", container.id);
            return Err(Error::conflict(why));
        }
        Err(_) => return Err(container.not_running()),
    };
    if signal == Signal::KILL {
        let ended = container.until(|s| s.exits > admitted.exits || !held(s));
        if tokio::time::timeout(KILL_PATIENCE, ended).await.is_err() {
            let why = sys::waiting::describe(admitted.pid);
            return Err(Error::internal(format!("it has not ended for 10 seconds after SIGKILL: {why}")));
        }
    }
    Ok(())
}

pub async fn pause(container: &Arc<Container>) -> Result<()> {
    let id = &container.id;
    match container.ask_done(Ask::Pause).await? {
        Ok(_) => {}
        Err(Refusal::AlreadyPaused) => return Err(Error::conflict(format!("Container {id} is already paused"))),
        Err(Refusal::Restarting) => {
            return Err(Error::conflict(format!("Container {id} is restarting, wait until the container is running")));
        }
        Err(_) => return Err(container.not_running()),
    }
    container.until(|s| s.is_paused() || !s.is_running()).await;
    Ok(())
}

pub async fn unpause(container: &Arc<Container>) -> Result<()> {
    if container.ask_done(Ask::Unpause).await?.is_err() {
        let id = &container.id;
        return Err(Error::conflict(format!("Container {id} is not paused")));
    }
    container.until(|s| !s.is_paused()).await;
    Ok(())
}
