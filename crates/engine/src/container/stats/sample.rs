//! Everything that is measured at one moment.

use std::time::{Duration, Instant};

use cgroup::{Cgroup, Usage};
use rustix::time::{ClockId, clock_gettime};
use values::{Result, Timestamp};

use super::interfaces::{self, Interface};

/// A measurement.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The container's first process at that moment.
    pub pid: i32,
    pub read: Timestamp,
    pub taken: Instant,
    pub usage: Usage,
    pub interfaces: Vec<Interface>,
    /// Time which all processors together have had since the machine started.
    pub machine_time: Duration,
    /// Processors at work.
    pub cpus: u32,
}

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Subject {
    pub pid: i32,
    pub cgroup: Cgroup,
    /// It has a network of its own (or another container's).
    pub network: bool,
    /// Only the processor's use is wanted: of an earlier sample nothing else is looked at.
    pub cpu_only: bool,
}

impl Subject {
    /// Reads all counters; `None` when it ended meanwhile.
    pub fn measure(&self) -> Result<Option<Sample>> {
        let usage = match self.usage() {
            Ok(usage) => usage,
            Err(e) if e.kind == values::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let interfaces = if self.network && !self.cpu_only {
            let table = std::fs::read_to_string(format!("/proc/{}/net/dev", self.pid)).unwrap_or_default();
            interfaces::parse(&table)
        } else {
            Vec::new()
        };
        let cpus = online(&std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default());
        let (read, taken) = (Timestamp::now(), Instant::now());
        Ok(Some(Sample {
            pid: self.pid,
            read,
            taken,
            usage,
            interfaces,
            machine_time: uptime().saturating_mul(cpus),
            cpus,
        }))
    }
}

impl Subject {
    fn usage(&self) -> Result<Usage> {
        if self.cpu_only {
            return Ok(Usage { cpu: self.cgroup.cpu_usage()?, ..Usage::default() });
        }
        self.cgroup.usage()
    }
}

/// The sum over a processor's columns of `/proc/stat`, which is what Docker reports, is the time since the start: the clock
/// tells it to the nanosecond instead of ten milliseconds, so that a short window does.
fn uptime() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// How many processors `0-3,8` names; at least one.
fn online(list: &str) -> u32 {
    let count = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        Some(last.checked_sub(first)?.saturating_add(1))
    };
    list.split(',').filter_map(count).sum::<u32>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors() {
        for (list, expected) in [("0-3\n", 4), ("0", 1), ("0-1,4,6-7\n", 5), ("", 1), ("x", 1), ("3-1", 1)] {
            assert_eq!(online(list), expected, "{list:?}");
        }
    }
}
