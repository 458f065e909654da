//! One more process in a running container: as the container's own, save for what was asked.

use api::types::{ExecCreateRequest, HostConfig};
use oci::runtime::Process;
use values::Result;

use super::{Input, capabilities, process, security};

/// What the runtime is told of an exec. `input` is the container's.
///
/// # Errors
/// `InvalidArgument` for options of the container that do not hold any more.
pub fn exec(input: &Input<'_>, asked: &ExecCreateRequest) -> Result<runtime::Exec> {
    let host = HostConfig { privileged: asked.privileged || input.host.privileged, ..input.host.clone() };
    let mut config = input.config.clone();
    config.tty = asked.tty;
    config.entrypoint = None;
    config.cmd.clone_from(&asked.cmd);
    if !asked.user.is_empty() {
        config.user.clone_from(&asked.user);
    }
    if !asked.working_dir.is_empty() {
        config.working_dir.clone_from(&asked.working_dir);
    }
    let input = Input { config: &config, host: &host, ..input.clone() };
    let mut options = security::parse(&host, input.defaults.no_new_privileges)?;
    if asked.privileged {
        // docker lifts the filter and the profile for a privileged exec, whatever the container has
        options.seccomp = Some("unconfined".into());
        options.apparmor = Some("unconfined".into());
    }
    let capabilities = capabilities::of(&host)?;
    let seccomp = security::seccomp_program(&input, &options, &capabilities)?;
    let process = process::process(&input, &options, capabilities)?;
    let env = process::exec_environment(&process.env, asked.env.as_deref().unwrap_or_default());
    Ok(runtime::Exec {
        process: Process { env, console_size: None, ..process },
        user: Some(config.user.clone()),
        additional_groups: host.group_add.clone().unwrap_or_default(),
        seccomp,
    })
}
