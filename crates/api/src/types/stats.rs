//! Resource usage of a container.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// One sample of `GET /containers/{id}/stats`.
    #[serde(rename_all = "snake_case")]
    pub struct Stats {
        #[serde(skip_serializing_if = "is_default")]
        pub name: String,
        #[serde(skip_serializing_if = "is_default")]
        pub id: String,
        #[serde(skip_serializing_if = "is_default")]
        pub os_type: String,
        /// RFC 3339; `0001-01-01T00:00:00Z` for a stopped container.
        pub read: String,
        pub preread: String,
        pub pids_stats: PidsStats,
        pub blkio_stats: BlkioStats,
        pub num_procs: u64,
        pub storage_stats: StorageStats,
        pub cpu_stats: CpuStats,
        pub precpu_stats: CpuStats,
        pub memory_stats: MemoryStats,
        #[serde(skip_serializing_if = "is_default")]
        pub networks: BTreeMap<String, NetworkStats>,
    }
}

wire! {
    /// Number of processes and its limit.
    #[serde(rename_all = "snake_case")]
    pub struct PidsStats {
        #[serde(skip_serializing_if = "is_default")]
        pub current: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub limit: u64,
    }
}

wire! {
    /// CPU usage.
    #[serde(rename_all = "snake_case")]
    pub struct CpuStats {
        pub cpu_usage: CpuUsage,
        /// Nanoseconds of the whole machine.
        #[serde(skip_serializing_if = "is_default")]
        pub system_cpu_usage: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub online_cpus: u64,
        pub throttling_data: ThrottlingData,
    }
}

wire! {
    /// Nanoseconds of CPU time.
    #[serde(rename_all = "snake_case")]
    pub struct CpuUsage {
        pub total_usage: u64,
        /// cgroup v1 only.
        #[serde(skip_serializing_if = "is_default")]
        pub percpu_usage: Vec<u64>,
        pub usage_in_kernelmode: u64,
        pub usage_in_usermode: u64,
    }
}

wire! {
    /// How often the quota struck.
    #[serde(rename_all = "snake_case")]
    pub struct ThrottlingData {
        pub periods: u64,
        pub throttled_periods: u64,
        /// Nanoseconds.
        pub throttled_time: u64,
    }
}

wire! {
    /// Bytes of memory.
    #[serde(rename_all = "snake_case")]
    pub struct MemoryStats {
        #[serde(skip_serializing_if = "is_default")]
        pub usage: u64,
        /// cgroup v1 only.
        #[serde(skip_serializing_if = "is_default")]
        pub max_usage: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub stats: BTreeMap<String, u64>,
        #[serde(skip_serializing_if = "is_default")]
        pub failcnt: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub limit: u64,
    }
}

wire! {
    /// Block I/O; on cgroup v2 only the first is filled.
    #[serde(rename_all = "snake_case")]
    pub struct BlkioStats {
        pub io_service_bytes_recursive: Option<Vec<BlkioEntry>>,
        pub io_serviced_recursive: Option<Vec<BlkioEntry>>,
        pub io_queue_recursive: Option<Vec<BlkioEntry>>,
        pub io_service_time_recursive: Option<Vec<BlkioEntry>>,
        pub io_wait_time_recursive: Option<Vec<BlkioEntry>>,
        pub io_merged_recursive: Option<Vec<BlkioEntry>>,
        pub io_time_recursive: Option<Vec<BlkioEntry>>,
        pub sectors_recursive: Option<Vec<BlkioEntry>>,
    }
}

wire! {
    /// One counter of one device.
    #[serde(rename_all = "snake_case")]
    pub struct BlkioEntry {
        pub major: u64,
        pub minor: u64,
        pub op: String,
        pub value: u64,
    }
}

wire! {
    /// Windows only, always empty.
    #[serde(rename_all = "snake_case")]
    pub struct StorageStats {
        #[serde(skip_serializing_if = "is_default")]
        pub read_count_normalized: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub read_size_bytes: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub write_count_normalized: u64,
        #[serde(skip_serializing_if = "is_default")]
        pub write_size_bytes: u64,
    }
}

wire! {
    /// Counters of one interface.
    #[serde(rename_all = "snake_case")]
    pub struct NetworkStats {
        pub rx_bytes: u64,
        pub rx_packets: u64,
        pub rx_errors: u64,
        pub rx_dropped: u64,
        pub tx_bytes: u64,
        pub tx_packets: u64,
        pub tx_errors: u64,
        pub tx_dropped: u64,
    }
}
