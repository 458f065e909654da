//! What happened, told to everyone who listens: a ring of the last events and a live channel.

use api::Filters;
use api::types::{EventActor, EventMessage};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;
use values::Timestamp;

/// As many past events as Docker keeps.
const KEPT: usize = 256;
/// A listener further behind than this is cut off: it would have missed some.
const BEHIND: usize = 2048;

pub struct Events {
    past: Mutex<Past>,
    live: broadcast::Sender<Arc<EventMessage>>,
}

/// The last events as JSON, one behind the other in one buffer: a few hundred small allocations that outlive what was
/// allocated beside them would keep the heap from ever shrinking again.
#[derive(Default)]
struct Past {
    text: VecDeque<u8>,
    lengths: VecDeque<usize>,
}

impl Past {
    fn push(&mut self, event: &EventMessage) {
        if self.lengths.len() == KEPT
            && let Some(oldest) = self.lengths.pop_front()
        {
            self.text.drain(..oldest);
        }
        // the types of an event cannot fail to serialize
        let text = serde_json::to_vec(event).unwrap_or_default();
        self.lengths.push_back(text.len());
        self.text.extend(text);
    }

    /// Those not before `from`, in nanoseconds.
    fn since(&self, from: i64) -> VecDeque<Arc<EventMessage>> {
        let text: Vec<u8> = self.text.iter().copied().collect();
        let mut rest = text.as_slice();
        let mut events = VecDeque::new();
        for length in &self.lengths {
            let (one, behind) = rest.split_at(*length);
            rest = behind;
            if let Ok(event) = serde_json::from_slice::<EventMessage>(one)
                && event.time_nano >= from
            {
                events.push_back(Arc::new(event));
            }
        }
        events
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { past: Mutex::default(), live: broadcast::channel(BEHIND).0 }
    }
}

impl Events {
    pub fn emit(&self, kind: &str, action: &str, id: &str, attributes: BTreeMap<String, String>) {
        let now = Timestamp::now();
        let event = EventMessage {
            kind: kind.into(),
            action: action.into(),
            actor: EventActor { id: id.into(), attributes },
            scope: "local".into(),
            time: now.secs,
            time_nano: now.unix_nanos(),
            ..EventMessage::default()
        };
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.push(&event);
        // under the lock: a listener that subscribes now sees each event once
        if self.live.receiver_count() > 0 {
            let _ = self.live.send(Arc::new(event));
        }
    }

    pub fn listeners(&self) -> usize {
        self.live.receiver_count()
    }

    /// Past events from `since` on (none when `None`), then those to come, until `until`.
    /// A filter of an unknown name counts for nothing, as in Docker.
    pub fn listen(&self, since: Option<Timestamp>, until: Option<Timestamp>, filters: Filters) -> EventStream {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.live.subscribe();
        let replays = since.is_some() || until.is_some();
        let from = since.map_or(i64::MIN, Timestamp::unix_nanos);
        let wanted = if replays { past.since(from) } else { VecDeque::new() };
        EventStream { past: wanted, live, until, filters }
    }
}

pub struct EventStream {
    past: VecDeque<Arc<EventMessage>>,
    live: broadcast::Receiver<Arc<EventMessage>>,
    until: Option<Timestamp>,
    filters: Filters,
}

impl EventStream {
    /// The next event that passes the filters; `None` when `until` has come or the listener was too slow.
    pub async fn next(&mut self) -> Option<EventMessage> {
        loop {
            let event = match self.past.pop_front() {
                Some(event) => event,
                None => self.next_live().await?,
            };
            if self.until.is_some_and(|u| event.time_nano > u.unix_nanos()) {
                return None;
            }
            if passes(&self.filters, &event) {
                return Some((*event).clone());
            }
        }
    }

    async fn next_live(&mut self) -> Option<Arc<EventMessage>> {
        let Some(until) = self.until else { return self.live.recv().await.ok() };
        let left = until.since(Timestamp::now());
        if left.is_zero() {
            return self.live.try_recv().ok();
        }
        tokio::time::timeout(left, self.live.recv()).await.ok()?.ok()
    }
}

fn passes(filters: &Filters, event: &EventMessage) -> bool {
    let attributes = &event.actor.attributes;
    let names = |kind: &str, wanted: &str| {
        event.kind == kind
            && (event.actor.id.starts_with(wanted)
                || attributes.get("name").is_some_and(|n| n == wanted || n.trim_start_matches('/').starts_with(wanted)))
    };
    let image = |wanted: &str| {
        let bare = |s: &str| {
            s.rsplit_once(':').map_or(s.to_owned(), |(n, t)| if t.contains('/') { s.to_owned() } else { n.to_owned() })
        };
        let of = |s: &str| s == wanted || bare(s) == wanted;
        match event.kind.as_str() {
            "image" => of(&event.actor.id) || attributes.get("name").is_some_and(|n| of(n)),
            "container" => attributes.get("image").is_some_and(|n| of(n)),
            _ => false,
        }
    };
    let action = |wanted: &str| {
        event.action == wanted
            || (matches!(wanted, "exec_create" | "exec_start" | "health_status")
                && event.action.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(':')))
    };
    filters.matches("type", |t| event.kind == t)
        && filters.matches("event", action)
        && filters.matches("scope", |s| event.scope == s)
        && filters.matches("image", image)
        && filters.matches_labels("label", |k| attributes.get(k).map(String::as_str))
        && ["container", "volume", "network", "plugin", "service", "node", "secret", "config", "daemon"]
            .iter()
            .all(|kind| filters.matches(kind, |wanted| names(kind, wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[tokio::test]
    async fn replays_filters_and_ends() {
        let events = Events::default();
        events.emit("container", "create", "abc", attributes(&[("name", "web"), ("image", "redis:4"), ("k", "v")]));
        events.emit("container", "exec_start: ls", "abc", attributes(&[("name", "web"), ("image", "redis:4")]));
        events.emit("image", "tag", "sha256:1", attributes(&[("name", "x:latest")]));
        for (key, value, expected) in [
            ("type", "container", 2),
            ("event", "exec_start", 1),
            ("event", "exec", 0),
            ("container", "web", 2),
            ("container", "ab", 2),
            ("image", "redis", 2),
            ("image", "x", 1),
            ("label", "k=v", 1),
            ("label", "k=w", 0),
            ("nonsense", "x", 3),
        ] {
            let mut filters = Filters::new();
            filters.add(key, value);
            let since = Some(Timestamp { secs: 0, nanos: 0 });
            let mut stream = events.listen(since, Some(Timestamp::now()), filters);
            let mut seen = 0;
            while stream.next().await.is_some() {
                seen += 1;
            }
            assert_eq!(seen, expected, "{key}={value}");
        }
    }

    #[tokio::test]
    async fn live_events_come_once_and_in_order() {
        let events = Events::default();
        events.emit("container", "a", "1", BTreeMap::new());
        let mut stream = events.listen(Some(Timestamp { secs: 0, nanos: 0 }), None, Filters::new());
        events.emit("container", "b", "1", BTreeMap::new());
        assert_eq!(stream.next().await.unwrap().action, "a");
        assert_eq!(stream.next().await.unwrap().action, "b");
    }
}
