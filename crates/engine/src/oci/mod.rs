//! From a container's configuration to what the runtime is told: one file per section of the OCI specification.
//!
//! [`launch`] decides and changes nothing: it only looks at device nodes and mount tables. Results are Docker's:
//! the same configuration gives the same capabilities, mounts, limits and files.

pub mod capabilities;
pub mod devices;
mod exec;
pub mod mounts;
pub mod namespaces;
pub mod process;
pub mod resources;
pub mod seccomp;
pub mod security;
pub mod sysctls;

use std::path::Path;

pub use exec::exec;

use api::types::{ContainerConfig, HostConfig};
use oci::runtime::{Linux, Root, Spec, VERSION};
use values::{Error, Result, RootMount};

use crate::cdi;
use crate::config::Defaults;
use crate::container::modes::{self, PidMode};
use crate::container::mounts::Resolved;
use crate::machine::Machine;
use crate::remap::Remap;

/// All that a launch follows from.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    pub id: &'a str,
    /// The name inside; ignored with `--uts host`.
    pub hostname: &'a str,
    /// Merged with the image's.
    pub config: &'a ContainerConfig,
    pub host: &'a HostConfig,
    pub mounts: &'a [Resolved],
    pub etc: EtcFiles<'a>,
    /// Below each hierarchy's root, `/lighter/ID`.
    pub cgroup_path: String,
    pub defaults: &'a Defaults,
    pub machine: &'a Machine,
    pub joined: Joined,
    pub rootfs: RootMount,
    /// For a runtime that knows OCI's documents only: the system call filter as rules, not compiled.
    pub plain: bool,
    /// Variables of `--link`.
    pub link_env: &'a [String],
    /// For SELinux; empty: none.
    pub process_label: &'a str,
    pub mount_label: &'a str,
}

impl Input<'_> {
    /// The ids of this container on the machine, where they are others than inside.
    pub fn remap(&self) -> Option<&Remap> {
        of_remap(self.host, self.defaults)
    }
}

/// Which ids a container of this configuration has on the machine, where they are others than inside.
pub fn of_remap<'a>(host: &HostConfig, defaults: &'a Defaults) -> Option<&'a Remap> {
    defaults.remap.as_ref().filter(|_| host.userns_mode != "host")
}

/// The daemon's own files, by their paths on the host, that the container sees in `/etc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct EtcFiles<'a> {
    pub hostname: Option<&'a Path>,
    pub hosts: Option<&'a Path>,
    pub resolv_conf: Option<&'a Path>,
}

/// First processes of the containers whose namespaces are joined, for the modes `container:ID`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joined {
    pub net: Option<i32>,
    pub ipc: Option<i32>,
    pub pid: Option<i32>,
}

/// What the runtime is told.
///
/// # Errors
/// `InvalidArgument` or `NotFound` in Docker's words, for devices, mount sources and options that do not hold now.
pub fn launch(input: &Input<'_>) -> Result<runtime::Launch> {
    let options = security::parse(input.host, input.defaults.no_new_privileges)?;
    let capabilities = capabilities::of(input.host)?;
    let (seccomp, rules) = match input.plain {
        true => (None, security::seccomp_rules(input, &options, &capabilities)?),
        false => (security::seccomp_program(input, &options, &capabilities)?, None),
    };
    let uts_host = modes::uts_is_host(&input.host.uts_mode)?;
    let mounts = mounts::mounts(input, &options)?;
    let name = |text: &str| if uts_host { String::new() } else { text.to_owned() };
    let (masked_paths, readonly_paths) = security::paths(input.host);
    let remap = input.remap();
    let linux = Linux {
        uid_mappings: remap.map(|remap| remap.uids.clone()).unwrap_or_default(),
        gid_mappings: remap.map(|remap| remap.gids.clone()).unwrap_or_default(),
        sysctl: sysctls::sysctls(input)?,
        resources: Some(resources::resources(input)?),
        cgroups_path: input.cgroup_path.clone(),
        namespaces: namespaces::namespaces(input)?,
        devices: devices::devices(input)?,
        rootfs_propagation: mounts.rootfs_propagation,
        masked_paths,
        readonly_paths,
        seccomp: rules,
        mount_label: input.mount_label.to_owned(),
        ..Linux::default()
    };
    let spec = Spec {
        oci_version: VERSION.into(),
        process: Some(process::process(input, &options, capabilities)?),
        root: Some(Root { path: String::new(), readonly: input.host.readonly_rootfs }),
        hostname: name(input.hostname),
        domainname: name(&input.config.domainname),
        mounts: mounts.list,
        annotations: input.host.annotations.clone(),
        linux: Some(linux),
        ..Spec::default()
    };
    let mut launch = runtime::Launch {
        id: input.id.to_owned(),
        spec,
        rootfs: input.rootfs.clone(),
        seccomp,
        init: init(input)?,
        user: Some(input.config.user.clone()),
        additional_groups: input.host.group_add.clone().unwrap_or_default(),
        map_root: remap.is_some(),
        sources: input.mounts.iter().filter_map(Resolved::runtime_source).collect(),
        bundle: None,
    };
    inject(input, &mut launch)?;
    Ok(launch)
}

/// Devices asked for by name.
fn inject(input: &Input<'_>, launch: &mut runtime::Launch) -> Result<()> {
    if input.host.resources.device_requests.iter().flatten().next().is_none() {
        return Ok(());
    }
    let devices = cdi::Devices::read(&input.defaults.cdi_directories);
    for (path, why) in &devices.broken {
        tracing::warn!("CDI file {}: {why}", path.display());
    }
    let names = devices.requested(input.host)?;
    cdi::apply(&devices.edits(&names)?, launch)?;
    if launch.map_root && launch.spec.hooks.is_some() {
        return Err(Error::not_implemented(
            "CDI device injection failed: hooks of devices need the host's user namespace: use --userns=host",
        ));
    }
    Ok(())
}

/// An init of ours makes sense only where the container has process 1.
fn init(input: &Input<'_>) -> Result<bool> {
    let own = PidMode::parse(&input.host.pid_mode)? == PidMode::Private;
    Ok(own && input.host.init.unwrap_or(input.defaults.init))
}

#[cfg(test)]
pub(crate) mod tests;
