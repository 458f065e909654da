//! Scheduling and I/O priority of `config.json` in numbers.

use oci::runtime::{IoPriority, Scheduler};

use crate::StartError;
use rustix::thread::CpuSet;

pub(crate) fn attributes(scheduler: &Scheduler) -> Result<sys::schedule::Attributes, StartError> {
    const POLICIES: [(&str, u32); 7] = [
        ("SCHED_OTHER", 0),
        ("SCHED_FIFO", 1),
        ("SCHED_RR", 2),
        ("SCHED_BATCH", 3),
        ("SCHED_ISO", 4),
        ("SCHED_IDLE", 5),
        ("SCHED_DEADLINE", 6),
    ];
    const FLAGS: [(&str, u64); 7] = [
        ("SCHED_FLAG_RESET_ON_FORK", 0x01),
        ("SCHED_FLAG_RECLAIM", 0x02),
        ("SCHED_FLAG_DL_OVERRUN", 0x04),
        ("SCHED_FLAG_KEEP_POLICY", 0x08),
        ("SCHED_FLAG_KEEP_PARAMS", 0x10),
        ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
        ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
    ];
    let mut flags = 0;
    for flag in &scheduler.flags {
        flags |= look_up(&FLAGS, flag)?;
    }
    Ok(sys::schedule::Attributes {
        size: 0,
        policy: look_up(&POLICIES, &scheduler.policy)?,
        flags,
        nice: scheduler.nice.unwrap_or(0),
        priority: scheduler.priority.unwrap_or(0).cast_unsigned(),
        runtime: scheduler.runtime.unwrap_or(0),
        deadline: scheduler.deadline.unwrap_or(0),
        period: scheduler.period.unwrap_or(0),
    })
}

pub(crate) fn io_priority(priority: &IoPriority) -> Result<u32, StartError> {
    const CLASSES: [(&str, u32); 3] = [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];
    let class = look_up(&CLASSES, &priority.class)?;
    let level = u32::try_from(priority.priority).ok().filter(|level| *level < 8);
    let level = level.ok_or_else(|| StartError::other("I/O priority must be 0 to 7"))?;
    Ok(class << 13 | level)
}

/// A list such as `0-3,7`; none for an empty one.
pub(crate) fn processors(list: &str) -> Result<Option<CpuSet>, StartError> {
    let bad = || StartError::other(format!("execCPUAffinity: {list:?} is no list of processors"));
    if list.is_empty() {
        return Ok(None);
    }
    let mut set = CpuSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse().ok().filter(|cpu| *cpu < CpuSet::MAX_CPU).ok_or_else(bad);
        let (first, last): (usize, usize) = (number(first)?, number(last)?);
        if first > last {
            return Err(bad());
        }
        (first..=last).for_each(|cpu| set.set(cpu));
    }
    Ok(Some(set))
}

fn look_up<T: Copy>(table: &[(&str, T)], name: &str) -> Result<T, StartError> {
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
        .ok_or_else(|| StartError::other(format!("invalid scheduler or I/O priority setting {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        let of = |list: &str| {
            processors(list).map(|set| set.map(|set| (0..64).filter(|cpu| set.is_set(*cpu)).collect::<Vec<_>>()))
        };
        assert_eq!(of(""), Ok(None));
        assert_eq!(of("0-2,7"), Ok(Some(vec![0, 1, 2, 7])));
        for bad in ["x", "3-1", "1,", "0-99999", "-1"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
