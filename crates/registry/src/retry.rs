//! Trying again: what may help is tried so many times, with pauses that grow, or as long as the peer said.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::config::Config;
use crate::failure::{Again, Failure};

/// Longest pause, also where the peer wants a longer one: then the failure is told instead.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Tries of one thing.
#[derive(Debug)]
pub(crate) struct Tries {
    failed: u32,
    attempts: u32,
    pause: Duration,
}

impl Tries {
    pub(crate) fn new(config: &Config) -> Self {
        Self { failed: 0, attempts: config.attempts.max(1), pause: config.pause }
    }

    /// It got on: earlier failures count no more.
    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// How long to wait before the next try; `None`: there is none.
    pub(crate) fn next(&mut self, failure: &Failure) -> Option<Duration> {
        self.failed += 1;
        if self.failed >= self.attempts {
            return None;
        }
        match failure.again {
            Again::Never => None,
            Again::Soon => Some(self.pause.saturating_mul(1 << (self.failed - 1).min(16)).min(PAUSE_MAX)),
            Again::After(pause) => (pause <= PAUSE_MAX).then_some(pause),
        }
    }
}

/// Does `work` until it succeeds or there is no point.
pub(crate) async fn retrying<T, F>(config: &Config, work: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut tries = Tries::new(config);
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(failure) => match tries.next(&failure) {
                Some(pause) => {
                    tracing::debug!("{}: trying again in {pause:?}", failure.error);
                    tokio::time::sleep(pause).await;
                }
                None => return Err(failure),
            },
        }
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.replace("GMT", "+0000")).ok()?;
    Some(Duration::from_secs(u64::try_from(at.as_second() - now.as_second()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[test]
    fn pauses() {
        let mut tries = Tries::new(&Config { attempts: 4, pause: Duration::from_millis(10), ..Config::default() });
        let broken = Failure::broken("x".into());
        let mut pauses = vec![];
        while let Some(pause) = tries.next(&broken) {
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [10, 20, 40]);
        let mut tries = Tries::new(&Config::default());
        let busy = |seconds| Failure::of_reply(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(seconds)), b"");
        assert_eq!(tries.next(&busy(7)), Some(Duration::from_secs(7)));
        assert_eq!(tries.next(&busy(3600)), None);
        assert_eq!(tries.next(&Failure::of_reply(StatusCode::NOT_FOUND, None, b"")), None);
    }

    #[test]
    fn when() {
        let now: jiff::Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        for (field, expected) in [
            ("12", Some(12)),
            ("Fri, 27 Nov 2026 12:00:30 GMT", Some(30)),
            ("Fri, 27 Nov 2026 11:00:30 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, field.parse().unwrap());
            assert_eq!(retry_after(&headers, now).map(|d| d.as_secs()), expected, "{field}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
