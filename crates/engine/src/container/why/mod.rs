//! Why a container is as it is: facts are gathered here, [`words`] says what they mean.

mod words;

use std::sync::Arc;
use std::time::Duration;

use api::stream::Decoder;
use api::types::ContainerWhy;
use values::{Result, Signal, Timestamp};

use super::health::Check;
use super::logs::{LogOptions, logs};
use super::{Container, deaf, verbs, view};
use crate::shared::{Shared, blocking};

/// So much of the log is shown.
const LINES: usize = 10;
const BYTES: usize = 8 << 10;
/// A log that cannot be read in this time is left out.
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn why(shared: &Arc<Shared>, container: &Arc<Container>, signal: Option<&str>) -> Result<ContainerWhy> {
    let signal: Signal = match signal {
        Some(text) => text.parse()?,
        None => verbs::signal_of(container),
    };
    let record = container.record();
    let volatile = container.volatile();
    let state = &volatile.state;
    let now = Timestamp::now();
    let limit = record.host.resources.memory;
    let peak = match state.memory_peak {
        0 if state.is_running() => peak(shared, container).await,
        peak => peak,
    };
    let (policy, check) = (record.policy(), Check::of(&record.config));
    let facts = words::Facts {
        state,
        policy: &policy,
        check: check.as_ref(),
        health: volatile.health.as_ref(),
        memory_limit: u64::try_from(limit).unwrap_or(0),
        stop_signal: verbs::signal_of(container),
        now,
    };
    Ok(ContainerWhy {
        id: record.id.to_string(),
        name: record.name.clone(),
        status: view::status_text(state, volatile.health.as_ref().map(|h| h.status), now),
        reasons: container.waits_for().map(|w| w.text()).into_iter().chain(words::reasons(&facts)).collect(),
        next: words::next(&facts),
        restart_at: words::restart_at(state).map(Timestamp::to_rfc3339_nano).unwrap_or_default(),
        exit_code: i64::from(state.exit_code),
        signal: Signal::from_number(state.signal).map(|s| s.to_string()).unwrap_or_default(),
        oom_killed: state.oom,
        memory_peak: i64::try_from(peak).unwrap_or(i64::MAX),
        memory_limit: limit,
        error: state.error.clone(),
        health: volatile.health.as_ref().map(view::health_view),
        stop_warning: deaf::warning(container, signal).unwrap_or_default(),
        log: tokio::time::timeout(PATIENCE, last_lines(shared, container)).await.unwrap_or_default(),
    })
}

async fn peak(shared: &Shared, container: &Container) -> u64 {
    let path = shared.cgroup_path(&container.id);
    blocking(move || cgroup::Cgroup::open(&path)?.memory_peak()).await.unwrap_or(0)
}

/// Nothing where there is no log to read.
async fn last_lines(shared: &Arc<Shared>, container: &Arc<Container>) -> Vec<String> {
    let wanted = LogOptions { stdout: true, stderr: true, tail: Some(LINES), ..LogOptions::default() };
    let Ok(mut log) = logs(shared, container, &wanted).await else { return vec![] };
    let mut decoder = Decoder::new();
    let mut bytes = Vec::new();
    while let Some(chunk) = log.next().await {
        if log.tty {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        let mut rest = &chunk[..];
        while let Ok(Some((_, payload))) = decoder.next(&mut rest) {
            bytes.extend_from_slice(payload);
        }
    }
    let begin = bytes.len().saturating_sub(BYTES);
    let text = String::from_utf8_lossy(&bytes[begin..]);
    let lines: Vec<String> = text.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}
