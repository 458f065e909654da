//! What Docker writes into a host configuration where the user left a choice to the daemon.

use api::types::HostConfig;

use crate::config::Defaults;
use crate::machine::Machine;

/// Fills in the daemon's defaults, so that `inspect` tells what holds and a later change of the daemon's configuration
/// does not change existing containers. Called once, after the validation and before the record is written.
pub fn adapt(host: &mut HostConfig, defaults: &Defaults, machine: &Machine) {
    if matches!(host.network_mode.as_str(), "" | "default") {
        host.network_mode = "bridge".into();
    }
    fill(&mut host.ipc_mode, if defaults.ipc.is_empty() { "private" } else { &defaults.ipc });
    if host.cgroupns_mode.is_empty() {
        host.cgroupns_mode = cgroupns(host, defaults, machine).into();
    }
    fill(&mut host.runtime, &defaults.runtime);
    if host.shm_size == 0 {
        host.shm_size = defaults.shm_size;
    }
    if host.restart_policy.name.is_empty() {
        host.restart_policy.name = "no".into();
    }
    adapt_resources(host, machine);
    adapt_security(host);
    adapt_log(host, defaults);
}

fn adapt_resources(host: &mut HostConfig, machine: &Machine) {
    let resources = &mut host.resources;
    if resources.memory > 0 && resources.memory_swap == 0 {
        resources.memory_swap = resources.memory.saturating_mul(2);
    }
    if resources.oom_kill_disable.is_none() && machine.limits.oom_kill_disable {
        resources.oom_kill_disable = Some(false);
    }
}

fn adapt_security(host: &mut HostConfig) {
    let labelled = host.security_opt.iter().flatten().any(|option| option.starts_with("label"));
    if !labelled && (host.privileged || host.pid_mode == "host" || host.ipc_mode == "host") {
        host.security_opt.get_or_insert_default().push("label=disable".into());
    }
    if !host.privileged {
        host.masked_paths.get_or_insert_with(runtime::masked_paths);
        host.readonly_paths.get_or_insert_with(runtime::readonly_paths);
    }
}

fn adapt_log(host: &mut HostConfig, defaults: &Defaults) {
    let log = &mut host.log_config;
    fill(&mut log.kind, &defaults.log_driver);
    let options = log.config.get_or_insert_default();
    if log.kind == defaults.log_driver {
        for (key, value) in &defaults.log_opts {
            options.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

fn cgroupns<'a>(host: &HostConfig, defaults: &'a Defaults, machine: &Machine) -> &'a str {
    if host.privileged && !machine.is_cgroup_v2() {
        return "host";
    }
    let usual = if machine.is_cgroup_v2() { "private" } else { "host" };
    defaults.cgroupns.as_deref().filter(|mode| !mode.is_empty()).unwrap_or(usual)
}

fn fill(own: &mut String, default: &str) {
    if own.is_empty() {
        own.push_str(default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn adapted(mut host: HostConfig, version: u8) -> HostConfig {
        let defaults = Defaults {
            log_opts: BTreeMap::from([("max-size".into(), "1m".into()), ("tag".into(), "t".into())]),
            ..Defaults::default()
        };
        adapt(&mut host, &defaults, &Machine { cgroup_version: version, ..Machine::default() });
        host
    }

    #[test]
    fn fills_what_is_missing() {
        let host = adapted(HostConfig::default(), 2);
        assert_eq!(
            [&host.network_mode, &host.ipc_mode, &host.cgroupns_mode, &host.runtime, &host.restart_policy.name],
            ["bridge", "private", "private", "runc", "no"]
        );
        assert_eq!(host.shm_size, 64 << 20);
        assert_eq!(host.security_opt, None);
        assert!(host.masked_paths.is_some() && host.readonly_paths.is_some());
        assert_eq!(host.log_config.kind, "json-file");
        assert_eq!(host.log_config.config.unwrap()["max-size"], "1m");
        assert_eq!(adapted(HostConfig::default(), 1).cgroupns_mode, "host");
    }

    #[test]
    fn keeps_what_is_there() {
        let mut host =
            HostConfig { masked_paths: Some(vec![]), shm_size: 5, ipc_mode: "none".into(), ..Default::default() };
        host.resources.memory = 100;
        host.log_config.kind = "none".into();
        let host = adapted(host, 2);
        assert_eq!((host.shm_size, host.ipc_mode.as_str()), (5, "none"));
        assert_eq!(host.resources.memory_swap, 200);
        assert_eq!(host.masked_paths, Some(vec![]));
        assert_eq!(host.log_config.config, Some(BTreeMap::new()));
    }

    #[test]
    fn privileged() {
        let host = adapted(HostConfig { privileged: true, ..HostConfig::default() }, 1);
        assert_eq!(host.security_opt, Some(vec!["label=disable".into()]));
        assert_eq!((host.cgroupns_mode.as_str(), host.masked_paths), ("host", None));
    }
}
