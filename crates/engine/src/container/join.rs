//! What a container's modes mean at a start: whose namespaces it joins, what address it asks for.

use std::sync::Arc;

use values::{Error, Result};

use super::modes::IpcMode;
use super::record::Record;
use crate::oci::Joined;
use crate::shared::Shared;

/// The processes whose namespaces are shared.
pub fn joined(shared: &Arc<Shared>, record: &Record) -> Result<Joined> {
    let pid = |what: &str, mode: &str| -> Result<Option<i32>> {
        let Some(other) = mode.strip_prefix("container:") else { return Ok(None) };
        let other = shared.registry.find(other)?;
        let state = other.state();
        if !state.is_running() {
            let id = &other.id;
            return Err(Error::conflict(format!("cannot join {what} of a non running container: {id}")));
        }
        Ok(Some(state.pid))
    };
    refuse_private_ipc(shared, record)?;
    refuse_foreign_ids(shared, record)?;
    Ok(Joined {
        net: pid("network namespace", &record.host.network_mode)?,
        ipc: pid("IPC", &record.host.ipc_mode)?,
        pid: pid("PID", &record.host.pid_mode)?,
    })
}

/// A remapped container has no rights over what belongs to the host's root.
fn refuse_foreign_ids(shared: &Arc<Shared>, record: &Record) -> Result<()> {
    if crate::oci::of_remap(&record.host, &shared.config.defaults).is_none() {
        return Ok(());
    }
    for mode in [&record.host.network_mode, &record.host.ipc_mode, &record.host.pid_mode] {
        let Some(other) = mode.strip_prefix("container:") else { continue };
        let donor = shared.registry.find(other)?;
        if donor.record().host.userns_mode == "host" {
            let id = &donor.id;
            return Err(Error::invalid(format!(
                "cannot join the namespaces of container {id}, which is in the host's user namespace: use --userns=host"
            )));
        }
    }
    Ok(())
}

/// Only who was made to share it has an IPC namespace for others.
fn refuse_private_ipc(shared: &Arc<Shared>, record: &Record) -> Result<()> {
    let Some(other) = record.host.ipc_mode.strip_prefix("container:") else { return Ok(()) };
    let donor = shared.registry.find(other)?;
    let mode = donor.record().host.ipc_mode.clone();
    match IpcMode::parse(&mode, "")? {
        IpcMode::None | IpcMode::Private => Err(Error::invalid(format!(
            "failed to join IPC namespace: container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
            donor.id
        ))),
        // the donor's own is somebody else's or the host's: it can be had as it is
        _ => Ok(()),
    }
}

pub fn parse_mac(text: &str) -> Result<[u8; 6]> {
    let bad = || Error::invalid(format!("invalid MAC address: {text}"));
    let mut mac = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut mac {
        let part = parts.next().filter(|p| p.len() == 2).ok_or_else(bad)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
    }
    if parts.next().is_some() { Err(bad()) } else { Ok(mac) }
}
