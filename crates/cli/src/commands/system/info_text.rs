//! `info` for people.

use std::fmt::{Display, Write};

use api::types::SystemInfo;
use serde_json::Value as Json;

/// The client's part, and the line before the daemon's.
pub fn client(client: &Json) -> String {
    let text = |key: &str| client[key].as_str().unwrap_or_default();
    format!(
        "Client:\n Version:    {}\n Context:    {}\n Debug Mode: {}\n\nServer:\n",
        text("Version"),
        text("Context"),
        client["Debug"]
    )
}

/// Lines `LABEL: VALUE`.
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: impl Display) {
        let _ = writeln!(self.0, "{label}: {value}");
    }

    /// Nothing for an empty value.
    fn add_some(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.add(label, value);
        }
    }

    fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.0, "{text}");
    }

    fn list<S: Display>(&mut self, heading: &str, items: impl IntoIterator<Item = S>) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            self.line(format_args!("{heading}:"));
        }
        items.for_each(|item| self.line(format_args!("  {item}")));
    }
}

/// The daemon's part.
pub fn server(info: &SystemInfo) -> String {
    let mut lines = Lines(String::new());
    counts(&mut lines, info);
    drivers(&mut lines, info);
    runtimes(&mut lines, info);
    machine(&mut lines, info);
    settings(&mut lines, info);
    lines.line("");
    lines.0
}

fn counts(lines: &mut Lines, info: &SystemInfo) {
    lines.add(" Containers", info.containers);
    lines.add("  Running", info.containers_running);
    lines.add("  Paused", info.containers_paused);
    lines.add("  Stopped", info.containers_stopped);
    lines.add(" Images", info.images);
    lines.add_some(" Server Version", &info.server_version);
}

fn drivers(lines: &mut Lines, info: &SystemInfo) {
    lines.add_some(" Storage Driver", &info.driver);
    for [label, value] in info.driver_status.iter().flatten() {
        lines.add(&format!("  {label}"), value);
    }
    lines.add_some(" Logging Driver", &info.logging_driver);
    lines.add_some(" Cgroup Driver", &info.cgroup_driver);
    lines.add_some(" Cgroup Version", &info.cgroup_version);
    lines.line(" Plugins:");
    let plugins = &info.plugins;
    let joined = |names: &Option<Vec<String>>| names.as_deref().unwrap_or_default().join(" ");
    lines.add("  Volume", joined(&plugins.volume));
    lines.add("  Network", joined(&plugins.network));
    lines.add_some("  Authorization", &joined(&plugins.authorization));
    lines.add("  Log", joined(&plugins.log));
    lines.list(" CDI spec directories", &info.cdi_spec_dirs);
    lines.add(" Swarm", &info.swarm.local_node_state);
}

fn runtimes(lines: &mut Lines, info: &SystemInfo) {
    if !info.runtimes.is_empty() {
        // Docker's own order is random; the default comes first here
        let default = info.runtimes.keys().filter(|name| **name == info.default_runtime);
        let others = info.runtimes.keys().filter(|name| **name != info.default_runtime);
        let names: Vec<&str> = default.chain(others).map(String::as_str).collect();
        lines.add(" Runtimes", names.join(" "));
        lines.add(" Default Runtime", &info.default_runtime);
    }
    if info.os_type != "linux" {
        return;
    }
    lines.add(" Init Binary", &info.init_binary);
    for (label, commit) in [
        (" containerd version", &info.containerd_commit),
        (" runc version", &info.runc_commit),
        (" init version", &info.init_commit),
    ] {
        lines.add(label, &commit.id);
    }
    security(lines, &info.security_options);
}

/// `name=seccomp,profile=builtin` as a heading with its options.
fn security(lines: &mut Lines, options: &[String]) {
    if !options.is_empty() {
        lines.line(" Security Options:");
    }
    for option in options {
        let mut pairs = option.split(',').map(|pair| pair.split_once('=').unwrap_or(("name", pair)));
        let name = pairs.clone().find(|(key, _)| *key == "name").map_or("", |(_, name)| name);
        lines.line(format_args!("  {name}"));
        for (key, value) in pairs.by_ref().filter(|(key, _)| *key == "profile") {
            let _ = key;
            lines.add("   Profile", value);
        }
    }
}

fn machine(lines: &mut Lines, info: &SystemInfo) {
    lines.add(" Kernel Version", &info.kernel_version);
    lines.add(" Operating System", &info.operating_system);
    lines.add(" OSType", &info.os_type);
    lines.add(" Architecture", &info.architecture);
    lines.add(" CPUs", info.ncpu);
    lines.add(" Total Memory", values::size::human_binary(info.mem_total as f64));
    lines.add_some(" Name", &info.name);
    lines.add_some(" ID", &info.id);
    lines.add(" Docker Root Dir", &info.docker_root_dir);
    lines.add(" Debug Mode", info.debug);
    if info.debug {
        lines.add("  File Descriptors", info.n_fd);
        lines.add("  Goroutines", info.n_goroutines);
        lines.add("  System Time", &info.system_time);
        lines.add("  EventsListeners", info.n_events_listener);
    }
}

fn settings(lines: &mut Lines, info: &SystemInfo) {
    lines.add_some(" HTTP Proxy", &info.http_proxy);
    lines.add_some(" HTTPS Proxy", &info.https_proxy);
    lines.add_some(" No Proxy", &info.no_proxy);
    lines.list(" Labels", &info.labels);
    lines.add(" Experimental", info.experimental_build);
    if let Some(registries) = &info.registry_config {
        let insecure = registries.index_configs.values().filter(|index| !index.secure).map(|index| &index.name);
        lines.list(" Insecure Registries", insecure.chain(registries.insecure_registry_cidrs.iter().flatten()));
        lines.list(" Registry Mirrors", registries.mirrors.iter().flatten());
    }
    lines.add(" Live Restore Enabled", info.live_restore_enabled);
    lines.add_some(" Product License", &info.product_license);
    if !info.default_address_pools.is_empty() {
        lines.line(" Default Address Pools:");
        for pool in &info.default_address_pools {
            lines.line(format_args!("   Base: {}, Size: {}", pool.base, pool.size));
        }
    }
}
