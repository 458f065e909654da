//! Limits: control groups' and, per process, `--ulimit` (setrlimit(2)).

use std::collections::BTreeMap;

use api::types::{Resources as Asked, ThrottleDevice as Throttle, Ulimit, WeightDevice as Weight};
use oci::runtime::{BlockIo, Cpu, Memory, Pids, Resources, Rlimit, ThrottleDevice, WeightDevice};
use values::{Error, Result, kernel_names::ULIMITS};

use super::{Input, devices};

/// `--cpus` is a quota per this period, in microseconds.
const PERIOD: u64 = 100_000;

/// The control group's limits of a container.
///
/// # Errors
/// `InvalidArgument` for devices which are none.
pub fn resources(input: &Input<'_>) -> Result<Resources> {
    let limits = limits(&input.host.resources)?;
    Ok(Resources { devices: devices::rules(input)?, ..limits })
}

/// The limits alone, without rules for devices: what an update changes too.
///
/// # Errors
/// `InvalidArgument` for devices which are none.
pub fn limits(asked: &Asked) -> Result<Resources> {
    Ok(Resources {
        memory: some(memory(asked)),
        cpu: some(cpu(asked)),
        pids: asked.pids_limit.map(|limit| Pids { limit: Some(if limit > 0 { limit } else { -1 }) }),
        block_io: some(block_io(asked)?),
        ..Resources::default()
    })
}

fn some<T: Default + PartialEq>(value: T) -> Option<T> {
    Some(value).filter(|value| *value != T::default())
}

fn memory(asked: &Asked) -> Memory {
    Memory {
        limit: Some(asked.memory).filter(|bytes| *bytes > 0),
        reservation: Some(asked.memory_reservation).filter(|bytes| *bytes > 0),
        swap: Some(asked.memory_swap).filter(|bytes| *bytes > 0 || *bytes == -1),
        swappiness: asked.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        // false is what a group has anyway
        disable_oom_killer: asked.oom_kill_disable.filter(|disable| *disable),
        ..Memory::default()
    }
}

fn cpu(asked: &Asked) -> Cpu {
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let by_cpus =
        positive(asked.nano_cpus).map(|nanos| i64::try_from(nanos * PERIOD / 1_000_000_000).unwrap_or(i64::MAX));
    Cpu {
        shares: positive(asked.cpu_shares),
        quota: Some(asked.cpu_quota).filter(|quota| *quota != 0).or(by_cpus),
        period: positive(asked.cpu_period).or(by_cpus.map(|_| PERIOD)),
        realtime_runtime: Some(asked.cpu_realtime_runtime).filter(|time| *time != 0),
        realtime_period: positive(asked.cpu_realtime_period),
        cpus: asked.cpuset_cpus.clone(),
        mems: asked.cpuset_mems.clone(),
        ..Cpu::default()
    }
}

fn block_io(asked: &Asked) -> Result<BlockIo> {
    let weight = |value: u64| u16::try_from(value).ok().filter(|value| *value > 0);
    let weights = asked.blkio_weight_device.iter().flatten().map(|Weight { path, weight: value }| {
        let (major, minor) = devices::numbers(path)?;
        Ok(WeightDevice { major, minor, weight: u16::try_from(*value).ok(), leaf_weight: None })
    });
    let rates = |list: &Option<Vec<Throttle>>| -> Result<Vec<ThrottleDevice>> {
        let one = |device: &Throttle| {
            let (major, minor) = devices::numbers(&device.path)?;
            Ok(ThrottleDevice { major, minor, rate: device.rate })
        };
        list.iter().flatten().map(one).collect()
    };
    Ok(BlockIo {
        weight: weight(asked.blkio_weight),
        leaf_weight: None,
        weight_device: weights.collect::<Result<_>>()?,
        throttle_read_bps_device: rates(&asked.blkio_device_read_bps)?,
        throttle_write_bps_device: rates(&asked.blkio_device_write_bps)?,
        throttle_read_iops_device: rates(&asked.blkio_device_read_iops)?,
        throttle_write_iops_device: rates(&asked.blkio_device_write_iops)?,
    })
}

/// The process' limits: the request's, then the daemon's where the request names none.
pub fn rlimits(asked: &Asked, defaults: &BTreeMap<String, (i64, i64)>) -> Vec<Rlimit> {
    let own = asked.ulimits.iter().flatten();
    let mut limits: BTreeMap<&str, (i64, i64)> = defaults.iter().map(|(name, limit)| (name.as_str(), *limit)).collect();
    limits.extend(own.map(|limit| (limit.name.as_str(), (limit.soft, limit.hard))));
    // -1 is RLIM_INFINITY
    let number = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    let rlimit = |(name, (soft, hard)): (&str, (i64, i64))| Rlimit {
        kind: format!("RLIMIT_{}", name.to_ascii_uppercase()),
        soft: number(soft),
        hard: number(hard),
    };
    limits.into_iter().map(rlimit).collect()
}

/// Checks `--ulimit`.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn check_ulimits(asked: &Asked) -> Result<()> {
    for Ulimit { name, soft, hard } in asked.ulimits.iter().flatten() {
        if !ULIMITS.contains(&name.as_str()) {
            return Err(Error::invalid(format!("invalid ulimit type: {name}")));
        }
        if *soft < -1 || *hard < -1 {
            return Err(Error::invalid(format!("invalid ulimit {name}: {soft}:{hard}")));
        }
        let unlimited = |value: i64| if value == -1 { i64::MAX } else { value };
        if unlimited(*soft) > unlimited(*hard) {
            return Err(Error::invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_in_full() {
        let check = |asked: Asked, expected: Resources| assert_eq!(limits(&asked), Ok(expected));
        check(Asked::default(), Resources::default());
        check(
            Asked { memory: 64 << 20, memory_swap: -1, oom_kill_disable: Some(false), ..Asked::default() },
            Resources {
                memory: Some(Memory { limit: Some(64 << 20), swap: Some(-1), ..Memory::default() }),
                ..Resources::default()
            },
        );
        check(
            Asked { nano_cpus: 1_500_000_000, cpu_shares: 512, cpuset_cpus: "0-1".into(), ..Asked::default() },
            Resources {
                cpu: Some(Cpu {
                    shares: Some(512),
                    quota: Some(150_000),
                    period: Some(100_000),
                    cpus: "0-1".into(),
                    ..Cpu::default()
                }),
                ..Resources::default()
            },
        );
        check(
            Asked { cpu_quota: 5000, cpu_period: 10_000, ..Asked::default() },
            Resources {
                cpu: Some(Cpu { quota: Some(5000), period: Some(10_000), ..Cpu::default() }),
                ..Resources::default()
            },
        );
        for (asked, expected) in [(5, 5), (0, -1), (-1, -1)] {
            check(
                Asked { pids_limit: Some(asked), ..Asked::default() },
                Resources { pids: Some(Pids { limit: Some(expected) }), ..Resources::default() },
            );
        }
    }

    #[test]
    fn block_devices() {
        let asked = Asked {
            blkio_weight: 300,
            blkio_device_read_bps: Some(vec![Throttle { path: "/dev/null".into(), rate: 7 }]),
            ..Asked::default()
        };
        let got = limits(&asked).unwrap().block_io.unwrap();
        assert_eq!(got.weight, Some(300));
        assert_eq!(got.throttle_read_bps_device, [ThrottleDevice { major: 1, minor: 3, rate: 7 }]);
        let missing = vec![Throttle { path: "/dev/not-there".into(), rate: 7 }];
        let asked = Asked { blkio_device_write_iops: Some(missing), ..Asked::default() };
        assert_eq!(limits(&asked).unwrap_err().message, "stat /dev/not-there: no such file or directory");
    }

    #[test]
    fn ulimits() {
        let limit = |name: &str, soft, hard| Ulimit { name: name.into(), soft, hard };
        let asked = Asked { ulimits: Some(vec![limit("nofile", 1, -1), limit("core", 0, 0)]), ..Asked::default() };
        let defaults = BTreeMap::from([("nofile".into(), (5, 6)), ("nproc".into(), (7, 8))]);
        let got: Vec<(String, u64, u64)> =
            rlimits(&asked, &defaults).into_iter().map(|r| (r.kind, r.soft, r.hard)).collect();
        assert_eq!(
            got,
            [("RLIMIT_CORE".into(), 0, 0), ("RLIMIT_NOFILE".into(), 1, u64::MAX), ("RLIMIT_NPROC".into(), 7, 8)]
        );
        for (limit, expected) in [
            (limit("nofile", 2, 1), "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
            (limit("nofile", -1, 1), "ulimit soft limit must be less than or equal to hard limit: -1 > 1"),
            (limit("files", 1, 1), "invalid ulimit type: files"),
        ] {
            let asked = Asked { ulimits: Some(vec![limit]), ..Asked::default() };
            assert_eq!(check_ulimits(&asked).unwrap_err().message, expected);
        }
    }
}
