//! What this machine is and can do, read once at the daemon's start.
//!
//! Sources: uname(2), sched_getaffinity(2), os-release(5), proc_meminfo(5), proc_pid_mountinfo(5), cgroups(7).

use std::fs;
use std::path::{Path, PathBuf};

/// Facts of the machine which do not change while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// `6.18.0`, as `uname -r`.
    pub kernel: String,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub operating_system: String,
    /// `12`.
    pub os_version: String,
    /// The kernel's name of the processor: `x86_64`, `aarch64`.
    pub architecture: String,
    pub hostname: String,
    /// Processors this process may use.
    pub cpus: usize,
    /// Bytes.
    pub memory: i64,
    /// 1 (also when v2 is mounted beside it without controllers) or 2.
    pub cgroup_version: u8,
    pub limits: Limits,
    pub seccomp: bool,
    pub cgroup_namespaces: bool,
    pub apparmor: bool,
    /// The profile for containers that is loaded (`docker-default`), if any.
    pub apparmor_profile: Option<String>,
    pub selinux: bool,
}

/// Which limits the kernel's control groups can set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub memory: bool,
    pub swap: bool,
    pub memory_reservation: bool,
    pub memory_swappiness: bool,
    pub oom_kill_disable: bool,
    pub pids: bool,
    pub cpu_cfs: bool,
    pub cpu_shares: bool,
    pub cpu_realtime: bool,
    pub cpuset: bool,
    /// Processor list such as `0-3`; empty when not known.
    pub cpuset_cpus: String,
    /// Memory node list.
    pub cpuset_mems: String,
    pub blkio_weight: bool,
    pub blkio_weight_device: bool,
    /// Rates: bytes and operations, reading and writing.
    pub blkio_throttle: bool,
    pub devices: bool,
}

impl Machine {
    /// Reads everything; what cannot be read is absent.
    pub fn read() -> Self {
        let uname = rustix::system::uname();
        let release = os_release(&first_readable(&["/etc/os-release", "/usr/lib/os-release"]));
        let mounts = cgroup_mounts(&text("/proc/self/mountinfo"));
        let (cgroup_version, limits) = limits(&mounts);
        let apparmor = text("/sys/module/apparmor/parameters/enabled").starts_with('Y');
        Self {
            kernel: uname.release().to_string_lossy().into_owned(),
            operating_system: release.0,
            os_version: release.1,
            architecture: uname.machine().to_string_lossy().into_owned(),
            hostname: uname.nodename().to_string_lossy().into_owned(),
            cpus: usable_cpus(),
            memory: total_memory(&text("/proc/meminfo")),
            cgroup_version,
            limits,
            seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
            cgroup_namespaces: Path::new("/proc/self/ns/cgroup").exists(),
            apparmor,
            apparmor_profile: apparmor.then(crate::apparmor::profile).flatten(),
            selinux: Path::new("/sys/fs/selinux/enforce").exists(),
        }
    }

    pub fn is_cgroup_v2(&self) -> bool {
        self.cgroup_version == 2
    }
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn first_readable(paths: &[&str]) -> String {
    paths.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default()
}

fn usable_cpus() -> usize {
    let affinity = rustix::thread::sched_getaffinity(None).map(|set| set.count() as usize);
    affinity.ok().filter(|count| *count > 0).unwrap_or(1)
}

/// `PRETTY_NAME` and `VERSION_ID` of an os-release(5) file.
fn os_release(text: &str) -> (String, String) {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    (value("PRETTY_NAME").unwrap_or_else(|| "Linux".into()), value("VERSION_ID").unwrap_or_default())
}

/// `MemTotal` of /proc/meminfo in bytes.
fn total_memory(text: &str) -> i64 {
    let kib =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<i64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// A mounted hierarchy of control groups.
#[derive(Debug, PartialEq, Eq)]
struct CgroupMount {
    path: PathBuf,
    /// v1: the super block's options, its controllers among them. v2: none.
    options: Option<Vec<String>>,
}

/// The hierarchies of a mountinfo file.
fn cgroup_mounts(mountinfo: &str) -> Vec<CgroupMount> {
    let parse = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let path = PathBuf::from(left.split(' ').nth(4)?);
        let mut right = right.split(' ');
        let options = match right.next()? {
            "cgroup" => Some(right.nth(1)?.split(',').map(str::to_owned).collect()),
            "cgroup2" => None,
            _ => return None,
        };
        Some(CgroupMount { path, options })
    };
    mountinfo.lines().filter_map(parse).collect()
}

fn limits(mounts: &[CgroupMount]) -> (u8, Limits) {
    let unified = mounts.iter().find(|mount| mount.options.is_none());
    let any_v1 = mounts.iter().any(|m| m.options.as_ref().is_some_and(|o| !o.iter().any(|o| o.starts_with("name="))));
    match unified {
        Some(unified) if !any_v1 => (2, limits_v2(&unified.path)),
        _ => (1, limits_v1(mounts)),
    }
}

fn limits_v1(mounts: &[CgroupMount]) -> Limits {
    let has = |controller: &str, file: &str| {
        let of = |m: &&CgroupMount| m.options.as_ref().is_some_and(|o| o.iter().any(|o| o == controller));
        mounts.iter().find(of).is_some_and(|mount| mount.path.join(file).exists())
    };
    let cpuset = has("cpuset", "cpuset.cpus");
    let read = |file: &str| {
        let of = |m: &&CgroupMount| m.options.as_ref().is_some_and(|o| o.iter().any(|o| o == "cpuset"));
        mounts.iter().find(of).map_or_else(String::new, |mount| text(mount.path.join(file)).trim().to_owned())
    };
    let throttle = |file: &str| has("blkio", file);
    Limits {
        memory: has("memory", "memory.limit_in_bytes"),
        swap: has("memory", "memory.memsw.limit_in_bytes"),
        memory_reservation: has("memory", "memory.soft_limit_in_bytes"),
        memory_swappiness: has("memory", "memory.swappiness"),
        oom_kill_disable: has("memory", "memory.oom_control"),
        // the root group has no pids.max
        pids: has("pids", "cgroup.procs"),
        cpu_cfs: has("cpu", "cpu.cfs_quota_us"),
        cpu_shares: has("cpu", "cpu.shares"),
        cpu_realtime: has("cpu", "cpu.rt_runtime_us"),
        cpuset,
        cpuset_cpus: read("cpuset.cpus"),
        cpuset_mems: read("cpuset.mems"),
        blkio_weight: throttle("blkio.weight") || throttle("blkio.bfq.weight"),
        blkio_weight_device: throttle("blkio.weight_device") || throttle("blkio.bfq.weight_device"),
        blkio_throttle: throttle("blkio.throttle.read_bps_device"),
        devices: has("devices", "devices.allow"),
    }
}

fn limits_v2(root: &Path) -> Limits {
    let controllers = text(root.join("cgroup.controllers"));
    let has = |name: &str| controllers.split_whitespace().any(|controller| controller == name);
    // Only groups below the root have most files: our own tells what there is.
    let own = text("/proc/self/cgroup");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let own = root.join(own);
    let any = |file: &str| own.join(file).exists();
    let effective = |file: &str| text(root.join(file)).trim().to_owned();
    Limits {
        memory: has("memory"),
        swap: has("memory") && (any("memory.swap.max") || own == root),
        memory_reservation: has("memory"),
        memory_swappiness: false,
        oom_kill_disable: false,
        pids: has("pids"),
        cpu_cfs: has("cpu"),
        cpu_shares: has("cpu"),
        cpu_realtime: false,
        cpuset: has("cpuset"),
        cpuset_cpus: effective("cpuset.cpus.effective"),
        cpuset_mems: effective("cpuset.mems.effective"),
        blkio_weight: has("io") && (any("io.weight") || any("io.bfq.weight")),
        blkio_weight_device: has("io") && (any("io.weight") || any("io.bfq.weight")),
        blkio_throttle: has("io"),
        devices: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_files() {
        for (text, expected) in [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\n",
                ("Debian GNU/Linux 12 (bookworm)", "12"),
            ),
            ("NAME=x\nPRETTY_NAME='Alpine Linux v3.20'\nVERSION_ID=3.20.1\n", ("Alpine Linux v3.20", "3.20.1")),
            ("", ("Linux", "")),
        ] {
            assert_eq!(os_release(text), (expected.0.into(), expected.1.into()), "{text}");
        }
    }

    #[test]
    fn memory() {
        assert_eq!(total_memory("MemTotal:       16303428 kB\nMemFree: 1 kB\n"), 16_303_428 * 1024);
        assert_eq!(total_memory(""), 0);
    }

    #[test]
    fn hierarchies() {
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                      35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                      40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw shared:3 - cgroup2 cgroup2 rw\n";
        let mounts = cgroup_mounts(hybrid);
        assert_eq!(mounts.len(), 3);
        assert_eq!(limits(&mounts).0, 1);
        let unified = "40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,name=systemd\n\
                       41 31 0:38 / /does/not/exist rw - cgroup2 cgroup2 rw\n";
        assert_eq!(limits(&cgroup_mounts(unified)).0, 2);
        assert_eq!(limits(&[]), (1, Limits::default()));
    }

    #[test]
    fn this_machine() {
        let machine = Machine::read();
        assert!(machine.cpus >= 1 && machine.memory > 1 << 20 && !machine.kernel.is_empty());
        assert!(machine.limits.memory && machine.limits.cpu_cfs && machine.limits.pids, "{machine:?}");
        assert!(!machine.limits.cpuset_cpus.is_empty());
    }
}
