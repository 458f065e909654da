//! Docker's defaults as OCI data (wire-formats §11).

use oci::runtime::{Device, DeviceRule, Mount};

use crate::capability::NAMES;

const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// In Docker's order, which `inspect` shows.
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Where the kernel shows its processors.
const PROCESSORS: &str = "/sys/devices/system/cpu";

/// The 14 capabilities of an ordinary container, `CAP_…`.
pub fn default_capabilities() -> Vec<String> {
    CAPABILITIES.iter().map(|name| (*name).to_owned()).collect()
}

/// Every capability the running kernel knows, `CAP_…`. Those which we lack ourselves are left out when applied.
pub fn all_capabilities() -> Vec<String> {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok().and_then(|text| text.trim().parse().ok());
    NAMES.iter().take(last.unwrap_or(NAMES.len() - 1) + 1).map(|name| format!("CAP_{name}")).collect()
}

/// Paths hidden from an unprivileged container, those of this machine's processors included.
pub fn masked_paths() -> Vec<String> {
    let mut paths: Vec<String> = MASKED.iter().map(|path| (*path).to_owned()).collect();
    let throttles = std::fs::read_dir(PROCESSORS).into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let number = name.strip_prefix("cpu")?;
        number.parse::<u32>().ok()?;
        let path = entry.path().join("thermal_throttle");
        path.exists().then(|| path.to_string_lossy().into_owned())
    });
    paths.extend(throttles);
    paths
}

/// Paths that an unprivileged container cannot write.
pub fn readonly_paths() -> Vec<String> {
    READONLY.iter().map(|path| (*path).to_owned()).collect()
}

/// Devices beyond the runtime's own basic set (null, zero, full, random, urandom, tty): none by default.
pub fn default_devices() -> Vec<Device> {
    Vec::new()
}

/// The device controller's rules of an unprivileged container.
pub fn device_rules() -> Vec<DeviceRule> {
    let nothing = DeviceRule { allow: false, access: "rwm".to_owned(), ..DeviceRule::default() };
    let mut rules = vec![nothing];
    rules.extend(own_device_rules());
    rules
}

/// What every container may: make nodes, and use its basic devices and terminals.
pub(crate) fn own_device_rules() -> Vec<DeviceRule> {
    let rule = |kind: &str, major: Option<i64>, minor: Option<i64>, access: &str| DeviceRule {
        allow: true,
        kind: kind.to_owned(),
        major,
        minor,
        access: access.to_owned(),
    };
    let mut rules = vec![rule("c", None, None, "m"), rule("b", None, None, "m")];
    // null, zero, full, random, urandom; tty, console, ptmx; every pseudo-terminal.
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] {
        rules.push(rule("c", Some(major), Some(minor), "rwm"));
    }
    rules.push(rule("c", Some(136), None, "rwm"));
    rules
}

/// /proc, /dev, /dev/pts, /sys, /sys/fs/cgroup, /dev/mqueue and /dev/shm (64 MiB).
pub fn default_mounts() -> Vec<Mount> {
    [
        ("/proc", "proc", "proc", "nosuid,noexec,nodev"),
        ("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        ("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
        ("/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"),
        ("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
        ("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=67108864"),
    ]
    .into_iter()
    .map(|(destination, kind, source, options)| Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: options.split(',').map(str::to_owned).collect(),
        ..Mount::default()
    })
    .collect()
}
