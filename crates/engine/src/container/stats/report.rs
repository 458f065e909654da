//! From measurements to what the API says.

use api::types::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, ThrottlingData,
};
use cgroup::{IoCount, Usage};

use super::sample::Sample;
use crate::container::Container;
use crate::shared::Shared;

/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A report of `container`: all zero without a sample, and without an earlier one the processor's earlier use is.
pub fn report(shared: &Shared, container: &Container, sample: Option<&Sample>, earlier: Option<&Sample>) -> Stats {
    let machine = &shared.machine;
    let measured = sample.map(|s| measured(s, machine.is_cgroup_v2(), u64::try_from(machine.memory).unwrap_or(0)));
    let stats = measured.unwrap_or_else(|| Stats { read: NEVER.into(), ..Stats::default() });
    Stats {
        name: format!("/{}", container.name()),
        id: container.id.to_string(),
        os_type: "linux".into(),
        preread: earlier.map_or_else(|| NEVER.into(), |s| s.read.to_rfc3339_nano()),
        precpu_stats: earlier.map(cpu).unwrap_or_default(),
        ..stats
    }
}

/// The part that one sample tells. `memory`: the machine's, in bytes.
fn measured(sample: &Sample, v2: bool, memory: u64) -> Stats {
    let usage = &sample.usage;
    Stats {
        read: sample.read.to_rfc3339_nano(),
        pids_stats: PidsStats {
            current: usage.pids.current,
            // 0 is left out: so Docker shows it on v1
            limit: usage.pids.limit.unwrap_or(if v2 { u64::MAX } else { 0 }),
        },
        blkio_stats: blkio(usage, v2),
        cpu_stats: cpu(sample),
        memory_stats: MemoryStats {
            usage: usage.memory.current,
            max_usage: usage.memory.peak,
            stats: usage.memory.stat.clone(),
            failcnt: usage.memory.failures,
            limit: usage.memory.limit.map_or(memory, |limit| limit.min(memory)),
        },
        networks: sample.interfaces.iter().map(|one| (one.name.clone(), network(one))).collect(),
        ..Stats::default()
    }
}

fn cpu(sample: &Sample) -> CpuStats {
    let cpu = &sample.usage.cpu;
    CpuStats {
        cpu_usage: CpuUsage {
            total_usage: cpu.total,
            percpu_usage: cpu.per_cpu.clone(),
            usage_in_kernelmode: cpu.system,
            usage_in_usermode: cpu.user,
        },
        system_cpu_usage: u64::try_from(sample.machine_time.as_nanos()).unwrap_or(u64::MAX),
        online_cpus: u64::from(sample.cpus),
        throttling_data: ThrottlingData {
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled,
        },
    }
}

/// v1 has a list for each of the old scheduler's counters, empty now; v2 has bytes alone.
fn blkio(usage: &Usage, v2: bool) -> BlkioStats {
    let entry =
        |one: &IoCount| BlkioEntry { major: one.major, minor: one.minor, op: one.operation.clone(), value: one.value };
    let bytes: Vec<BlkioEntry> = usage.io_bytes.iter().map(entry).collect();
    if v2 {
        return BlkioStats {
            io_service_bytes_recursive: Some(bytes).filter(|list| !list.is_empty()),
            ..BlkioStats::default()
        };
    }
    let none = || Some(Vec::new());
    BlkioStats {
        io_service_bytes_recursive: Some(bytes),
        io_serviced_recursive: Some(usage.io_operations.iter().map(entry).collect()),
        io_queue_recursive: none(),
        io_service_time_recursive: none(),
        io_wait_time_recursive: none(),
        io_merged_recursive: none(),
        io_time_recursive: none(),
        sectors_recursive: none(),
    }
}

fn network(one: &super::interfaces::Interface) -> NetworkStats {
    let (rx, tx) = (one.received, one.sent);
    NetworkStats {
        rx_bytes: rx.bytes,
        rx_packets: rx.packets,
        rx_errors: rx.errors,
        rx_dropped: rx.dropped,
        tx_bytes: tx.bytes,
        tx_packets: tx.packets,
        tx_errors: tx.errors,
        tx_dropped: tx.dropped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgroup::{MemoryUsage, PidsUsage};
    use std::time::{Duration, Instant};
    use values::Timestamp;

    fn sample(limit: Option<u64>) -> Sample {
        let io = IoCount { major: 8, minor: 0, operation: "read".into(), value: 5 };
        Sample {
            pid: 1,
            read: Timestamp { secs: 1, nanos: 0 },
            taken: Instant::now(),
            usage: Usage {
                cpu: cgroup::CpuUsage { total: 7, ..Default::default() },
                memory: MemoryUsage { current: 100, limit, ..MemoryUsage::default() },
                pids: PidsUsage { current: 3, limit: None },
                io_bytes: vec![io.clone()],
                io_operations: vec![io],
            },
            interfaces: vec![],
            machine_time: Duration::from_secs(4),
            cpus: 2,
        }
    }

    #[test]
    fn limits_are_the_machines_at_most() {
        for (limit, expected) in [(None, 1000), (Some(50), 50), (Some(5000), 1000)] {
            assert_eq!(measured(&sample(limit), false, 1000).memory_stats.limit, expected, "{limit:?}");
        }
    }

    #[test]
    fn versions_differ() {
        let (v1, v2) = (measured(&sample(None), false, 1), measured(&sample(None), true, 1));
        assert_eq!((v1.pids_stats.limit, v2.pids_stats.limit), (0, u64::MAX));
        assert_eq!(v1.blkio_stats.io_serviced_recursive.map(|l| l.len()), Some(1));
        assert_eq!(v1.blkio_stats.sectors_recursive, Some(vec![]));
        assert_eq!(v2.blkio_stats.io_service_bytes_recursive.map(|l| l.len()), Some(1));
        assert_eq!((v2.blkio_stats.io_serviced_recursive, v2.blkio_stats.sectors_recursive), (None, None));
        assert_eq!((v2.cpu_stats.system_cpu_usage, v2.cpu_stats.online_cpus), (4_000_000_000, 2));
    }
}
