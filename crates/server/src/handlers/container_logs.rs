use api::endpoints::{ContainerLogs, ContainerLogsQuery};
use engine::{Engine, LogOptions};
use http::HeaderValue;
use values::Result;

use super::moment;
use crate::answer::Answer;
use crate::body::Body;
use crate::call::Call;
use crate::hijack::stream_type;

/// Streams what a container has written.
pub(crate) async fn container_logs(call: Call<Engine, ContainerLogs>) -> Result<Answer> {
    let options = options(call.query()?)?;
    let logs = call.state().container_logs(call.name(), options).await?;
    let content_type = HeaderValue::from_static(stream_type(logs.tty, call.version()));
    let body = Body::stream(logs, |mut logs| async {
        let piece = logs.next().await?;
        Some((piece, logs))
    });
    Ok(Answer::stream(content_type, body))
}

fn options(query: ContainerLogsQuery) -> Result<LogOptions> {
    Ok(LogOptions {
        stdout: query.stdout,
        stderr: query.stderr,
        follow: query.follow,
        timestamps: query.timestamps,
        details: query.details,
        since: moment(&query.since)?,
        // clients send 0 for no end (bollard)
        until: moment(if query.until == "0" { "" } else { &query.until })?,
        // `all`, negative numbers and nonsense mean all.
        tail: query.tail.parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        for (text, expected) in [("", None), ("0", None), ("5", Some(5))] {
            let query = ContainerLogsQuery { stdout: true, until: text.into(), ..ContainerLogsQuery::default() };
            assert_eq!(options(query).expect(text).until.map(|until| until.secs), expected, "{text}");
        }
    }

    #[test]
    fn tails() {
        let tail = |text: &str| {
            let query = ContainerLogsQuery { stdout: true, tail: text.into(), ..ContainerLogsQuery::default() };
            options(query).expect(text).tail
        };
        assert_eq!(tail("10"), Some(10));
        assert_eq!(tail("0"), Some(0));
        for all in ["", "all", "-1", "x"] {
            assert_eq!(tail(all), None, "{all}");
        }
    }
}
