//! The daemon's own log on stderr: one line per event, in the words and order of dockerd's
//! (`time="…" level=info msg="…" key=value`), or as JSON.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};
use values::Timestamp;

/// From the loudest down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
    /// Nothing below the end of the daemon: events have no such level.
    Fatal,
}

impl Level {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "trace" | "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" => Some(Self::Error),
            "fatal" | "panic" => Some(Self::Fatal),
            _ => None,
        }
    }

    fn of(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }

    /// logrus' words.
    fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub level: Level,
    pub json: bool,
}

/// The one thing that is global, as `tracing` has it: where events go. The level can change (SIGHUP).
static LEAST: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Sends all events of the process to stderr from now on.
pub fn start(config: Config) {
    set_level(config.level);
    // Only the first call of a process sets it; that is a test's second daemon, and its events go the same way.
    let _ = tracing::subscriber::set_global_default(Log { json: config.json });
}

/// From now on only events of `level` and above are written.
pub fn set_level(level: Level) {
    LEAST.store(level as u8, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

struct Log {
    json: bool,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && Level::of(metadata.level()) as u8 >= LEAST.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = Level::of(event.metadata().level());
        let now = Timestamp::now().to_rfc3339_nano();
        let line = if self.json { fields.json(&now, level) } else { fields.text(&now, level) };
        // One write per line: threads do not mix theirs. Nobody is left to be told that stderr is closed.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    // Spans carry nothing into the lines.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The message and the other fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn put(&mut self, field: &Field, text: String) {
        if field.name() == "message" { self.message = text } else { self.others.push((field.name(), text)) }
    }

    fn text(&self, now: &str, level: Level) -> String {
        let mut line = format!("time={now:?} level={} msg=", level.word());
        quote(&mut line, &self.message, true);
        for (name, value) in &self.others {
            // Writing to a String cannot fail.
            let _ = write!(line, " {name}=");
            quote(&mut line, value, false);
        }
        line.push('\n');
        line
    }

    fn json(&self, now: &str, level: Level) -> String {
        let mut object = serde_json::Map::new();
        for (name, value) in &self.others {
            object.insert((*name).into(), value.as_str().into());
        }
        object.insert("level".into(), level.word().into());
        object.insert("msg".into(), self.message.as_str().into());
        object.insert("time".into(), now.into());
        format!("{}\n", serde_json::Value::Object(object))
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
}

/// Go's `%q`, near enough, where logrus quotes: anything but plain words. No control character of a container's name or
/// an error reaches a terminal unescaped.
fn quote(line: &mut String, text: &str, always: bool) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !always && !text.is_empty() && text.chars().all(plain) {
        line.push_str(text);
    } else {
        let _ = write!(line, "{text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |message: &str, others: &[(&'static str, &str)], text: &str, json: &str| {
            let others = others.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let fields = Fields { message: message.into(), others };
            assert_eq!(fields.text("T", Level::Warn), format!("time=\"T\" level=warning {text}\n"));
            assert_eq!(fields.json("T", Level::Warn), format!("{json}\n"));
        };
        check("ready", &[], r#"msg="ready""#, r#"{"level":"warning","msg":"ready","time":"T"}"#);
        check(
            "a \"b\"\n\u{1b}[31m",
            &[("id", "abc-1"), ("error", "no such file"), ("empty", "")],
            r#"msg="a \"b\"\n\u{1b}[31m" id=abc-1 error="no such file" empty="""#,
            r#"{"empty":"","error":"no such file","id":"abc-1","level":"warning","msg":"a \"b\"\n\u001b[31m","time":"T"}"#,
        );
    }

    #[test]
    fn levels() {
        let check = |text: &str, expected| assert_eq!(Level::parse(text), expected, "{text}");
        check("debug", Some(Level::Debug));
        check("warning", Some(Level::Warn));
        check("fatal", Some(Level::Fatal));
        check("INFO!", None);
        assert!(Level::Debug < Level::Info && Level::Error < Level::Fatal);
    }
}
