//! `update`: limits and the restart policy of a container, running or not.

use std::sync::Arc;
use std::time::Duration;

use api::types::{HostConfig, Resources, UpdateRequest, UpdateResponse};
use cgroup::Cgroup;
use cgroup::systemd::Systemd;
use values::{Error, ErrorKind, Result};

use super::handle::{Container, Mail};
use super::record::Record;
use super::state::{Phase, State};
use super::validate;
use crate::machine::Machine;
use crate::oci;
use crate::shared::{Shared, blocking};

/// A start takes milliseconds; one that takes longer than this is stuck.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// # Errors
/// `InvalidArgument`, `Conflict` in Docker's words. A limit that the kernel refuses changes nothing.
pub async fn update(shared: &Arc<Shared>, container: &Arc<Container>, body: UpdateRequest) -> Result<UpdateResponse> {
    refuse(&body.resources)?;
    validate::restart_policy(&body.restart_policy)?;
    by_itself(&body.resources, &shared.machine)?;
    let cannot = |e: Error| e.context(format!("Cannot update container {}", container.id));
    // each until the kernel has its limits
    let _one_by_one = container.updating.lock().await;
    // with a rename in between, one of the two would be lost
    let turn = container.change("update").await.map_err(cannot)?;
    let old = container.record();
    let mut host = merge(&old.host, &body).map_err(cannot)?;
    let pids = host.resources.pids_limit;
    let mut warnings = validate::limits(&mut host.resources, &shared.machine)?;
    warnings.retain(|warning| asked_for(&body.resources, warning));
    // validation takes "unlimited" for "not said", which here would leave the old limit
    if pids.is_some_and(|limit| limit <= 0) && shared.machine.limits.pids {
        host.resources.pids_limit = Some(0);
    }
    let mut new = (*old).clone();
    new.host = host;

    let (s, r) = (shared.clone(), new.clone());
    blocking(move || s.records.update(&r)).await?;
    // a start from here on finds the new limits; one under way may have read the old ones, so it is waited for
    container.set_record(new.clone());
    // that start may wait for who is about to connect it to a network, who waits for a turn
    drop(turn);
    if let Err(e) = apply(shared, container, &old.host.resources, &new.host.resources).await {
        take_back(shared, container, &old).await?;
        return Err(cannot(e));
    }
    container.post(Mail::Policy(new.policy()));
    shared.emit_container("update", container);
    Ok(UpdateResponse { warnings: Some(warnings).filter(|list| !list.is_empty()) })
}

/// Its record has the limits and the policy of `old` again, and else what others have written meanwhile.
async fn take_back(shared: &Arc<Shared>, container: &Arc<Container>, old: &Record) -> Result<()> {
    // one that is being removed needs none
    let Ok(_turn) = container.change("update").await else { return Ok(()) };
    let mut record = (*container.record()).clone();
    record.host.resources.clone_from(&old.host.resources);
    record.host.restart_policy.clone_from(&old.host.restart_policy);
    container.set_record(record.clone());
    let s = shared.clone();
    blocking(move || s.records.update(&record)).await
}

/// What an update does not change is refused: Docker takes it and forgets it.
fn refuse(asked: &Resources) -> Result<()> {
    let filled = [
        (!asked.cgroup_parent.is_empty(), "CgroupParent"),
        (asked.blkio_weight_device.as_ref().is_some_and(|l| !l.is_empty()), "BlkioWeightDevice"),
        (asked.blkio_device_read_bps.as_ref().is_some_and(|l| !l.is_empty()), "BlkioDeviceReadBps"),
        (asked.blkio_device_write_bps.as_ref().is_some_and(|l| !l.is_empty()), "BlkioDeviceWriteBps"),
        (asked.blkio_device_read_iops.as_ref().is_some_and(|l| !l.is_empty()), "BlkioDeviceReadIOps"),
        (asked.blkio_device_write_iops.as_ref().is_some_and(|l| !l.is_empty()), "BlkioDeviceWriteIOps"),
        (asked.devices.as_ref().is_some_and(|l| !l.is_empty()), "Devices"),
        (asked.device_cgroup_rules.as_ref().is_some_and(|l| !l.is_empty()), "DeviceCgroupRules"),
        (asked.device_requests.as_ref().is_some_and(|l| !l.is_empty()), "DeviceRequests"),
        (asked.ulimits.as_ref().is_some_and(|l| !l.is_empty()), "Ulimits"),
        (asked.memory_swappiness.is_some_and(|value| value != -1), "MemorySwappiness"),
        (asked.oom_kill_disable == Some(true), "OomKillDisable"),
        (asked.cpu_count != 0, "CpuCount"),
        (asked.cpu_percent != 0, "CpuPercent"),
        (asked.io_maximum_iops != 0, "IOMaximumIOps"),
        (asked.io_maximum_bandwidth != 0, "IOMaximumBandwidth"),
    ];
    match filled.iter().find(|(given, _)| *given) {
        Some((_, field)) => Err(Error::not_implemented(format!(
            "{field} of a container cannot be updated: it is set when the container is created"
        ))),
        None => Ok(()),
    }
}

/// What is wrong whatever the container has is said first, as Docker does.
fn by_itself(asked: &Resources, machine: &Machine) -> Result<()> {
    let mut asked = asked.clone();
    if asked.memory == 0 {
        // held against the memory that is set already
        asked.memory_swap = asked.memory_swap.min(0);
    }
    validate::limits(&mut asked, machine).map(drop)
}

/// The container's configuration as it will be: zeros change nothing.
fn merge(old: &HostConfig, asked: &UpdateRequest) -> Result<HostConfig> {
    conflicts(&old.resources, &asked.resources)?;
    let mut host = old.clone();
    let (to, from) = (&mut host.resources, &asked.resources);
    for (to, from) in [
        (&mut to.cpu_shares, from.cpu_shares),
        (&mut to.nano_cpus, from.nano_cpus),
        (&mut to.cpu_period, from.cpu_period),
        (&mut to.cpu_quota, from.cpu_quota),
        (&mut to.cpu_realtime_period, from.cpu_realtime_period),
        (&mut to.cpu_realtime_runtime, from.cpu_realtime_runtime),
        (&mut to.memory, from.memory),
        (&mut to.memory_swap, from.memory_swap),
        (&mut to.memory_reservation, from.memory_reservation),
        (&mut to.kernel_memory, from.kernel_memory),
        (&mut to.kernel_memory_tcp, from.kernel_memory_tcp),
    ] {
        if from != 0 {
            *to = from;
        }
    }
    for (to, from) in [(&mut to.cpuset_cpus, &from.cpuset_cpus), (&mut to.cpuset_mems, &from.cpuset_mems)] {
        if !from.is_empty() {
            to.clone_from(from);
        }
    }
    if from.blkio_weight != 0 {
        to.blkio_weight = from.blkio_weight;
    }
    to.pids_limit = from.pids_limit.or(to.pids_limit);
    if !asked.restart_policy.name.is_empty() {
        if old.auto_remove && asked.restart_policy.name != "no" {
            return Err(Error::conflict(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        host.restart_policy.clone_from(&asked.restart_policy);
    }
    Ok(host)
}

/// What is asked for against what was set before.
fn conflicts(old: &Resources, asked: &Resources) -> Result<()> {
    let conflict = |found: bool, message: &str| if found { Err(Error::conflict(message)) } else { Ok(()) };
    conflict(
        asked.nano_cpus > 0 && old.cpu_period > 0,
        "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
    )?;
    conflict(
        asked.nano_cpus > 0 && old.cpu_quota > 0,
        "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
    )?;
    conflict(
        asked.cpu_period > 0 && old.nano_cpus > 0,
        "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
    )?;
    conflict(
        asked.cpu_quota > 0 && old.nano_cpus > 0,
        "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
    )?;
    // -1: swap has no limit that memory could be above; Docker refuses this too
    let limited = old.memory_swap != -1;
    conflict(
        limited && asked.memory > old.memory_swap && asked.memory != 0 && asked.memory_swap == 0,
        "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    )
}

/// The check of the whole warns of what was asked for in `create`, too: that was said then.
fn asked_for(asked: &Resources, warning: &str) -> bool {
    !warning.starts_with("OOM killer is disabled") || asked.memory != 0
}

/// Writes the new limits of a container that runs; `old` is what its group has.
async fn apply(shared: &Arc<Shared>, container: &Arc<Container>, old: &Resources, new: &Resources) -> Result<()> {
    let settled = container.until(|s: &State| !matches!(s.phase, Phase::Starting { .. }));
    let state = tokio::time::timeout(START_PATIENCE, settled).await;
    let state = state.map_err(|_| Error::unavailable("it has been starting for ten seconds: try again later"))?;
    if !state.is_running() {
        return Ok(());
    }
    let (old, new) = (oci::resources::limits(old)?, oci::resources::limits(new)?);
    let place = shared.cgroup_place(&container.record());
    let changed = blocking(move || {
        let group = Cgroup::open(&place.path)?;
        let Some(scope) = place.scope() else { return group.change(&old, &new) };
        // systemd first: it knows coarser values only, and would write them over ours
        let mut systemd = Systemd::connect()?;
        systemd.set_limits(group.version(), &scope.unit, &new)?;
        group.change(&old, &new).inspect_err(|_| drop(systemd.set_limits(group.version(), &scope.unit, &old)))
    })
    .await;
    match changed {
        // it ended meanwhile
        Err(e) if e.kind == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::types::RestartPolicy;

    fn updated(old: Resources, asked: Resources) -> Result<Resources, String> {
        let old = HostConfig { resources: old, ..HostConfig::default() };
        let asked = UpdateRequest { resources: asked, ..UpdateRequest::default() };
        merge(&old, &asked).map(|host| host.resources).map_err(|e| e.message)
    }

    #[test]
    fn zeros_change_nothing() {
        let old = Resources {
            memory: 10,
            memory_swap: 20,
            cpu_shares: 5,
            cpuset_cpus: "0".into(),
            pids_limit: Some(7),
            ..Resources::default()
        };
        assert_eq!(updated(old.clone(), Resources::default()), Ok(old.clone()));
        let asked = Resources { memory: 15, pids_limit: Some(-1), cpuset_cpus: "1".into(), ..Resources::default() };
        let expected = Resources { memory: 15, pids_limit: Some(-1), cpuset_cpus: "1".into(), ..old.clone() };
        assert_eq!(updated(old, asked), Ok(expected));
    }

    #[test]
    fn refusals() {
        let check = |old: Resources, asked: Resources, expected: &str| {
            assert_eq!(updated(old, asked), Err(expected.to_owned()));
        };
        let r = Resources::default;
        check(
            Resources { cpu_period: 1, ..r() },
            Resources { nano_cpus: 1, ..r() },
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        );
        check(
            Resources { nano_cpus: 1, ..r() },
            Resources { cpu_quota: 1, ..r() },
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        );
        check(
            Resources { memory_swap: 20, ..r() },
            Resources { memory: 30, ..r() },
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        );
        let unlimited = Resources { memory: 10, memory_swap: -1, ..r() };
        let more = Resources { memory: 30, ..r() };
        assert_eq!(updated(unlimited, more), Ok(Resources { memory: 30, memory_swap: -1, ..r() }));
        let both = Resources { memory: 30, memory_swap: 40, ..r() };
        assert_eq!(updated(Resources { memory_swap: 20, ..r() }, both.clone()), Ok(both));
    }

    #[test]
    fn what_is_wrong_by_itself_is_said_first() {
        let limits =
            crate::machine::Limits { memory: true, swap: true, cpuset: true, cpu_cfs: true, ..Default::default() };
        let limits = crate::machine::Limits { cpuset_cpus: "0-1".into(), ..limits };
        let machine = Machine { cpus: 2, limits, ..Machine::default() };
        let check = |asked: Resources, expected: Result<(), &str>| {
            assert_eq!(by_itself(&asked, &machine).map_err(|e| e.message), expected.map_err(str::to_owned));
        };
        let r = Resources::default;
        check(Resources { memory: 1, ..r() }, Err("Minimum memory limit allowed is 6MB"));
        check(
            Resources { memory: 300 << 20, cpuset_cpus: "99".into(), ..r() },
            Err("Requested CPUs are not available - requested 99, available: 0-1"),
        );
        check(Resources { cpu_quota: 5, ..r() }, Err("CPU cfs quota can not be less than 1ms (i.e. 1000)"));
        // who has a limit on memory may change that on swap alone
        check(Resources { memory_swap: 64 << 20, ..r() }, Ok(()));
        check(Resources { memory_swap: -1, ..r() }, Ok(()));
    }

    #[test]
    fn restart_policies() {
        let asked = |name: &str| UpdateRequest {
            restart_policy: RestartPolicy { name: name.into(), maximum_retry_count: 0 },
            ..UpdateRequest::default()
        };
        let removed = HostConfig { auto_remove: true, ..HostConfig::default() };
        assert_eq!(merge(&HostConfig::default(), &asked("always")).unwrap().restart_policy.name, "always");
        assert!(merge(&removed, &asked("always")).is_err());
        assert!(merge(&removed, &asked("no")).is_ok());
    }

    #[test]
    fn what_cannot_be_updated_is_said() {
        let asked = Resources { oom_kill_disable: Some(true), ..Resources::default() };
        assert!(refuse(&asked).unwrap_err().message.starts_with("OomKillDisable of a container cannot be updated"));
        let asked = Resources { cpu_percent: 1, ..Resources::default() };
        assert!(refuse(&asked).unwrap_err().message.starts_with("CpuPercent of a container cannot be updated"));
        let nothing = Resources { memory_swappiness: Some(-1), ulimits: Some(vec![]), ..Resources::default() };
        assert_eq!(refuse(&nothing), Ok(()));
    }
}
