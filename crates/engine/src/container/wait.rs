//! `wait`: by what was published, never by asking again and again.

use std::future::Future;
use std::sync::Arc;

use api::types::WaitResponse;
use values::{Error, Result};

use super::handle::Container;
use super::state::Phase;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    NotRunning,
    NextExit,
    Removed,
}

impl WaitCondition {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "not-running" => Ok(Self::NotRunning),
            "next-exit" => Ok(Self::NextExit),
            "removed" => Ok(Self::Removed),
            other => Err(Error::invalid(format!("invalid condition: {other:?}"))),
        }
    }
}

/// Subscribed when it returns: whatever happens afterwards is seen by the future.
pub fn wait(container: &Arc<Container>, condition: WaitCondition) -> impl Future<Output = WaitResponse> + Send + use<> {
    let mut watch = container.watch();
    let exits = watch.borrow_and_update().state.exits;
    let is_up = |phase| matches!(phase, Phase::Running { .. } | Phase::Backoff | Phase::Starting { .. });
    async move {
        // when its supervisor has ended, the last word stands
        let _ = watch
            .wait_for(|v| {
                let s = &v.state;
                match condition {
                    _ if s.is_gone() => true,
                    WaitCondition::Removed => false,
                    WaitCondition::NextExit => s.exits > exits,
                    // an end counts even where a restart follows at once
                    WaitCondition::NotRunning => s.exits > exits || !is_up(s.phase),
                }
            })
            .await
            .map(drop);
        let last = watch.borrow().state.last_code;
        WaitResponse { status_code: i64::from(last), ..WaitResponse::default() }
    }
}
