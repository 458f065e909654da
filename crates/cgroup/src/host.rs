use std::io::Read;
use std::path::{Path, PathBuf};

use values::{Error, Result, ResultExt};

use crate::Version;

/// Where hierarchies are mounted by convention.
const USUAL: &str = "/sys/fs/cgroup";

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Its controllers on v1 (`cpu`, `cpuacct`); empty on v2.
    pub controllers: Vec<String>,
    pub mount: PathBuf,
}

/// What the machine offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub version: Version,
    /// On v2 exactly one.
    pub hierarchies: Vec<Hierarchy>,
}

impl Host {
    /// Looks at this process' mounts.
    pub fn detect() -> Result<Self> {
        let mut text = Vec::with_capacity(64 << 10);
        // In large pieces: the kernel makes the text anew for each.
        std::fs::File::open("/proc/self/mountinfo")
            .and_then(|mut file| file.read_to_end(&mut text))
            .during(|| "read /proc/self/mountinfo")?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the format of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)). A hierarchy may be mounted in several places
    /// (for a chroot); the one below `/sys/fs/cgroup` counts. Where that is a cgroup2 itself, the host is v2.
    pub fn parse(mountinfo: &str) -> Result<Self> {
        let mut v1: Vec<Hierarchy> = Vec::new();
        let mut v2: Option<PathBuf> = None;
        for line in mountinfo.lines() {
            let Some((place, kind)) = line.split_once(" - ") else { continue };
            let Some(mount) = place.split(' ').nth(4).map(unescape) else { continue };
            let mut kind = kind.split(' ');
            match kind.next() {
                Some("cgroup2") if v2.as_ref().is_none_or(|known| better(&mount, known)) => v2 = Some(mount),
                Some("cgroup") => {
                    let controllers = controllers(kind.nth(1).unwrap_or_default());
                    match v1.iter_mut().find(|known| known.controllers == controllers) {
                        Some(known) if better(&mount, &known.mount) => known.mount = mount,
                        Some(_) => {}
                        None if controllers.is_empty() => {}
                        None => v1.push(Hierarchy { controllers, mount }),
                    }
                }
                _ => {}
            }
        }
        match v2 {
            Some(mount) if v1.is_empty() || mount == Path::new(USUAL) => {
                Ok(Self { version: Version::V2, hierarchies: vec![Hierarchy { controllers: Vec::new(), mount }] })
            }
            None if v1.is_empty() => Err(Error::unavailable("no control group hierarchy is mounted (see cgroups(7))")),
            _ => Ok(Self { version: Version::V1, hierarchies: v1 }),
        }
    }

    /// The hierarchy which carries this v1 controller, or the unified one.
    pub fn hierarchy(&self, controller: &str) -> Option<&Hierarchy> {
        match self.version {
            Version::V1 => self.hierarchies.iter().find(|one| one.controllers.iter().any(|name| name == controller)),
            Version::V2 => self.hierarchies.first(),
        }
    }

    /// Whether this file of a controller exists in some group below the root, i.e. whether the kernel has the
    /// feature: `supports("memory", "memory.memsw.limit_in_bytes")`.
    pub fn supports(&self, controller: &str, file: &str) -> bool {
        let Some(hierarchy) = self.hierarchy(controller) else { return false };
        if hierarchy.mount.join(file).exists() {
            return true;
        }
        // v2's root has no limits of its own: ask any group below it.
        let Ok(entries) = std::fs::read_dir(&hierarchy.mount) else { return false };
        entries.flatten().any(|entry| entry.path().join(file).exists())
    }
}

/// Whether a place is the usual one and the known one is not.
fn better(place: &Path, known: &Path) -> bool {
    place.starts_with(USUAL) && !known.starts_with(USUAL)
}

/// The controllers in a v1 mount's options; none for a named hierarchy (`name=systemd`).
fn controllers(options: &str) -> Vec<String> {
    const NOT_CONTROLLERS: &[&str] =
        &["rw", "ro", "xattr", "clone_children", "cpuset_v2_mode", "favordynmods", "noprefix", "none"];
    options
        .split(',')
        .filter(|option| !NOT_CONTROLLERS.contains(option) && !option.contains('='))
        .map(str::to_owned)
        .collect()
}

/// Undoes mountinfo's `\040` escapes.
fn unescape(text: &str) -> PathBuf {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    Path::new(&out).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
24 1 0:22 / /sys rw,relatime - sysfs sysfs rw
31 24 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn hybrid_is_v1() {
        let host = Host::parse(V1).unwrap();
        assert_eq!(host.version, Version::V1);
        assert_eq!(host.hierarchies.len(), 2);
        assert_eq!(host.hierarchy("cpuacct").unwrap().mount, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(host.hierarchy("pids"), None);
    }

    #[test]
    fn the_usual_place_counts() {
        let elsewhere = V1.replace("/sys/fs/cgroup", "/chroot/sys/fs/cgroup");
        assert_eq!(Host::parse(&format!("{elsewhere}{V1}")).unwrap(), Host::parse(V1).unwrap());
        assert_eq!(Host::parse(&format!("{V1}{elsewhere}")).unwrap(), Host::parse(V1).unwrap());
        let host = Host::parse(&format!("{elsewhere}50 24 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")).unwrap();
        assert_eq!((host.version, host.hierarchies[0].mount.as_path()), (Version::V2, Path::new("/sys/fs/cgroup")));
    }

    #[test]
    fn unified() {
        let host = Host::parse("30 24 0:26 / /sys/fs/cg\\040roup rw - cgroup2 cgroup2 rw,nsdelegate\n").unwrap();
        assert_eq!(host.version, Version::V2);
        assert_eq!(host.hierarchy("memory").unwrap().mount, Path::new("/sys/fs/cg roup"));
    }

    #[test]
    fn none() {
        assert!(Host::parse("24 1 0:22 / /sys rw - sysfs sysfs rw\n").is_err());
    }
}
