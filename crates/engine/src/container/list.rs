//! `ps`: from what is published, without waiting for any container.

use std::sync::Arc;

use api::Filters;
use api::types::ContainerSummary;
use network::Protocol;
use values::{Error, Result};

use super::handle::Container;
use super::state::Phase;
use super::{networks, view};
use crate::shared::Shared;

const FILTERS: &[&str] = &[
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
const HEALTHS: &[&str] = &["none", "starting", "healthy", "unhealthy"];
const STATUSES: &[&str] = &["created", "running", "paused", "restarting", "removing", "exited", "dead"];

/// Gives one after the other, newest first, until `each` fails: hundreds need not be in memory at once.
pub fn list(
    shared: &Arc<Shared>,
    all: bool,
    limit: i64,
    size: bool,
    filters: &Filters,
    mut each: impl FnMut(ContainerSummary) -> Result<()>,
) -> Result<()> {
    let wanted = Wanted::new(shared, filters)?;
    // asking for a status means those that do not run, too
    let all = all || limit > 0 || filters.contains("status") || filters.contains("exited");
    let mut found: Vec<_> = shared.registry.all();
    found.retain(|c| {
        let phase = c.phase();
        let up = matches!(phase, Phase::Running { .. } | Phase::Backoff);
        phase != Phase::Gone && (all || up || wanted.is_relative()) && wanted.matches(shared, c)
    });
    // newest first, as they were created
    found.sort_by_cached_key(|c| std::cmp::Reverse(c.record().created));
    if limit > 0 {
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let links = super::links::names(shared);
    let of = |c: &Container| links.get(&c.id).map_or(&[][..], Vec::as_slice);
    let mut images = view::ImageNames::default();
    found.iter().try_for_each(|c| each(view::summary(shared, c, size, of(c), &mut images)))
}

struct Wanted<'a> {
    filters: &'a Filters,
    names: Vec<regex_lite::Regex>,
    exited: Vec<i32>,
    before: Option<values::Timestamp>,
    since: Option<values::Timestamp>,
    exposed: Vec<Ports>,
    published: Vec<Ports>,
}

impl<'a> Wanted<'a> {
    fn new(shared: &Shared, filters: &'a Filters) -> Result<Self> {
        filters.validate(FILTERS)?;
        for status in filters.get("status") {
            if !STATUSES.contains(&status) {
                let known = STATUSES.join(", ");
                return Err(Error::invalid(format!(
                    "invalid filter 'status={status}': invalid value for state ({status}): must be one of {known}"
                )));
            }
        }
        for health in filters.get("health") {
            if !HEALTHS.contains(&health) {
                let known = HEALTHS.join(", ");
                return Err(Error::invalid(format!(
                    "invalid filter 'health={health}': invalid value for health ({health}): must be one of {known}"
                )));
            }
        }
        filters.flag("is-task", false)?;
        let number = |text: &str| {
            let why = || format!("invalid filter 'exited={text}': strconv.Atoi: parsing \"{text}\": invalid syntax");
            text.parse::<i32>().map_err(|_| Error::invalid(why()))
        };
        let regex = |text: &str| {
            regex_lite::Regex::new(text).map_err(|_| Error::invalid(format!("invalid filter 'name={text}'")))
        };
        let created = |key: &str| -> Result<Option<values::Timestamp>> {
            let Some(wanted) = filters.get(key).next() else { return Ok(None) };
            Ok(Some(shared.registry.find(wanted)?.record().created))
        };
        Ok(Self {
            filters,
            names: filters.get("name").map(regex).collect::<Result<_>>()?,
            exited: filters.get("exited").map(number).collect::<Result<_>>()?,
            before: created("before")?,
            since: created("since")?,
            exposed: filters.get("expose").map(|text| Ports::parse("expose", text)).collect::<Result<_>>()?,
            published: filters.get("publish").map(|text| Ports::parse("publish", text)).collect::<Result<_>>()?,
        })
    }

    /// Such filters show containers of every state.
    fn is_relative(&self) -> bool {
        self.before.is_some() || self.since.is_some()
    }

    fn matches(&self, shared: &Shared, container: &Container) -> bool {
        let record = container.record();
        let state = container.state();
        let f = self.filters;
        let name = |re: &regex_lite::Regex| re.is_match(&record.name) || re.is_match(&format!("/{}", record.name));
        let labels = record.config.labels.as_ref();
        (self.names.is_empty() || self.names.iter().any(name))
            && (self.exited.is_empty()
                || (state.exits > 0 && !state.is_running() && self.exited.contains(&state.exit_code)))
            && self.before.is_none_or(|t| record.created < t)
            && self.since.is_none_or(|t| record.created > t)
            && f.matches("id", |id| record.id.as_str().starts_with(id))
            && f.matches("status", |s| state.status() == s)
            && f.matches_labels("label", |k| labels.and_then(|l| l.get(k)).map(String::as_str))
            && f.matches("ancestor", |a| is_ancestor(shared, a, &record))
            && f.matches("network", |n| {
                record.attachments().into_keys().any(|name| {
                    name == n || crate::networks::find(shared, &name).is_ok_and(|found| found.id.starts_with(n))
                })
            })
            && f.matches("volume", |v| record.mounts.iter().any(|m| m.name == v || m.destination == v || m.source == v))
            && (self.exposed.is_empty() || of_one(&self.exposed, networks::exposed(&record.config)))
            && (self.published.is_empty() || of_one(&self.published, published(container)))
            && f.matches("health", |h| container.health_word() == h)
            && f.matches("is-task", |t| matches!(t, "0" | "false"))
            && f.matches("isolation", |i| i == "default" || i.is_empty())
    }
}

fn is_ancestor(shared: &Shared, wanted: &str, record: &super::record::Record) -> bool {
    shared
        .images
        .resolve(wanted)
        .is_ok_and(|image| image.id == record.image || shared.images.descends(&record.image, &image.id))
}

/// `80`, `80/tcp`, `80-90/udp`; `None` for a protocol that no port has.
#[derive(Debug, PartialEq, Eq)]
struct Ports {
    protocol: Option<Protocol>,
    first: u16,
    last: u16,
}

impl Ports {
    /// Docker answers 500 to what is none.
    fn parse(key: &str, text: &str) -> Result<Self> {
        if text.contains(':') {
            return Err(Error::internal(format!("filter for '{key}' should not contain ':': {text}")));
        }
        let bad = |why: String| Error::internal(format!("error while looking up for {key} {text}: {why}"));
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        if range.is_empty() {
            return Err(bad("Empty string specified for ports.".into()));
        }
        let number = |text: &str| {
            text.parse::<u16>().ok().filter(|_| !text.starts_with('+')).ok_or_else(|| {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let why = if digits { "value out of range" } else { "invalid syntax" };
                bad(format!("strconv.ParseUint: parsing {text:?}: {why}"))
            })
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(bad(format!("Invalid range specified for the Port: {range}")));
        }
        Ok(Self { protocol: Protocol::parse(protocol).filter(|_| !protocol.is_empty()), first, last })
    }
}

fn of_one(wanted: &[Ports], ports: Vec<(Protocol, u16)>) -> bool {
    let is_in = |(protocol, port): &(Protocol, u16)| {
        wanted.iter().any(|w| w.protocol == Some(*protocol) && (w.first..=w.last).contains(port))
    };
    ports.iter().any(is_in)
}

/// Ports of the host.
fn published(container: &Container) -> Vec<(Protocol, u16)> {
    let ports = container.volatile().ports;
    ports.into_iter().filter(|port| port.host_port != 0).map(|port| (port.protocol, port.host_port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_filters() {
        let check = |text: &str, expected: Result<(Option<Protocol>, u16, u16), &str>| {
            let parsed = Ports::parse("publish", text).map(|p| (p.protocol, p.first, p.last)).map_err(|e| e.message);
            let why = |why| format!("error while looking up for publish {text}: {why}");
            assert_eq!(parsed, expected.map_err(why), "{text}");
        };
        check("80", Ok((Some(Protocol::Tcp), 80, 80)));
        check("80-90/udp", Ok((Some(Protocol::Udp), 80, 90)));
        check("80/foo", Ok((None, 80, 80)));
        check("", Err("Empty string specified for ports."));
        check("/tcp", Err("Empty string specified for ports."));
        check("5-3", Err("Invalid range specified for the Port: 5-3"));
        check("-5", Err("strconv.ParseUint: parsing \"\": invalid syntax"));
        check("1-70000", Err("strconv.ParseUint: parsing \"70000\": value out of range"));
        let colon = Ports::parse("publish", "0.0.0.0:80").unwrap_err().message;
        assert_eq!(colon, "filter for 'publish' should not contain ':': 0.0.0.0:80");
    }

    #[test]
    fn one_of_the_ports() {
        let wanted = [Ports::parse("expose", "80-81").unwrap(), Ports::parse("expose", "53/udp").unwrap()];
        assert!(of_one(&wanted, vec![(Protocol::Tcp, 81)]) && of_one(&wanted, vec![(Protocol::Udp, 53)]));
        assert!(!of_one(&wanted, vec![(Protocol::Tcp, 53), (Protocol::Udp, 80)]));
    }
}
