//! A container as `inspect` and lists show it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use api::types::{
    ContainerConfig, ContainerInspect, ContainerState, ContainerSummary, DriverData, EndpointSettings, HealthSummary,
    HealthcheckResult, HostConfig, NetworkSettings, PortMap, SummaryHostConfig, SummaryNetworkSettings,
};
use values::{Digest, Result, Timestamp, duration};

use super::handle::Container;
use super::health::{Health, Outcome, Status};
use super::modes::NetworkMode;
use super::record::{Record, Volatile};
use super::state::{Phase, State};
use super::{links, networks};
use crate::oci::security;
use crate::shared::Shared;

pub fn inspect(shared: &Shared, container: &Container, size: bool) -> Result<ContainerInspect> {
    let record = container.record();
    let volatile = container.volatile();
    let mut argv = record.argv().into_iter();
    let etc = super::etc::files(shared, &record).unwrap_or_default();
    let sizes = if size { Some(shared.snapshots.usage(record.id.as_str())?.bytes) } else { None };
    let base = || shared.images.get(&record.image).map_or(0, |i| i.unpacked_size());
    let logged = record.host.log_config.kind == "json-file";
    Ok(ContainerInspect {
        id: record.id.to_string(),
        created: record.created.to_rfc3339_nano(),
        path: argv.next().unwrap_or_default(),
        args: argv.collect(),
        state: ContainerState { error: trouble(container, &volatile.state), ..state_view(&volatile) },
        image: record.image.to_string(),
        resolv_conf_path: etc.resolv_conf.display().to_string(),
        hostname_path: etc.hostname.display().to_string(),
        hosts_path: etc.hosts.display().to_string(),
        log_path: if logged { shared.log_path(&record).display().to_string() } else { String::new() },
        name: format!("/{}", record.name),
        restart_count: i64::from(volatile.state.restarts),
        driver: shared.snapshots.driver().into(),
        platform: "linux".into(),
        exec_ids: shared.execs.ids_of(&record.id),
        host_config: HostConfig { links: links::shown(shared, &record), ..record.host.clone() },
        graph_driver: Some(DriverData { name: shared.snapshots.driver().into(), ..DriverData::default() }),
        size_rw: sizes.map(|s| s as i64),
        size_rootfs: sizes.map(|s| s as i64 + base() as i64),
        mounts: record.mounts.clone(),
        process_label: record.process_label.clone(),
        mount_label: record.mount_label.clone(),
        app_armor_profile: apparmor(shared, &record, &volatile.state),
        config: shown_config(&record),
        network_settings: network_settings(shared, &record, &volatile),
        ..ContainerInspect::default()
    })
}

/// The configuration with the hardware address where Docker's clients before API 1.44 look for it.
fn shown_config(record: &Record) -> ContainerConfig {
    let mut config = record.config.clone();
    if config.mac_address.is_empty() {
        let main =
            if record.host.network_mode == "default" { crate::networks::BRIDGE } else { &record.host.network_mode };
        if let Some(settings) = record.attachments().get(main) {
            config.mac_address.clone_from(&settings.mac_address);
        }
    }
    config
}

/// What containers call their images, asked for once however many they are.
#[derive(Default)]
pub struct ImageNames(HashMap<String, Option<Digest>>);

impl ImageNames {
    /// The name it was created by while that still means the same image; else the image's id.
    fn of(&mut self, shared: &Shared, record: &Record) -> String {
        let asked = &record.config.image;
        let means = || shared.images.resolve(asked).ok().map(|image| image.id.clone());
        match self.0.entry(asked.clone()).or_insert_with(means) {
            Some(id) if *id == record.image => asked.clone(),
            _ => record.image.to_string(),
        }
    }
}

/// `links`: the names that others give it.
pub fn summary(
    shared: &Shared,
    container: &Container,
    size: bool,
    links: &[String],
    images: &mut ImageNames,
) -> ContainerSummary {
    let record = container.record();
    let volatile = &container.outline();
    // one that is removed meanwhile has nothing any more: that shall not keep the others from being listed
    let usage = if size { shared.snapshots.usage(record.id.as_str()).map_or(0, |usage| usage.bytes) } else { 0 };
    let mut names: Vec<String> = links.to_vec();
    names.push(format!("/{}", record.name));
    names.sort();
    names.dedup();
    ContainerSummary {
        id: record.id.to_string(),
        names: Some(names),
        image: images.of(shared, &record),
        image_id: record.image.to_string(),
        command: command_line(&record.argv()),
        created: record.created.secs,
        ports: if volatile.endpoints.is_empty() {
            vec![]
        } else {
            networks::port_summaries(&record.config, &volatile.ports)
        },
        size_rw: usage as i64,
        size_rootfs: if size {
            usage as i64 + shared.images.get(&record.image).map_or(0, |i| i.unpacked_size()) as i64
        } else {
            0
        },
        labels: record.config.labels.clone().unwrap_or_default(),
        state: volatile.state.status().into(),
        status: status(container, volatile),
        health: Some(health_summary(volatile.health.as_ref())),
        host_config: SummaryHostConfig {
            network_mode: record.host.network_mode.clone(),
            annotations: record.host.annotations.clone(),
        },
        network_settings: SummaryNetworkSettings { networks: Some(attached(shared, &record, volatile)) },
        mounts: record.mounts.clone(),
        ..ContainerSummary::default()
    }
}

/// The program and its arguments, those with blanks in quotes.
fn command_line(argv: &[String]) -> String {
    let quoted = |arg: &String| if arg.contains(char::is_whitespace) { format!("'{arg}'") } else { arg.clone() };
    let mut words = argv.iter();
    let mut line = words.next().cloned().unwrap_or_default();
    for word in words {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    line
}

fn state_view(volatile: &Volatile) -> ContainerState {
    let state = &volatile.state;
    let up = matches!(state.phase, Phase::Running { .. } | Phase::Backoff);
    ContainerState {
        status: state.status().into(),
        running: up,
        paused: state.is_paused(),
        restarting: state.phase == Phase::Backoff,
        oom_killed: state.oom,
        dead: state.phase == Phase::Dead,
        pid: i64::from(state.pid),
        exit_code: i64::from(state.exit_code),
        error: state.error.clone(),
        started_at: state.started_at.to_rfc3339_nano(),
        finished_at: state.finished_at.to_rfc3339_nano(),
        health: volatile.health.as_ref().map(health_view),
    }
}

pub fn health_view(health: &Health) -> api::types::Health {
    let result = |outcome: &Outcome| HealthcheckResult {
        start: outcome.begun.to_rfc3339_nano(),
        end: outcome.ended.to_rfc3339_nano(),
        exit_code: i64::from(outcome.code),
        output: outcome.output.clone(),
    };
    api::types::Health {
        status: health.status.word().into(),
        failing_streak: i64::from(health.streak),
        log: Some(health.log.iter().map(result).collect()),
    }
}

fn health_summary(health: Option<&Health>) -> HealthSummary {
    HealthSummary {
        status: health.map_or("none", |h| h.status.word()).into(),
        failing_streak: health.map_or(0, |h| i64::from(h.streak)),
    }
}

/// As Docker shows it: what was asked for until the first start, then what it has.
fn apparmor(shared: &Shared, record: &Record, state: &State) -> String {
    let Ok(options) = security::parse(&record.host, false) else { return String::new() };
    if state.started_at.is_zero() {
        return options.apparmor.unwrap_or_default();
    }
    security::apparmor(&shared.machine, &record.host, &options)
}

/// Why it did not start, or what it keeps others waiting for.
fn trouble(container: &Container, state: &State) -> String {
    match container.waits_for() {
        Some(waiting) if state.error.is_empty() => waiting.text(),
        _ => state.error.clone(),
    }
}

/// As a list has it; one that keeps somebody waiting says so.
fn status(container: &Container, volatile: &Volatile) -> String {
    let now = Timestamp::now();
    let text = status_text(&volatile.state, volatile.health.as_ref().map(|h| h.status), now);
    match container.waits_for() {
        Some(waiting) => format!("{text} {}", waiting.brief(now)),
        None => text,
    }
}

/// `Up 5 minutes (Paused)`, `Exited (0) 2 hours ago`, …
pub fn status_text(state: &State, health: Option<Status>, now: Timestamp) -> String {
    let ago = |t: Timestamp| format!("{} ago", duration::human(now.since(t)));
    let up = |now: Timestamp| duration::human(now.since(state.started_at).max(Duration::ZERO));
    match state.phase {
        Phase::Running { paused: true, .. } => format!("Up {} (Paused)", up(now)),
        Phase::Running { .. } => match health {
            Some(status) => format!("Up {} ({})", up(now), status.in_list()),
            None => format!("Up {}", up(now)),
        },
        Phase::Backoff => format!("Restarting ({}) {}", state.exit_code, ago(state.finished_at)),
        Phase::Removing | Phase::Gone => "Removal In Progress".into(),
        Phase::Dead => "Dead".into(),
        Phase::Created => "Created".into(),
        Phase::Starting { .. } if state.finished_at.is_zero() => "Created".into(),
        Phase::Starting { .. } | Phase::Exited => format!("Exited ({}) {}", state.exit_code, ago(state.finished_at)),
    }
}

fn network_settings(shared: &Shared, record: &Record, volatile: &Volatile) -> NetworkSettings {
    let running = volatile.state.is_running();
    let own = running && !matches!(record.network(), NetworkMode::Container(_));
    // macvlan and ipvlan links publish nothing, and say nothing of ports
    let ports = if running && volatile.endpoints.iter().any(|endpoint| !endpoint.host_ifname.is_empty()) {
        networks::port_map(&record.config, &volatile.ports)
    } else {
        PortMap::default()
    };
    NetworkSettings {
        sandbox_id: if own { shared.network_id(record.id.as_str()) } else { String::new() },
        sandbox_key: if own { format!("/proc/{}/ns/net", volatile.state.pid) } else { String::new() },
        ports: Some(ports),
        networks: Some(attached(shared, record, volatile)),
        ..NetworkSettings::default()
    }
}

/// The networks it is on, by name.
fn attached(shared: &Shared, record: &Record, volatile: &Volatile) -> BTreeMap<String, EndpointSettings> {
    let mut all = record.attachments();
    for (name, settings) in &mut all {
        complete(shared, record, volatile, name, settings);
    }
    all
}

/// Adds to what was asked of one network what came of it.
fn complete(shared: &Shared, record: &Record, volatile: &Volatile, name: &str, settings: &mut EndpointSettings) {
    // as Docker, not before it runs for the first time
    let ran = volatile.state.is_running() || volatile.state.exits > 0;
    if ran && !crate::networks::is_predefined(name) {
        settings.dns_names = Some(networks::dns_names(record, settings));
    }
    let found = volatile.endpoints.iter().find(|endpoint| endpoint.network == name);
    if volatile.state.is_running() || volatile.state.exits > 0 {
        settings.network_id = match found {
            Some(endpoint) => endpoint.network_id.clone(),
            None => crate::networks::find(shared, name).map(|found| found.id).unwrap_or_default(),
        };
    }
    let Some(endpoint) = found else {
        if volatile.state.is_running() && matches!(name, crate::networks::HOST | crate::networks::NONE) {
            settings.endpoint_id = crate::networks::bare_endpoint_id(shared, name, &record.id);
        }
        if volatile.state.exits > 0 {
            // as Docker: what it had is gone, what was asked for is in the configuration
            settings.mac_address.clear();
        }
        return;
    };
    let text = |ip: Option<String>| ip.unwrap_or_default();
    settings.endpoint_id.clone_from(&endpoint.endpoint_id);
    settings.mac_address.clone_from(&endpoint.mac);
    settings.ip_address = text(endpoint.ip.map(|ip| ip.to_string()));
    settings.ip_prefix_len = i64::from(endpoint.prefix_len);
    settings.gateway = text(endpoint.gateway.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
    settings.global_ipv6_address = text(endpoint.ip6.map(|ip| ip.to_string()));
    settings.global_ipv6_prefix_len = i64::from(endpoint.prefix_len6);
    settings.ipv6_gateway = text(endpoint.gateway6.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_as_docker_says_it() {
        let now = Timestamp { secs: 1_000_000, nanos: 0 };
        let at = |ago: i64| Timestamp { secs: 1_000_000 - ago, nanos: 0 };
        let base = State { started_at: at(300), finished_at: at(60), exit_code: 3, ..State::default() };
        for (phase, text) in [
            (Phase::Created, "Created"),
            (Phase::Running { paused: false, then: None }, "Up 5 minutes"),
            (Phase::Running { paused: true, then: None }, "Up 5 minutes (Paused)"),
            (Phase::Exited, "Exited (3) About a minute ago"),
            (Phase::Backoff, "Restarting (3) About a minute ago"),
            (Phase::Removing, "Removal In Progress"),
            (Phase::Dead, "Dead"),
        ] {
            assert_eq!(status_text(&State { phase, ..base.clone() }, None, now), text);
        }
        let up = State { phase: Phase::Running { paused: false, then: None }, ..base.clone() };
        assert_eq!(status_text(&up, Some(Status::Starting), now), "Up 5 minutes (health: starting)");
        assert_eq!(status_text(&up, Some(Status::Healthy), now), "Up 5 minutes (healthy)");
        let paused = State { phase: Phase::Running { paused: true, then: None }, ..base };
        assert_eq!(status_text(&paused, Some(Status::Unhealthy), now), "Up 5 minutes (Paused)");
    }

    #[test]
    fn commands_are_quoted() {
        let argv = |s: &[&str]| s.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        assert_eq!(command_line(&argv(&["sh", "-c", "echo hi"])), "sh -c 'echo hi'");
        assert_eq!(command_line(&[]), "");
    }
}
