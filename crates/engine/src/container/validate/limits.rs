//! Resource limits: Docker's checks, and what this kernel cannot limit is dropped with a warning.

use api::types::Resources;
use values::{Error, Result};

use crate::machine::{Limits, Machine};

/// The least memory with which a container can start.
const MIN_MEMORY: i64 = 6 << 20;

/// 10^-9 CPUs.
const LEAST_CPUS: i64 = 10_000_000;

/// What the kernel takes for `cpu.shares`.
const SHARES: std::ops::RangeInclusive<i64> = 2..=262_144;

/// Checks limits, of a create or an update, and drops what the kernel cannot do. Answers the warnings.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn limits(resources: &mut Resources, machine: &Machine) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    memory(resources, &machine.limits, &mut warnings)?;
    oom_and_pids(resources, &machine.limits, &mut warnings);
    cpu(resources, machine, &mut warnings)?;
    realtime(resources, &machine.limits)?;
    cpuset(resources, &machine.limits, &mut warnings)?;
    blkio(resources, &machine.limits, &mut warnings)?;
    Ok(warnings)
}

fn invalid(condition: bool, message: &str) -> Result<()> {
    if condition { Err(Error::invalid(message)) } else { Ok(()) }
}

fn missing(what: &str, then: &str) -> String {
    format!("Your kernel does not support {what} or the cgroup is not mounted. {then}")
}

fn memory(r: &mut Resources, can: &Limits, warnings: &mut Vec<String>) -> Result<()> {
    if r.memory_swappiness == Some(-1) {
        r.memory_swappiness = None;
    }
    invalid(r.memory != 0 && r.memory < MIN_MEMORY, "Minimum memory limit allowed is 6MB")?;
    if r.memory > 0 && !can.memory {
        warnings.push(missing("memory limit capabilities", "Limitation discarded."));
        (r.memory, r.memory_swap) = (0, -1);
    }
    if r.memory > 0 && r.memory_swap != -1 && !can.swap {
        warnings.push(missing("swap limit capabilities", "Memory limited without swap."));
        r.memory_swap = -1;
    }
    invalid(
        r.memory > 0 && r.memory_swap > 0 && r.memory_swap < r.memory,
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    )?;
    invalid(
        r.memory == 0 && r.memory_swap > 0,
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    )?;
    invalid(r.memory_swap < -1, "Invalid memory swap limit: it must be -1 (unlimited), 0 or a number of bytes")?;
    if r.memory_swappiness.is_some() && !can.memory_swappiness {
        warnings.push(missing("memory swappiness capabilities", "Memory swappiness discarded."));
        r.memory_swappiness = None;
    }
    if let Some(swappiness) = r.memory_swappiness.filter(|value| !(0..=100).contains(value)) {
        return Err(Error::invalid(format!("Invalid value: {swappiness}, valid memory swappiness range is 0-100")));
    }
    reservation(r, can, warnings)
}

fn reservation(r: &mut Resources, can: &Limits, warnings: &mut Vec<String>) -> Result<()> {
    if r.memory_reservation > 0 && !can.memory_reservation {
        warnings.push(missing("memory soft limit capabilities", "Limitation discarded."));
        r.memory_reservation = 0;
    }
    let reserved = r.memory_reservation;
    invalid(reserved != 0 && reserved < MIN_MEMORY, "Minimum memory reservation allowed is 6MB")?;
    invalid(
        r.memory > 0 && reserved > 0 && r.memory < reserved,
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    )?;
    if r.kernel_memory > 0 || r.kernel_memory_tcp > 0 {
        warnings.push(missing("kernel memory limit capabilities", "Limitation discarded."));
        (r.kernel_memory, r.kernel_memory_tcp) = (0, 0);
    }
    Ok(())
}

fn oom_and_pids(r: &mut Resources, can: &Limits, warnings: &mut Vec<String>) {
    if !can.oom_kill_disable {
        if r.oom_kill_disable == Some(true) {
            warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".into());
        }
        r.oom_kill_disable = None;
    }
    if r.oom_kill_disable == Some(true) && r.memory == 0 {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."
                .into(),
        );
    }
    if !can.pids {
        if r.pids_limit.is_some_and(|limit| limit > 0) {
            warnings.push(missing("PIDs limit capabilities", "PIDs limit discarded."));
        }
        r.pids_limit = None;
    }
    r.pids_limit = r.pids_limit.filter(|limit| *limit > 0);
}

fn cpu(r: &mut Resources, machine: &Machine, warnings: &mut Vec<String>) -> Result<()> {
    let can = &machine.limits;
    invalid(r.nano_cpus > 0 && r.cpu_period > 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set")?;
    invalid(r.nano_cpus > 0 && r.cpu_quota > 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set")?;
    invalid(
        r.nano_cpus > 0 && !can.cpu_cfs,
        "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
    )?;
    let most = i64::try_from(machine.cpus).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    // the kernel's least quota is 1 ms of 100
    if r.nano_cpus != 0 && !(LEAST_CPUS..=most).contains(&r.nano_cpus) {
        let n = machine.cpus;
        return Err(Error::invalid(format!(
            "range of CPUs is from 0.01 to {n}.00, as there are only {n} CPUs available"
        )));
    }
    shares(r)?;
    // version 2 has weights, into whose range every number is brought
    if r.cpu_shares > 0 && !SHARES.contains(&r.cpu_shares) && !machine.is_cgroup_v2() {
        let (least, most) = (SHARES.start(), SHARES.end());
        let (word, bound) = if r.cpu_shares < *least { ("minimum", least) } else { ("maximum", most) };
        return Err(Error::invalid(format!("the {word} allowed cpu-shares is {bound}")));
    }
    if r.cpu_shares > 0 && !can.cpu_shares {
        warnings.push(missing("CPU shares", "Shares discarded."));
        r.cpu_shares = 0;
    }
    if (r.cpu_period != 0 || r.cpu_quota != 0) && !can.cpu_cfs {
        warnings.push("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.".into());
        (r.cpu_period, r.cpu_quota) = (0, 0);
    }
    invalid(
        r.cpu_period != 0 && !(1_000..=1_000_000).contains(&r.cpu_period),
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    )?;
    invalid(r.cpu_quota > 0 && r.cpu_quota < 1_000, "CPU cfs quota can not be less than 1ms (i.e. 1000)")?;
    if r.cpu_percent > 0 {
        warnings.push("linux does not support CPU percent. Percent discarded.".into());
        r.cpu_percent = 0;
    }
    if r.cpu_count > 0 {
        warnings.push("linux does not support CPU count. Count discarded.".into());
        r.cpu_count = 0;
    }
    Ok(())
}

/// Docker looks at this before everything else of a create.
///
/// # Errors
/// `InvalidArgument` for a number below zero.
pub fn shares(r: &Resources) -> Result<()> {
    if r.cpu_shares < 0 {
        let shares = r.cpu_shares;
        return Err(Error::invalid(format!("invalid CPU shares ({shares}): value must be a positive integer")));
    }
    Ok(())
}

fn realtime(r: &Resources, can: &Limits) -> Result<()> {
    let asked = r.cpu_realtime_period != 0 || r.cpu_realtime_runtime != 0;
    invalid(asked && !can.cpu_realtime, "kernel does not support CPU real-time scheduler")?;
    invalid(r.cpu_realtime_period < 0 || r.cpu_realtime_runtime < 0, "cpu real-time settings can not be negative")?;
    invalid(
        r.cpu_realtime_period != 0 && r.cpu_realtime_runtime > r.cpu_realtime_period,
        "cpu real-time runtime cannot be higher than cpu real-time period",
    )
}

fn cpuset(r: &mut Resources, can: &Limits, warnings: &mut Vec<String>) -> Result<()> {
    if (!r.cpuset_cpus.is_empty() || !r.cpuset_mems.is_empty()) && !can.cpuset {
        warnings.push(missing("cpuset", "Cpuset discarded."));
        r.cpuset_cpus.clear();
        r.cpuset_mems.clear();
    }
    for (asked, have, words, what) in
        [(&r.cpuset_cpus, &can.cpuset_cpus, "CPUs", "cpus"), (&r.cpuset_mems, &can.cpuset_mems, "memory nodes", "mems")]
    {
        let numbers =
            list(asked).map_err(|why| Error::invalid(format!("Invalid value {asked} for cpuset {what}: {why}")))?;
        // An unreadable set of our own must not refuse everything.
        let available = list(have).unwrap_or_default();
        if !have.is_empty() && numbers.iter().any(|number| !available.contains(number)) {
            return Err(Error::invalid(format!(
                "Requested {words} are not available - requested {asked}, available: {have}"
            )));
        }
    }
    Ok(())
}

/// The greatest number in a list that is looked at: one that is too long must not eat our memory.
const MOST: u32 = 8192;

/// Reads `0-2,7`.
fn list(text: &str) -> std::result::Result<Vec<u32>, String> {
    let bad = || format!("invalid format: {text}");
    let number = |text: &str| match text.parse::<u32>() {
        Ok(n) if n > MOST => Err(format!("value of out range, maximum is {MOST}")),
        Ok(n) => Ok(n),
        Err(_) => Err(bad()),
    };
    let mut numbers = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        match part.split_once('-') {
            None => numbers.push(number(part)?),
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if from > to {
                    return Err(bad());
                }
                numbers.extend(from..=to);
            }
        }
    }
    Ok(numbers)
}

fn blkio(r: &mut Resources, can: &Limits, warnings: &mut Vec<String>) -> Result<()> {
    if r.blkio_weight > 0 && !can.blkio_weight {
        warnings.push(missing("Block I/O weight", "Weight discarded."));
        r.blkio_weight = 0;
    }
    invalid(r.blkio_weight > 0 && !(10..=1000).contains(&r.blkio_weight), "Range of blkio weight is from 10 to 1000")?;
    invalid(
        r.io_maximum_bandwidth != 0 || r.io_maximum_iops != 0,
        "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
    )?;
    for device in r.blkio_weight_device.iter().flatten() {
        // 0: none of its own
        invalid(
            device.weight != 0 && !(10..=1000).contains(&device.weight),
            "Range of blkio weight is from 10 to 1000",
        )?;
    }
    if r.blkio_weight_device.as_ref().is_some_and(|list| !list.is_empty()) && !can.blkio_weight_device {
        warnings.push(missing("Block I/O weight_device", "Weight-device discarded."));
        r.blkio_weight_device = Some(Vec::new());
    }
    for (list, kind, then) in [
        (&mut r.blkio_device_read_bps, "BPS Block I/O read limit", "Block I/O BPS read limit discarded."),
        (&mut r.blkio_device_write_bps, "BPS Block I/O write limit", "Block I/O BPS write limit discarded."),
        (&mut r.blkio_device_read_iops, "IOPS Block read limit", "Block I/O IOPS read limit discarded."),
        (&mut r.blkio_device_write_iops, "IOPS Block write limit", "Block I/O IOPS write limit discarded."),
    ] {
        if list.as_ref().is_some_and(|list| !list.is_empty()) && !can.blkio_throttle {
            warnings.push(missing(kind, then));
            *list = Some(Vec::new());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(weight: u64) -> Option<Vec<api::types::WeightDevice>> {
        Some(vec![api::types::WeightDevice { path: "/dev/null".into(), weight }])
    }

    fn machine() -> Machine {
        let limits = Limits {
            memory: true,
            swap: true,
            memory_reservation: true,
            memory_swappiness: true,
            oom_kill_disable: true,
            pids: true,
            cpu_cfs: true,
            cpu_shares: true,
            cpuset: true,
            cpuset_cpus: "0-1".into(),
            cpuset_mems: "0".into(),
            blkio_weight: true,
            ..Limits::default()
        };
        Machine { cpus: 2, limits, ..Machine::default() }
    }

    #[test]
    fn refused() {
        let check = |set: fn(&mut Resources), expected: &str| {
            let mut resources = Resources::default();
            set(&mut resources);
            let got = limits(&mut resources, &machine()).map_err(|e| e.message).err().unwrap_or_default();
            assert_eq!(got, expected);
        };
        check(|r| r.memory = 1 << 20, "Minimum memory limit allowed is 6MB");
        check(|r| r.memory = -1, "Minimum memory limit allowed is 6MB");
        check(
            |r| (r.memory, r.memory_swap) = (20 << 20, 10 << 20),
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        );
        check(
            |r| r.memory_swap = 10 << 20,
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        );
        check(|r| r.memory_swappiness = Some(101), "Invalid value: 101, valid memory swappiness range is 0-100");
        check(|r| r.memory_reservation = 1, "Minimum memory reservation allowed is 6MB");
        check(
            |r| (r.memory, r.memory_reservation) = (10 << 20, 20 << 20),
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        );
        check(
            |r| r.nano_cpus = 3_000_000_000,
            "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
        );
        check(|r| r.nano_cpus = 1, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available");
        check(|r| r.nano_cpus = 10_000_000, "");
        check(
            |r| (r.nano_cpus, r.cpu_quota) = (1_000_000_000, 5000),
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
        );
        check(|r| r.cpu_quota = 10, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
        check(
            |r| r.cpu_period = 10,
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
        check(|r| r.cpuset_cpus = "0-3".into(), "Requested CPUs are not available - requested 0-3, available: 0-1");
        check(|r| r.cpuset_cpus = "x".into(), "Invalid value x for cpuset cpus: invalid format: x");
        check(
            |r| r.cpuset_cpus = "0-99999999".into(),
            "Invalid value 0-99999999 for cpuset cpus: value of out range, maximum is 8192",
        );
        check(|r| r.cpuset_mems = "1".into(), "Requested memory nodes are not available - requested 1, available: 0");
        check(|r| r.cpu_shares = 1, "the minimum allowed cpu-shares is 2");
        check(|r| r.cpu_shares = 300_000, "the maximum allowed cpu-shares is 262144");
        check(|r| r.blkio_weight = 5, "Range of blkio weight is from 10 to 1000");
        check(|r| r.blkio_weight_device = weight(5), "Range of blkio weight is from 10 to 1000");
        check(|r| r.blkio_weight_device = weight(0), "");
        check(|r| r.cpu_realtime_runtime = 5, "kernel does not support CPU real-time scheduler");
        check(
            |r| r.io_maximum_iops = 1,
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
        );
        check(|r| (r.memory, r.cpuset_cpus) = (10 << 20, "0,1".into()), "");
    }

    #[test]
    fn dropped_with_a_warning() {
        let mut resources = Resources {
            memory: 10 << 20,
            kernel_memory: 10 << 20,
            pids_limit: Some(5),
            cpu_shares: 10,
            oom_kill_disable: Some(true),
            memory_swappiness: Some(-1),
            cpuset_cpus: "0".into(),
            ..Resources::default()
        };
        let warnings = limits(&mut resources, &Machine { cpus: 1, ..Machine::default() }).unwrap();
        assert_eq!(warnings.len(), 6, "{warnings:#?}");
        assert_eq!(
            warnings[0],
            "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded."
        );
        assert_eq!((resources.memory, resources.cpu_shares, resources.pids_limit), (0, 0, None));
        assert_eq!((resources.oom_kill_disable, resources.cpuset_cpus.as_str()), (None, ""));
    }
}
