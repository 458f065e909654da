//! Is a container's configuration one that can be run? Every check which Docker's daemon makes in `create`, in its words.
//!
//! What this engine does not do yet is refused here, by the flag's name: nothing is accepted and then ignored.
//! Settings which the kernel cannot carry out are dropped with a warning, as Docker does.

mod limits;
mod network;
mod refusals;

use api::types::{ContainerConfig, ContainerCreateRequest, HostConfig, RestartPolicy};
use values::{Error, Platform, Result, Signal};

use super::{health, log, modes, mounts};
use crate::config::Defaults;
use crate::machine::Machine;
use crate::oci;

pub use limits::limits;
pub use network::{endpoint, is_of_settings};

const NAME_RULE: &str = "[a-zA-Z0-9][a-zA-Z0-9_.-]";

/// A container's name as asked for, without the leading slash.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn name(asked: &str) -> Result<&str> {
    let bare = asked.strip_prefix('/').unwrap_or(asked);
    let mut letters = bare.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = letters.clone().count() > 0 && letters.all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if first && rest {
        return Ok(bare);
    }
    Err(Error::invalid(format!("Invalid container name ({asked}), only {NAME_RULE} are allowed")))
}

/// Checks a request before its image is looked for and drops what the kernel cannot do. Answers the warnings.
///
/// The configuration's working directory is made clean; nothing else of it changes.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `NotImplemented` naming the flag.
pub fn request(body: &mut ContainerCreateRequest, machine: &Machine, defaults: &Defaults) -> Result<Vec<String>> {
    let host = body.host_config.get_or_insert_default();
    limits::shares(&host.resources)?;
    network::check(&body.config, host, body.networking_config.as_ref())?;
    refusals::host(host)?;
    config(&mut body.config)?;
    host_config(host, machine, defaults)?;
    let mut warnings = limits(&mut host.resources, machine)?;
    beside_limits(host, defaults)?;
    if modes::NetworkMode::parse(&host.network_mode)? == modes::NetworkMode::Host && publishes(host) {
        warnings.push("Published ports are discarded when using host network mode".into());
    }
    if host.cgroupns_mode == "private" && !machine.cgroup_namespaces {
        warnings.push("Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded.".into());
        host.cgroupns_mode = "host".into();
    }
    if host.init == Some(true) && modes::PidMode::parse(&host.pid_mode)? != modes::PidMode::Private {
        // as with Docker, which does not say so
        warnings.push("An init is only put into a container that has a process 1 of its own: it has no effect with another's processes (PidMode).".into());
    }
    Ok(warnings)
}

fn publishes(host: &HostConfig) -> bool {
    host.publish_all_ports || host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty())
}

/// A platform asked for by `--platform` against the image's.
///
/// # Errors
/// `NotFound` in Docker's words when they differ.
pub fn platform(reference: &str, wanted: &Platform, actual: &Platform) -> Result<()> {
    if actual.is(wanted) {
        return Ok(());
    }
    Err(Error::not_found(format!(
        "image with reference {reference} was found but its platform ({actual}) does not match the specified platform ({wanted})"
    )))
}

/// The warning about an image of a foreign platform which nobody asked for.
pub fn platform_warning(image: &Platform, machine: &Platform) -> Option<String> {
    let same = image.os == machine.os && image.architecture == machine.architecture;
    (!same && !image.architecture.is_empty()).then(|| {
        format!(
            "The requested image's platform ({image}) does not match the detected host platform ({machine}) and no specific platform was requested"
        )
    })
}

fn config(config: &mut ContainerConfig) -> Result<()> {
    if !config.working_dir.is_empty() {
        if !config.working_dir.starts_with('/') {
            return Err(Error::invalid(format!(
                "the working directory '{}' is invalid, it needs to be an absolute path",
                config.working_dir
            )));
        }
        config.working_dir = mounts::clean(&config.working_dir);
    }
    if !config.stop_signal.is_empty() {
        config.stop_signal.parse::<Signal>()?;
    }
    for variable in config.env.iter().flatten() {
        env(variable)?;
    }
    for port in config.exposed_ports.keys() {
        network::port(port)?;
    }
    no_nul(config)?;
    config.healthcheck.as_ref().map_or(Ok(()), health::check::validate)
}

fn env(variable: &str) -> Result<()> {
    if variable.is_empty() || variable.starts_with('=') {
        return Err(Error::invalid(format!("invalid environment variable: {variable}")));
    }
    Ok(())
}

/// No string which goes to `execve(2)` or `mount(2)` may hold a NUL byte.
fn no_nul(config: &ContainerConfig) -> Result<()> {
    let words = [&config.cmd, &config.entrypoint].into_iter().flatten().flat_map(|list| list.iter());
    let texts = [&config.hostname, &config.domainname, &config.user, &config.working_dir];
    let mut all = words.chain(config.env.iter().flatten()).chain(texts);
    match all.find(|text| text.contains('\0')) {
        Some(text) => Err(Error::invalid(format!("invalid argument: {text:?} contains a NUL byte"))),
        None => Ok(()),
    }
}

fn host_config(host: &mut HostConfig, machine: &Machine, defaults: &Defaults) -> Result<()> {
    if host.auto_remove && !matches!(host.restart_policy.name.as_str(), "" | "no") {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    restart_policy(&host.restart_policy)?;
    oci::capabilities::check(host)?;
    oci::security::check(host, machine)?;
    oci::resources::check_ulimits(&host.resources)?;
    oci::devices::check(host)?;
    if !matches!(host.isolation.as_str(), "" | "default") {
        return Err(Error::invalid(format!("invalid isolation ({}): linux only supports 'default'", host.isolation)));
    }
    if host.annotations.contains_key("") {
        return Err(Error::invalid("invalid Annotations: the empty string is not permitted as an annotation key"));
    }
    modes::PidMode::parse(&host.pid_mode)?;
    modes::uts_is_host(&host.uts_mode)?;
    modes::cgroupns_is_private(&host.cgroupns_mode, false)?;
    userns(host, defaults)
}

/// What Docker looks at after the limits: of two faults the same one is said.
fn beside_limits(host: &HostConfig, defaults: &Defaults) -> Result<()> {
    modes::IpcMode::parse(&host.ipc_mode, &defaults.ipc)?;
    if host.shm_size < 0 {
        return Err(Error::invalid("SHM size can not be less than 0"));
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        let adj = host.oom_score_adj;
        return Err(Error::invalid(format!("Invalid value {adj}, range for oom score adj is [-1000, 1000]")));
    }
    oci::sysctls::check(host)?;
    super::record::storage_size(host)?;
    oci::mounts::check_tmpfs(&mounts::resolve(host)?)?;
    log::check(&host.log_config, &defaults.log_driver)
}

pub fn restart_policy(policy: &RestartPolicy) -> Result<()> {
    let RestartPolicy { name, maximum_retry_count: count } = policy;
    let bad = |why: &str| Err(Error::invalid(format!("invalid restart policy: {why}")));
    match name.as_str() {
        "on-failure" if *count < 0 => bad("maximum retry count cannot be negative"),
        "on-failure" => Ok(()),
        "" | "no" | "always" | "unless-stopped" if *count == 0 => Ok(()),
        "" | "no" | "always" | "unless-stopped" if *count < 0 => {
            bad("maximum retry count can only be used with 'on-failure' and cannot be negative")
        }
        "" | "no" | "always" | "unless-stopped" => bad("maximum retry count can only be used with 'on-failure'"),
        _ => bad(&format!("unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'")),
    }
}

/// What needs the host's ids cannot be had with others.
fn userns(host: &HostConfig, defaults: &Defaults) -> Result<()> {
    let mode = &host.userns_mode;
    if !matches!(mode.as_str(), "" | "host") {
        return Err(Error::invalid(format!("invalid user namespace mode: {mode}")));
    }
    if oci::of_remap(host, defaults).is_none() {
        return Ok(());
    }
    let conflicts = [
        (
            host.privileged,
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
        ),
        (host.network_mode == "host", "cannot share the host's network namespace when user namespaces are enabled"),
        (host.pid_mode == "host", "cannot share the host PID namespace when user namespaces are enabled"),
    ];
    match conflicts.iter().find(|(asked, _)| *asked) {
        Some((_, why)) => Err(Error::invalid(*why)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
