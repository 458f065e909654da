//! What a group has used: the kernel's files, as numbers.
//!
//! [`measure`] is pure: a way to read files in, numbers out. Sources: cgroup-v1/{cpuacct,memory,blkio-controller,pids} and
//! cgroup-v2 of the kernel's documentation; sched-bwc for throttling.

use std::collections::BTreeMap;

use values::{Error, Result};

use crate::{Cgroup, Version};

/// v1 counts user and system time in ticks of this many nanoseconds (`USER_HZ` is 100 wherever Linux runs).
const TICK: u64 = 10_000_000;

/// A group's use of everything that is counted. What its controllers do not count is zero or absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu: CpuUsage,
    pub memory: MemoryUsage,
    pub pids: PidsUsage,
    /// Bytes moved, by device.
    pub io_bytes: Vec<IoCount>,
    /// Operations done, by device.
    pub io_operations: Vec<IoCount>,
}

/// Times in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuUsage {
    pub total: u64,
    pub user: u64,
    pub system: u64,
    /// v1 only.
    pub per_cpu: Vec<u64>,
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled: u64,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    pub current: u64,
    /// v1 only.
    pub peak: u64,
    /// `None`: unlimited.
    pub limit: Option<u64>,
    /// v1: how often the limit was hit; v2: how often that ended in the out-of-memory killer's hands.
    pub failures: u64,
    /// The lines of `memory.stat`.
    pub stat: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PidsUsage {
    pub current: u64,
    /// `None`: unlimited.
    pub limit: Option<u64>,
}

/// A counter of one block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoCount {
    pub major: u64,
    pub minor: u64,
    /// `read`, `write` and, on v1, `sync`, `async`, `discard`, `total`.
    pub operation: String,
    pub value: u64,
}

impl Cgroup {
    /// What the group and those below it have used so far.
    ///
    /// # Errors
    /// `NotFound` when the group is gone.
    pub fn usage(&self) -> Result<Usage> {
        self.measured(|read| measure(self.version(), read))
    }

    /// The same of the processor alone, which is a third of the work.
    ///
    /// # Errors
    /// As [`Cgroup::usage`].
    pub fn cpu_usage(&self) -> Result<CpuUsage> {
        self.measured(|read| cpu(self.version(), read))
    }

    fn measured<T>(&self, measure: impl Fn(&dyn Fn(&str, &str) -> Option<String>) -> T) -> Result<T> {
        let usage = measure(&|controller: &str, file: &str| {
            std::fs::read_to_string(self.directory(controller)?.join(file)).ok().filter(|text| !text.is_empty())
        });
        if self.directories().next().is_some_and(std::path::Path::is_dir) {
            return Ok(usage);
        }
        Err(Error::not_found(format!("control group {} does not exist", self.path())))
    }
}

/// Reads all counters by `read(controller, file)`, which answers `None` for what is not there.
pub fn measure(version: Version, read: impl Fn(&str, &str) -> Option<String>) -> Usage {
    let text = |controller: &str, file: &str| read(controller, file).unwrap_or_default();
    match version {
        Version::V1 => Usage {
            cpu: cpu(version, &read),
            memory: memory_v1(&text),
            pids: pids(&text),
            io_bytes: io_v1(&recursive(&read, "blkio.throttle.io_service_bytes")),
            io_operations: io_v1(&recursive(&read, "blkio.throttle.io_serviced")),
        },
        Version::V2 => {
            let io = text("io", "io.stat");
            Usage {
                cpu: cpu(version, &read),
                memory: memory_v2(&text),
                pids: pids(&text),
                io_bytes: io_v2(&io, [("rbytes", "read"), ("wbytes", "write")]),
                io_operations: io_v2(&io, [("rios", "read"), ("wios", "write")]),
            }
        }
    }
}

fn cpu(version: Version, read: impl Fn(&str, &str) -> Option<String>) -> CpuUsage {
    let text = |controller: &str, file: &str| read(controller, file).unwrap_or_default();
    match version {
        Version::V1 => cpu_v1(&text),
        Version::V2 => cpu_v2(&text("cpu", "cpu.stat")),
    }
}

/// Kernels before 4.14 count without the groups below.
fn recursive(read: &impl Fn(&str, &str) -> Option<String>, file: &str) -> String {
    read("blkio", &format!("{file}_recursive")).or_else(|| read("blkio", file)).unwrap_or_default()
}

fn cpu_v1(text: &impl Fn(&str, &str) -> String) -> CpuUsage {
    let (times, throttling) = (text("cpuacct", "cpuacct.stat"), text("cpu", "cpu.stat"));
    CpuUsage {
        total: number(&text("cpuacct", "cpuacct.usage")),
        user: value(&times, "user").saturating_mul(TICK),
        system: value(&times, "system").saturating_mul(TICK),
        per_cpu: text("cpuacct", "cpuacct.usage_percpu").split_whitespace().map(number).collect(),
        periods: value(&throttling, "nr_periods"),
        throttled_periods: value(&throttling, "nr_throttled"),
        throttled: value(&throttling, "throttled_time"),
    }
}

fn cpu_v2(stat: &str) -> CpuUsage {
    let micros = |key: &str| value(stat, key).saturating_mul(1000);
    CpuUsage {
        total: micros("usage_usec"),
        user: micros("user_usec"),
        system: micros("system_usec"),
        per_cpu: Vec::new(),
        periods: value(stat, "nr_periods"),
        throttled_periods: value(stat, "nr_throttled"),
        throttled: micros("throttled_usec"),
    }
}

fn memory_v1(text: &impl Fn(&str, &str) -> String) -> MemoryUsage {
    MemoryUsage {
        current: number(&text("memory", "memory.usage_in_bytes")),
        peak: number(&text("memory", "memory.max_usage_in_bytes")),
        limit: limit(&text("memory", "memory.limit_in_bytes")),
        failures: number(&text("memory", "memory.failcnt")),
        stat: lines(&text("memory", "memory.stat")),
    }
}

fn memory_v2(text: &impl Fn(&str, &str) -> String) -> MemoryUsage {
    MemoryUsage {
        current: number(&text("memory", "memory.current")),
        peak: 0,
        limit: limit(&text("memory", "memory.max")),
        failures: value(&text("memory", "memory.events"), "oom"),
        stat: lines(&text("memory", "memory.stat")),
    }
}

fn pids(text: &impl Fn(&str, &str) -> String) -> PidsUsage {
    PidsUsage { current: number(&text("pids", "pids.current")), limit: limit(&text("pids", "pids.max")) }
}

/// `8:0 Read 4096` a line, and a sum of all at the end.
fn io_v1(text: &str) -> Vec<IoCount> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (major, minor) = fields.next()?.split_once(':')?;
        let (operation, value) = (fields.next()?, fields.next()?);
        Some(IoCount {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            operation: operation.to_ascii_lowercase(),
            value: value.parse().ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0` a line; a device without counts has its numbers alone.
fn io_v2(text: &str, wanted: [(&str, &str); 2]) -> Vec<IoCount> {
    let mut counts = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let device = fields.next().and_then(|device| device.split_once(':'));
        let Some((Ok(major), Ok(minor))) = device.map(|(a, b)| (a.parse(), b.parse())) else { continue };
        let pairs: Vec<(&str, &str)> = fields.filter_map(|field| field.split_once('=')).collect();
        for (key, operation) in wanted {
            if let Some((_, value)) = pairs.iter().find(|(k, _)| *k == key) {
                counts.push(IoCount { major, minor, operation: operation.to_owned(), value: number(value) });
            }
        }
    }
    counts
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// `max` and, on v1, the greatest whole number of pages are none.
fn limit(text: &str) -> Option<u64> {
    const V1_UNLIMITED: u64 = 0x7fff_ffff_ffff_0000;
    text.trim().parse().ok().filter(|bytes| *bytes < V1_UNLIMITED)
}

/// The value of `key` in lines of `KEY VALUE`.
fn value(text: &str, key: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).map_or(0, number)
}

fn lines(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| line.split_once(' ').and_then(|(key, value)| Some((key.to_owned(), value.parse().ok()?)));
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &'static [(&str, &str)]) -> impl Fn(&str, &str) -> Option<String> {
        move |controller, file| {
            let wanted = format!("{controller}/{file}");
            all.iter().find(|(path, _)| *path == wanted).map(|(_, text)| (*text).to_owned())
        }
    }

    fn io(major: u64, minor: u64, operation: &str, value: u64) -> IoCount {
        IoCount { major, minor, operation: operation.to_owned(), value }
    }

    #[test]
    fn version_1() {
        let usage = measure(
            Version::V1,
            files(&[
                ("cpuacct/cpuacct.usage", "1500000001\n"),
                ("cpuacct/cpuacct.stat", "user 100\nsystem 50\n"),
                ("cpuacct/cpuacct.usage_percpu", "1000000000 500000001 \n"),
                ("cpu/cpu.stat", "nr_periods 7\nnr_throttled 3\nthrottled_time 12345\nwait_sum 9\n"),
                ("memory/memory.usage_in_bytes", "4096\n"),
                ("memory/memory.max_usage_in_bytes", "8192\n"),
                ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/memory.failcnt", "2\n"),
                ("memory/memory.stat", "cache 10\ntotal_inactive_file 4\n"),
                ("pids/pids.current", "3\n"),
                ("pids/pids.max", "max\n"),
                (
                    "blkio/blkio.throttle.io_service_bytes_recursive",
                    "8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n",
                ),
                ("blkio/blkio.throttle.io_serviced", "254:16 Read 1\nTotal 1\n"),
            ]),
        );
        assert_eq!(
            usage.cpu,
            CpuUsage {
                total: 1_500_000_001,
                user: 1_000_000_000,
                system: 500_000_000,
                per_cpu: vec![1_000_000_000, 500_000_001],
                periods: 7,
                throttled_periods: 3,
                throttled: 12345,
            }
        );
        assert_eq!((usage.memory.current, usage.memory.peak, usage.memory.limit), (4096, 8192, None));
        assert_eq!((usage.memory.failures, usage.memory.stat["total_inactive_file"]), (2, 4));
        assert_eq!(usage.pids, PidsUsage { current: 3, limit: None });
        assert_eq!(usage.io_bytes, [io(8, 0, "read", 4096), io(8, 0, "write", 0), io(8, 0, "total", 4096)]);
        assert_eq!(usage.io_operations, [io(254, 16, "read", 1)]);
    }

    #[test]
    fn version_2() {
        let usage = measure(
            Version::V2,
            files(&[
                (
                    "cpu/cpu.stat",
                    "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 7\nnr_throttled 3\nthrottled_usec 12\n",
                ),
                ("memory/memory.current", "4096\n"),
                ("memory/memory.max", "10485760\n"),
                ("memory/memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n"),
                ("memory/memory.stat", "anon 10\ninactive_file 4\n"),
                ("pids/pids.current", "3\n"),
                ("pids/pids.max", "100\n"),
                ("io/io.stat", "8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n7:0 \n"),
            ]),
        );
        assert_eq!((usage.cpu.total, usage.cpu.user, usage.cpu.system), (1_500_000, 1_000_000, 500_000));
        assert_eq!((usage.cpu.periods, usage.cpu.throttled_periods, usage.cpu.throttled), (7, 3, 12_000));
        assert_eq!((usage.memory.current, usage.memory.limit, usage.memory.failures), (4096, Some(10_485_760), 2));
        assert_eq!(usage.memory.stat["inactive_file"], 4);
        assert_eq!(usage.pids, PidsUsage { current: 3, limit: Some(100) });
        assert_eq!(usage.io_bytes, [io(8, 0, "read", 4096), io(8, 0, "write", 512)]);
        assert_eq!(usage.io_operations, [io(8, 0, "read", 2), io(8, 0, "write", 1)]);
    }

    #[test]
    fn nothing_there() {
        for version in [Version::V1, Version::V2] {
            assert_eq!(measure(version, |_, _| None), Usage::default());
        }
    }
}
