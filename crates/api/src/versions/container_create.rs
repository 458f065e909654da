//! `POST /containers/create`

use values::{Error, Result};

use crate::types::{ContainerCreateRequest, HostConfig, Mount};
use crate::version::Version;

/// Gives a request of an older version the meaning it had then: fields that did not exist are dropped, and defaults
/// that changed since are written out.
///
/// # Errors
/// `InvalidArgument` in Docker's words for what a version did not have yet, and cannot be dropped.
pub fn raise_create(request: &mut ContainerCreateRequest, version: Version) -> Result<()> {
    if let Some(host) = &mut request.host_config {
        let has_part = |mount: &Mount| mount.volume_options.as_ref().is_some_and(|volume| !volume.subpath.is_empty());
        if version.below(45) && host.mounts.iter().any(has_part) {
            return Err(Error::invalid("VolumeOptions.Subpath needs API v1.45 or newer"));
        }
        if version.below(48) && host.mounts.iter().any(|mount| mount.kind == "image") {
            return Err(Error::invalid("Mount type \"Image\" needs API v1.48 or newer"));
        }
        raise_host_config(host, version);
    }
    if version.below(44)
        && let Some(health) = &mut request.config.healthcheck
    {
        health.start_interval = 0;
    }
    if !version.below(52) {
        request.config.mac_address.clear();
    }
    move_mac_address(request);
    Ok(())
}

fn raise_host_config(host: &mut HostConfig, version: Version) {
    for mount in &mut host.mounts {
        raise_mount(mount, version);
    }
    if version.below(25) {
        host.auto_remove = false;
    }
    if version.below(40) {
        host.resources.device_requests = None;
        if host.ipc_mode.is_empty() {
            host.ipc_mode = "shareable".to_owned();
        }
    }
    if version.below(41) && host.cgroupns_mode.is_empty() {
        host.cgroupns_mode = "host".to_owned();
    }
    if version.below(42) {
        host.console_size = [0, 0];
    } else {
        host.resources.kernel_memory = 0;
    }
    if version.below(43) {
        host.annotations.clear();
    }
    if !version.below(52) {
        host.resources.kernel_memory_tcp = 0;
    }
}

fn raise_mount(mount: &mut Mount, version: Version) {
    if let Some(bind) = &mut mount.bind_options {
        if version.below(40) {
            bind.non_recursive = false;
        }
        if version.below(42) {
            bind.create_mountpoint = false;
        }
    }
    if version.below(44) && mount.kind == "bind" && mount.read_only {
        // Read-only meant the topmost mount only.
        let bind = mount.bind_options.get_or_insert_default();
        bind.read_only_force_recursive = false;
        bind.read_only_non_recursive = true;
    }
    if version.below(46)
        && let Some(tmpfs) = &mut mount.tmpfs_options
    {
        tmpfs.options.clear();
    }
}

/// `Config.MacAddress` of old clients belongs to the end on the network of `HostConfig.NetworkMode`.
fn move_mac_address(request: &mut ContainerCreateRequest) {
    let mac = std::mem::take(&mut request.config.mac_address);
    let mode = request.host_config.as_ref().map_or("", |host| host.network_mode.as_str());
    if mac.is_empty() || mode == "none" || mode == "host" || mode.starts_with("container:") {
        return;
    }
    let network = if mode.is_empty() || mode == "default" { "bridge" } else { mode }.to_owned();
    let networking = request.networking_config.get_or_insert_default();
    let endpoint = networking.endpoints_config.get_or_insert_default().entry(network).or_default();
    if endpoint.mac_address.is_empty() {
        endpoint.mac_address = mac;
    }
}
