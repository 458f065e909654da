//! `ps`: from what is published, without waiting for any container.

use std::sync::Arc;

use api::Filters;
use api::types::ContainerSummary;
use values::{Error, Result};

use super::handle::Container;
use super::state::Phase;
use super::view;
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

pub fn list(
    shared: &Arc<Shared>,
    all: bool,
    limit: i64,
    size: bool,
    filters: &Filters,
) -> Result<Vec<ContainerSummary>> {
    let wanted = Wanted::new(shared, filters)?;
    // asking for a status means those that do not run, too
    let all = all || limit > 0 || filters.contains("status") || filters.contains("exited");
    let mut found: Vec<_> = shared.registry.all();
    found.retain(|c| {
        let phase = c.state().phase;
        let up = matches!(phase, Phase::Running { .. } | Phase::Backoff);
        phase != Phase::Gone && (all || up || wanted.is_relative()) && wanted.matches(shared, c)
    });
    // newest first, as they were created
    found.sort_by_cached_key(|c| std::cmp::Reverse(c.record().created));
    if limit > 0 {
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    found.iter().map(|c| view::summary(shared, c, size)).collect()
}

struct Wanted<'a> {
    filters: &'a Filters,
    names: Vec<regex_lite::Regex>,
    exited: Vec<i32>,
    before: Option<values::Timestamp>,
    since: Option<values::Timestamp>,
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
            && f.matches("expose", |p| has_port(&record.config.exposed_ports.keys().collect::<Vec<_>>(), p))
            && f.matches("publish", |_| false)
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

/// `80`, `80/tcp`, `80-90/udp`
fn has_port(exposed: &[&String], wanted: &str) -> bool {
    let (range, kind) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return false };
    exposed.iter().any(|key| {
        let (port, of) = key.split_once('/').unwrap_or((key, "tcp"));
        of == kind && port.parse::<u16>().is_ok_and(|p| (first..=last).contains(&p))
    })
}
