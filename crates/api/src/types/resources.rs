//! Limits and devices, shared by `HostConfig` and `POST /containers/{id}/update`.

use std::collections::BTreeMap;

use crate::lenient::is_default;
use crate::wire::wire;

wire! {
    /// A container's resource limits. Zero means unlimited (or the default) unless said otherwise.
    #[serde(rename_all = "PascalCase")]
    pub struct Resources {
        /// Relative weight, 1024 is the usual one.
        pub cpu_shares: i64,
        /// Bytes.
        pub memory: i64,
        /// 10^-9 CPUs.
        pub nano_cpus: i64,
        pub cgroup_parent: String,
        /// 10..=1000.
        pub blkio_weight: u64,
        pub blkio_weight_device: Option<Vec<WeightDevice>>,
        pub blkio_device_read_bps: Option<Vec<ThrottleDevice>>,
        pub blkio_device_write_bps: Option<Vec<ThrottleDevice>>,
        #[serde(rename = "BlkioDeviceReadIOps")]
        pub blkio_device_read_iops: Option<Vec<ThrottleDevice>>,
        #[serde(rename = "BlkioDeviceWriteIOps")]
        pub blkio_device_write_iops: Option<Vec<ThrottleDevice>>,
        /// Microseconds.
        pub cpu_period: i64,
        /// Microseconds per period.
        pub cpu_quota: i64,
        /// Microseconds.
        pub cpu_realtime_period: i64,
        /// Microseconds.
        pub cpu_realtime_runtime: i64,
        pub cpuset_cpus: String,
        pub cpuset_mems: String,
        pub devices: Option<Vec<DeviceMapping>>,
        pub device_cgroup_rules: Option<Vec<String>>,
        pub device_requests: Option<Vec<DeviceRequest>>,
        /// Gone from the kernel; only accepted to be refused or ignored as Docker does.
        #[serde(skip_serializing_if = "is_default")]
        pub kernel_memory: i64,
        #[serde(rename = "KernelMemoryTCP", skip_serializing_if = "is_default")]
        pub kernel_memory_tcp: i64,
        /// Bytes.
        pub memory_reservation: i64,
        /// Bytes of memory and swap together; -1 is unlimited swap.
        pub memory_swap: i64,
        /// 0..=100; null inherits (-1 means the same).
        pub memory_swappiness: Option<i64>,
        pub oom_kill_disable: Option<bool>,
        /// Null, 0 and -1 are unlimited.
        pub pids_limit: Option<i64>,
        pub ulimits: Option<Vec<Ulimit>>,
        /// Windows only.
        pub cpu_count: i64,
        /// Windows only.
        pub cpu_percent: i64,
        /// Windows only.
        #[serde(rename = "IOMaximumIOps")]
        pub io_maximum_iops: u64,
        /// Windows only.
        #[serde(rename = "IOMaximumBandwidth")]
        pub io_maximum_bandwidth: u64,
    }
}

wire! {
    /// A block device's weight.
    #[serde(rename_all = "PascalCase")]
    pub struct WeightDevice {
        pub path: String,
        pub weight: u64,
    }
}

wire! {
    /// A block device's rate, in bytes or operations a second.
    #[serde(rename_all = "PascalCase")]
    pub struct ThrottleDevice {
        pub path: String,
        pub rate: u64,
    }
}

wire! {
    /// A device of the host shown in the container.
    #[serde(rename_all = "PascalCase")]
    pub struct DeviceMapping {
        pub path_on_host: String,
        pub path_in_container: String,
        /// Any of `r`, `w`, `m`; empty is `rwm`.
        pub cgroup_permissions: String,
    }
}

wire! {
    /// Devices asked for by capability (`--gpus`) or by CDI name.
    #[serde(rename_all = "PascalCase")]
    pub struct DeviceRequest {
        pub driver: String,
        /// -1 is all.
        pub count: i64,
        #[serde(rename = "DeviceIDs")]
        pub device_ids: Option<Vec<String>>,
        /// An OR of ANDs.
        pub capabilities: Option<Vec<Vec<String>>>,
        pub options: Option<BTreeMap<String, String>>,
    }
}

wire! {
    /// One resource limit, `-1` unlimited.
    #[serde(rename_all = "PascalCase")]
    pub struct Ulimit {
        pub name: String,
        pub hard: i64,
        pub soft: i64,
    }
}
