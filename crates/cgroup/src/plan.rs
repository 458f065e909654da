use oci::runtime::{BlockIo, Cpu, Memory, Resources, ThrottleDevice};
use values::{Error, Result};

/// Which of the kernel's two interfaces carries the controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// One file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The controller whose hierarchy it is on v1 (`memory`); on v2 the controller to be enabled.
    pub controller: String,
    pub file: String,
    pub value: String,
    /// The name to be tried when the kernel does not have `file`.
    pub fallback: Option<String>,
}

/// What must be written, in this order, so that a group has these limits. What the version cannot do is an error.
/// v2's device rules are no file: see `devices::program`.
pub fn plan(version: Version, resources: &Resources) -> Result<Vec<Write>> {
    let mut plan = Plan { version, writes: Vec::new() };
    if let Some(memory) = &resources.memory {
        plan.memory(memory)?;
    }
    if let Some(cpu) = &resources.cpu {
        plan.cpu(cpu)?;
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        plan.push("pids", "pids.max", number_or_max(most_tasks(limit).unwrap_or(-1)));
    }
    if let Some(block) = &resources.block_io {
        plan.block(block)?;
    }
    for huge in &resources.hugepage_limits {
        let (file, reserved) = match version {
            Version::V1 => ("limit_in_bytes", "rsvd.limit_in_bytes"),
            Version::V2 => ("max", "rsvd.max"),
        };
        let name = |file: &str| format!("hugetlb.{}.{file}", huge.page_size);
        plan.push("hugetlb", name(file), huge.limit);
        // Linux 5.7: already a reservation is refused, where a fault would be the process' end.
        plan.push_or("hugetlb", name(reserved), Some(&name(file)), huge.limit);
    }
    plan.network_and_rdma(resources)?;
    if version == Version::V1 {
        for rule in &resources.devices {
            plan.push(
                "devices",
                if rule.allow { "devices.allow" } else { "devices.deny" },
                crate::devices::line(rule)?,
            );
        }
    }
    plan.unified(resources)?;
    Ok(plan.writes)
}

struct Plan {
    version: Version,
    writes: Vec<Write>,
}

impl Plan {
    fn push(&mut self, controller: &str, file: impl Into<String>, value: impl ToString) {
        self.push_or(controller, file, None, value);
    }

    fn push_or(&mut self, controller: &str, file: impl Into<String>, or: Option<&str>, value: impl ToString) {
        self.writes.push(Write {
            controller: controller.to_owned(),
            file: file.into(),
            value: value.to_string(),
            fallback: or.map(str::to_owned),
        });
    }

    fn memory(&mut self, memory: &Memory) -> Result<()> {
        if memory.kernel.is_some_and(|limit| limit > 0) {
            return Err(Error::invalid(
                "a limit on kernel memory is not possible: the kernel has none since Linux 5.16",
            ));
        }
        if memory.use_hierarchy == Some(false) {
            return Err(Error::invalid("memory is always counted with that of the groups below"));
        }
        if let Some(swappiness) = swappiness(memory).filter(|value| *value > 100) {
            return Err(Error::invalid(format!("invalid memory swappiness {swappiness}: the range is 0 to 100")));
        }
        match self.version {
            Version::V1 => self.memory_v1(memory),
            Version::V2 => return self.memory_v2(memory),
        }
        Ok(())
    }

    fn memory_v1(&mut self, memory: &Memory) {
        let mut file = |name: &str, value: Option<i64>| {
            if let Some(value) = value.filter(|value| *value != 0) {
                self.push("memory", name, value.max(-1));
            }
        };
        // Without a limit on memory there is none on the sum either.
        let swap = memory.swap.or(memory.limit.filter(|limit| *limit < 0));
        file("memory.limit_in_bytes", memory.limit);
        file("memory.memsw.limit_in_bytes", swap);
        file("memory.soft_limit_in_bytes", memory.reservation);
        file("memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp);
        if let Some(swappiness) = swappiness(memory) {
            self.push("memory", "memory.swappiness", swappiness);
        }
        if memory.disable_oom_killer == Some(true) {
            self.push("memory", "memory.oom_control", 1);
        }
    }

    fn memory_v2(&mut self, memory: &Memory) -> Result<()> {
        if memory.disable_oom_killer == Some(true) {
            return Err(Error::invalid("the out-of-memory killer cannot be disabled on cgroup v2"));
        }
        if memory.kernel_tcp.is_some_and(|limit| limit > 0) {
            return Err(Error::invalid("a limit on kernel TCP memory is not possible on cgroup v2"));
        }
        if swappiness(memory).is_some() {
            return Err(Error::invalid("memory swappiness cannot be set on cgroup v2"));
        }
        // Swap first: lowering memory.max below the use could otherwise push everything there.
        if let Some(value) = swap_v2(memory)? {
            self.push("memory", "memory.swap.max", value);
        }
        if let Some(limit) = memory.limit.filter(|limit| *limit != 0) {
            self.push("memory", "memory.max", number_or_max(limit));
        }
        if let Some(low) = memory.reservation.filter(|low| *low != 0) {
            self.push("memory", "memory.low", number_or_max(low));
        }
        Ok(())
    }

    fn cpu(&mut self, cpu: &Cpu) -> Result<()> {
        match self.version {
            Version::V1 => self.cpu_v1(cpu),
            Version::V2 => self.cpu_v2(cpu)?,
        }
        if !cpu.cpus.is_empty() {
            self.push("cpuset", "cpuset.cpus", &cpu.cpus);
        }
        if !cpu.mems.is_empty() {
            self.push("cpuset", "cpuset.mems", &cpu.mems);
        }
        Ok(())
    }

    fn cpu_v1(&mut self, cpu: &Cpu) {
        let mut file = |name: &str, value: Option<i64>| {
            if let Some(value) = value.filter(|value| *value != 0) {
                self.push("cpu", name, value);
            }
        };
        let signed = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
        file("cpu.shares", signed(cpu.shares));
        file("cpu.cfs_period_us", signed(cpu.period));
        file("cpu.cfs_quota_us", cpu.quota);
        file("cpu.cfs_burst_us", signed(cpu.burst));
        file("cpu.rt_period_us", signed(cpu.realtime_period));
        file("cpu.rt_runtime_us", cpu.realtime_runtime);
        file("cpu.idle", cpu.idle);
    }

    fn cpu_v2(&mut self, cpu: &Cpu) -> Result<()> {
        if cpu.realtime_period.is_some_and(|value| value != 0) || cpu.realtime_runtime.is_some_and(|value| value != 0) {
            return Err(Error::invalid("realtime scheduling limits are not possible on cgroup v2"));
        }
        if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
            self.push("cpu", "cpu.weight", weight(shares));
        }
        if let Some(idle) = cpu.idle {
            self.push("cpu", "cpu.idle", idle);
        }
        let period = cpu.period.filter(|period| *period != 0);
        match (cpu.quota.filter(|quota| *quota != 0), period) {
            (None, None) => {}
            (Some(quota), period) if quota > 0 => {
                self.push("cpu", "cpu.max", format!("{quota} {}", period.unwrap_or(100_000)));
            }
            (_, period) => self.push("cpu", "cpu.max", format!("max {}", period.unwrap_or(100_000))),
        }
        if let Some(burst) = cpu.burst.filter(|burst| *burst != 0) {
            self.push("cpu", "cpu.max.burst", burst);
        }
        Ok(())
    }

    fn block(&mut self, block: &BlockIo) -> Result<()> {
        if block.leaf_weight.is_some_and(|weight| weight != 0)
            || block.weight_device.iter().any(|device| device.leaf_weight.is_some_and(|weight| weight != 0))
        {
            return Err(Error::invalid("block I/O leaf weight is not possible: the kernel's CFQ scheduler is gone"));
        }
        let (controller, file, bfq, device, bfq_device) = match self.version {
            Version::V1 => {
                ("blkio", "blkio.weight", "blkio.bfq.weight", "blkio.weight_device", "blkio.bfq.weight_device")
            }
            Version::V2 => ("io", "io.bfq.weight", "io.weight", "io.bfq.weight", "io.weight"),
        };
        if let Some(weight) = block.weight.filter(|weight| *weight != 0) {
            self.push_or(controller, file, Some(bfq), weight);
        }
        for one in &block.weight_device {
            if one.weight.is_none() && one.leaf_weight.is_none() {
                return Err(Error::invalid(format!("block I/O device {}:{} has no weight", one.major, one.minor)));
            }
            if let Some(weight) = one.weight.filter(|weight| *weight != 0) {
                let value = format!("{}:{} {weight}", one.major, one.minor);
                self.push_or(controller, device, Some(bfq_device), value);
            }
        }
        self.throttle("blkio.throttle.read_bps_device", "rbps", &block.throttle_read_bps_device);
        self.throttle("blkio.throttle.write_bps_device", "wbps", &block.throttle_write_bps_device);
        self.throttle("blkio.throttle.read_iops_device", "riops", &block.throttle_read_iops_device);
        self.throttle("blkio.throttle.write_iops_device", "wiops", &block.throttle_write_iops_device);
        Ok(())
    }

    fn throttle(&mut self, file: &str, key: &str, devices: &[ThrottleDevice]) {
        for one in devices {
            let (major, minor, rate) = (one.major, one.minor, one.rate);
            match self.version {
                Version::V1 => self.push("blkio", file, format!("{major}:{minor} {rate}")),
                Version::V2 => {
                    let rate = if rate == 0 { "max".to_owned() } else { rate.to_string() };
                    self.push("io", "io.max", format!("{major}:{minor} {key}={rate}"));
                }
            }
        }
    }

    fn network_and_rdma(&mut self, resources: &Resources) -> Result<()> {
        if let Some(network) = &resources.network {
            let wanted = network.class_id.is_some_and(|id| id != 0) || !network.priorities.is_empty();
            if wanted && self.version == Version::V2 {
                return Err(Error::invalid("network class and priorities are not possible on cgroup v2"));
            }
            if let Some(id) = network.class_id.filter(|id| *id != 0) {
                self.push("net_cls", "net_cls.classid", id);
            }
            for one in &network.priorities {
                self.push("net_prio", "net_prio.ifpriomap", format!("{} {}", one.name, one.priority));
            }
        }
        for (device, limits) in &resources.rdma {
            if limits.hca_handles.is_none() && limits.hca_objects.is_none() {
                return Err(Error::invalid(format!("RDMA device {device:?} has no limit")));
            }
            let text = |value: Option<u32>| value.map_or_else(|| "max".to_owned(), |value| value.to_string());
            let (handles, objects) = (text(limits.hca_handles), text(limits.hca_objects));
            self.push("rdma", "rdma.max", format!("{device} hca_handle={handles} hca_object={objects}"));
        }
        Ok(())
    }

    fn unified(&mut self, resources: &Resources) -> Result<()> {
        if self.version == Version::V1 && !resources.unified.is_empty() {
            return Err(Error::invalid("unified resources need cgroup v2"));
        }
        for (file, value) in &resources.unified {
            if file.contains('/') {
                return Err(Error::invalid(format!("unified resource {file:?} must be a file name (no slashes)")));
            }
            let Some((controller, _)) = file.split_once('.') else {
                return Err(Error::invalid(format!(
                    "unified resource {file:?} must be of the form CONTROLLER.PARAMETER"
                )));
            };
            for line in value.lines() {
                self.push(controller, file.as_str(), line);
            }
        }
        Ok(())
    }
}

/// -1 as 64 bits without a sign is what callers of runc say for "as it is".
fn swappiness(memory: &Memory) -> Option<u64> {
    memory.swappiness.filter(|value| *value != u64::MAX)
}

/// Tasks of a `pids.limit`; `None`: as many as there are. 0 allows none besides the first: as 1, which says the same, the first can
/// be made within the group, and systemd takes it.
pub(crate) fn most_tasks(limit: i64) -> Option<i64> {
    (limit >= 0).then(|| limit.max(1))
}

fn number_or_max(value: i64) -> String {
    if value > 0 { value.to_string() } else { "max".to_owned() }
}

/// v2 limits swap alone where OCI means memory and swap together.
fn swap_v2(memory: &Memory) -> Result<Option<String>> {
    match (memory.swap.unwrap_or(0), memory.limit.unwrap_or(0)) {
        (0, limit) => Ok((limit < 0).then(|| "max".to_owned())),
        (swap, _) if swap < 0 => Ok(Some("max".to_owned())),
        (_, limit) if limit <= 0 => Err(Error::invalid("a limit on memory and swap together needs a limit on memory")),
        (swap, limit) if swap < limit => {
            Err(Error::invalid("the limit on memory and swap together must not be below the limit on memory"))
        }
        (swap, limit) => Ok(Some((swap - limit).to_string())),
    }
}

/// v1's CPU shares (2–262144, 1024 the usual) as v2's weight (1–10000, 100 the usual): the quadratic curve in
/// the logarithm through the three pairs 2→1, 1024→100, 262144→10000, which runtimes use since 2025.
pub fn weight(shares: u64) -> u64 {
    match shares {
        0 => 0,
        1 | 2 => 1,
        262_144.. => 10_000,
        _ => {
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            // Rounding noise must not lift an exact result to the next integer.
            (10f64.powf(exponent) - 1e-9).ceil() as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `resources` is JSON as in `config.json`; each expected line is `CONTROLLER FILE=VALUE`.
    fn check(version: Version, resources: &str, expected: &[&str]) {
        let resources: Resources = serde_json::from_str(resources).unwrap();
        let found: Vec<String> = plan(version, &resources)
            .unwrap()
            .into_iter()
            .map(|write| format!("{} {}={}", write.controller, write.file, write.value))
            .collect();
        assert_eq!(found, expected, "{resources:?}");
    }

    #[test]
    fn tables() {
        use Version::{V1, V2};
        check(V1, "{}", &[]);
        check(V2, "{}", &[]);
        let memory = r#"{"memory":{"limit":6291456,"swap":12582912,"reservation":1048576}}"#;
        check(
            V1,
            memory,
            &[
                "memory memory.limit_in_bytes=6291456",
                "memory memory.memsw.limit_in_bytes=12582912",
                "memory memory.soft_limit_in_bytes=1048576",
            ],
        );
        check(
            V2,
            memory,
            &["memory memory.swap.max=6291456", "memory memory.max=6291456", "memory memory.low=1048576"],
        );
        let unlimited = r#"{"memory":{"limit":-1}}"#;
        check(V1, unlimited, &["memory memory.limit_in_bytes=-1", "memory memory.memsw.limit_in_bytes=-1"]);
        check(V2, unlimited, &["memory memory.swap.max=max", "memory memory.max=max"]);
        check(V2, r#"{"memory":{"limit":100,"swap":100}}"#, &["memory memory.swap.max=0", "memory memory.max=100"]);
        check(V2, r#"{"memory":{"limit":100,"swap":-1}}"#, &["memory memory.swap.max=max", "memory memory.max=100"]);
        let cpu = r#"{"cpu":{"shares":512,"quota":50000,"period":100000,"cpus":"0-1","mems":"0"}}"#;
        check(
            V1,
            cpu,
            &[
                "cpu cpu.shares=512",
                "cpu cpu.cfs_period_us=100000",
                "cpu cpu.cfs_quota_us=50000",
                "cpuset cpuset.cpus=0-1",
                "cpuset cpuset.mems=0",
            ],
        );
        check(
            V2,
            cpu,
            &["cpu cpu.weight=59", "cpu cpu.max=50000 100000", "cpuset cpuset.cpus=0-1", "cpuset cpuset.mems=0"],
        );
        check(V2, r#"{"cpu":{"quota":-1}}"#, &["cpu cpu.max=max 100000"]);
        check(V1, r#"{"pids":{"limit":-1}}"#, &["pids pids.max=max"]);
        check(V2, r#"{"pids":{"limit":0}}"#, &["pids pids.max=1"]);
        check(V2, r#"{"pids":{"limit":50}}"#, &["pids pids.max=50"]);
        let block = r#"{"blockIO":{"weight":300,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1024}],
            "throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":9}]}}"#;
        check(
            V1,
            block,
            &[
                "blkio blkio.weight=300",
                "blkio blkio.throttle.read_bps_device=8:0 1024",
                "blkio blkio.throttle.write_iops_device=8:0 9",
            ],
        );
        check(V2, block, &["io io.bfq.weight=300", "io io.max=8:0 rbps=1024", "io io.max=8:0 wiops=9"]);
        let huge = r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#;
        check(
            V1,
            huge,
            &["hugetlb hugetlb.2MB.limit_in_bytes=4194304", "hugetlb hugetlb.2MB.rsvd.limit_in_bytes=4194304"],
        );
        check(V2, huge, &["hugetlb hugetlb.2MB.max=4194304", "hugetlb hugetlb.2MB.rsvd.max=4194304"]);
        let devices = r#"{"devices":[{"allow":false,"access":"rwm"},
            {"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"},{"allow":true,"type":"b","access":"m"}]}"#;
        check(
            V1,
            devices,
            &["devices devices.deny=a *:* rwm", "devices devices.allow=c 1:3 rwm", "devices devices.allow=b *:* m"],
        );
        check(V2, devices, &[]);
        check(V2, r#"{"unified":{"memory.high":"5\n6"}}"#, &["memory memory.high=5", "memory memory.high=6"]);
    }

    #[test]
    fn refusals() {
        for (version, resources) in [
            (Version::V1, r#"{"unified":{"memory.high":"5"}}"#),
            (Version::V2, r#"{"unified":{"../x.y":"5"}}"#),
            (Version::V2, r#"{"unified":{"memory":"5"}}"#),
            (Version::V2, r#"{"memory":{"swap":5}}"#),
            (Version::V2, r#"{"memory":{"limit":50,"swap":5}}"#),
            (Version::V2, r#"{"memory":{"disableOOMKiller":true}}"#),
            (Version::V2, r#"{"memory":{"kernelTCP":5}}"#),
            (Version::V2, r#"{"memory":{"swappiness":50}}"#),
            (Version::V1, r#"{"memory":{"swappiness":101}}"#),
            (Version::V1, r#"{"memory":{"kernel":5}}"#),
            (Version::V1, r#"{"memory":{"useHierarchy":false}}"#),
            (Version::V2, r#"{"blockIO":{"leafWeight":5}}"#),
            (Version::V2, r#"{"cpu":{"realtimeRuntime":5}}"#),
            (Version::V2, r#"{"network":{"classID":5}}"#),
            (Version::V1, r#"{"devices":[{"allow":true,"type":"x"}]}"#),
            (Version::V2, r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}"#),
            (Version::V1, r#"{"rdma":{"mlx5_1":{}}}"#),
        ] {
            let resources: Resources = serde_json::from_str(resources).unwrap();
            assert!(plan(version, &resources).is_err(), "{resources:?}");
        }
    }

    #[test]
    fn weights() {
        for (shares, expected) in [(0, 0), (1, 1), (2, 1), (1024, 100), (262_144, 10_000), (u64::MAX, 10_000)] {
            assert_eq!(weight(shares), expected, "{shares}");
        }
    }
}
