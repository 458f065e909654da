//! `logs`: the shim's files, read by the logging crate.

use std::sync::Arc;

use bytes::Bytes;
use logging::{LogReader, Options};
use values::{Error, Result, ResultExt, Timestamp};

use super::handle::Container;
use super::state::Phase;
use crate::shared::Shared;

#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    pub stdout: bool,
    pub stderr: bool,
    pub follow: bool,
    pub timestamps: bool,
    pub details: bool,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// `None`: all.
    pub tail: Option<usize>,
}

/// Output as the client gets it: framed where there is no terminal.
pub struct LogStream {
    pub tty: bool,
    reader: LogReader,
}

impl LogStream {
    /// `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        match self.reader.next_chunk().await? {
            Ok(chunk) => Some(chunk),
            Err(e) => {
                tracing::error!("reading a log: {e}");
                None
            }
        }
    }
}

pub async fn logs(shared: &Arc<Shared>, container: &Arc<Container>, wanted: &LogOptions) -> Result<LogStream> {
    if !wanted.stdout && !wanted.stderr {
        return Err(Error::invalid("Bad parameters: you must choose at least one stream"));
    }
    let record = container.record();
    if record.host.log_config.kind == "none" {
        return Err(Error::not_implemented("configured logging driver does not support reading"));
    }
    let options = Options {
        stdout: wanted.stdout,
        stderr: wanted.stderr,
        since: wanted.since,
        until: wanted.until,
        tail: wanted.tail.map(|n| n as u64),
        timestamps: wanted.timestamps,
        details: wanted.details,
        framed: !record.config.tty,
    };
    let path = shared.log_path(&record);
    let reader = LogReader::open(&path, options).await.during(|| "cannot read the container's log")?;
    let reader = if wanted.follow { follow(shared, container, reader)? } else { reader };
    Ok(LogStream { tty: record.config.tty, reader })
}

/// Until the container stops. One that is not running now has nothing to follow.
fn follow(shared: &Shared, container: &Arc<Container>, reader: LogReader) -> Result<LogReader> {
    let watched = container.clone();
    let stopped = async move {
        let rests = |phase: Phase| {
            matches!(phase, Phase::Created | Phase::Exited | Phase::Removing | Phase::Gone | Phase::Dead)
        };
        watched.until(|s| rests(s.phase)).await;
    };
    reader.following(&shared.log_watcher, stopped).during(|| "cannot follow the container's log")
}
