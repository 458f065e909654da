use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci::runtime::Resources;
use rustix::fs::{Mode, OFlags};
use values::{Error, Result, ResultExt};

use crate::{Host, Version, Write, devices, plan};

/// The v1 hierarchies which every container joins: what `stats`, `pause` and the limits need. Further ones
/// are joined only when a limit is set there.
const V1_ALWAYS: &[&str] = &["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];
/// The v2 controllers which every container has.
const V2_ALWAYS: &[&str] = &["cpu", "memory", "pids", "io"];

/// A container's control group: a directory in each hierarchy joined (one on v2).
#[derive(Debug, Clone)]
pub struct Cgroup {
    path: String,
    version: Version,
    directories: Vec<Directory>,
}

/// The group in one hierarchy.
#[derive(Debug, Clone)]
struct Directory {
    controllers: Vec<String>,
    mount: PathBuf,
    path: PathBuf,
}

/// How a hierarchy is shown in a container's `/sys/fs/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The mount point's name, `cpu,cpuacct`.
    pub name: String,
    /// Further names for it, `cpu` and `cpuacct`.
    pub aliases: Vec<String>,
    /// The container's own group on the host.
    pub path: PathBuf,
}

impl Cgroup {
    /// Makes the group `path` (absolute, below each hierarchy's root: `/lighter/ID`) with these limits.
    /// Fails with nothing left behind but parents.
    pub fn create(path: &str, resources: &Resources) -> Result<Self> {
        Self::create_on(&Host::detect()?, path, resources)
    }

    /// [`Cgroup::create`] on a host already looked at.
    pub fn create_on(host: &Host, path: &str, resources: &Resources) -> Result<Self> {
        let writes = plan(host.version, resources)?;
        let group = Self::on(host, path, &writes)?;
        match group.make(&writes, resources) {
            Ok(()) => Ok(group),
            Err(error) => {
                // The first error is the one to tell.
                let _ = group.remove();
                Err(error)
            }
        }
    }

    /// A group that exists already (in at least one hierarchy).
    pub fn open(path: &str) -> Result<Self> {
        Self::open_on(&Host::detect()?, path)
    }

    /// [`Cgroup::open`] on a host already looked at.
    pub fn open_on(host: &Host, path: &str) -> Result<Self> {
        let mut group = Self::on(host, path, &[])?;
        group.directories.retain(|directory| directory.path.is_dir());
        if group.directories.is_empty() {
            return Err(Error::not_found(format!("control group {path} does not exist")));
        }
        Ok(group)
    }

    fn on(host: &Host, path: &str, writes: &[Write]) -> Result<Self> {
        let inside = inside(path)?;
        let wanted = |controllers: &[String]| {
            host.version == Version::V2
                || controllers.iter().any(|name| {
                    V1_ALWAYS.contains(&name.as_str()) || writes.iter().any(|write| write.controller == *name)
                })
        };
        let directories = host
            .hierarchies
            .iter()
            .filter(|hierarchy| wanted(&hierarchy.controllers))
            .map(|hierarchy| Directory {
                controllers: hierarchy.controllers.clone(),
                mount: hierarchy.mount.clone(),
                path: hierarchy.mount.join(inside),
            })
            .collect();
        Ok(Self { path: path.to_owned(), version: host.version, directories })
    }

    /// Of the hierarchies that a group with these limits is in.
    pub(crate) fn mounts(host: &Host, path: &str, resources: &Resources) -> Result<Vec<PathBuf>> {
        let group = Self::on(host, path, &plan(host.version, resources)?)?;
        Ok(group.directories.into_iter().map(|directory| directory.mount).collect())
    }

    fn make(&self, writes: &[Write], resources: &Resources) -> Result<()> {
        for directory in &self.directories {
            self.make_directory(directory, writes)?;
        }
        for write in writes {
            self.write(write)?;
        }
        if self.version == Version::V2 && !resources.devices.is_empty() {
            self.attach_devices(resources)?;
        }
        Ok(())
    }

    fn make_directory(&self, directory: &Directory, writes: &[Write]) -> Result<()> {
        // Most often the parents are there and, on v1, need nothing.
        let made = self.version == Version::V1 && std::fs::create_dir(&directory.path).is_ok();
        if !made {
            self.make_parents(directory, writes)?;
            make_leaf(directory)?;
        }
        if directory.has("cpuset") && self.version == Version::V1 {
            fill_cpuset(&directory.path)?;
        }
        Ok(())
    }

    fn make_parents(&self, directory: &Directory, writes: &[Write]) -> Result<()> {
        let below = directory.path.strip_prefix(&directory.mount).unwrap_or(Path::new(""));
        let mut current = directory.mount.clone();
        for name in below.parent().into_iter().flat_map(Path::components) {
            self.prepare_parent(directory, &current, writes)?;
            current.push(name);
            match std::fs::create_dir(&current) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => other.during(|| format!("create control group {}", current.display()))?,
            }
        }
        self.prepare_parent(directory, &current, writes)
    }

    /// Makes a group fit to have children: cpusets filled on v1, controllers passed on on v2.
    fn prepare_parent(&self, directory: &Directory, parent: &Path, writes: &[Write]) -> Result<()> {
        match self.version {
            Version::V1 if directory.has("cpuset") && parent != directory.mount => fill_cpuset(parent),
            Version::V1 => Ok(()),
            Version::V2 => enable_controllers(parent, writes),
        }
    }

    fn write(&self, write: &Write) -> Result<()> {
        let Some(directory) = self.directory(&write.controller) else {
            return Err(Error::unavailable(format!(
                "cannot set {} to {:?}: the {} controller is not available",
                write.file, write.value, write.controller
            )));
        };
        let path = directory.join(&write.file);
        let mut result = put(&path, &write.value);
        if let (Err(error), Some(other)) = (&result, &write.fallback)
            && error.kind() == ErrorKind::NotFound
        {
            result = put(&directory.join(other), &write.value);
        }
        result.map_err(|error| {
            let why = values::system_words(&error);
            let what = format!("failed to write {:?}: write {}: {why}", write.value, path.display());
            match error.kind() {
                ErrorKind::InvalidInput | ErrorKind::ResourceBusy => Error::invalid(what),
                _ => Error::internal(what),
            }
        })
    }

    fn attach_devices(&self, resources: &Resources) -> Result<()> {
        let Some(group) = self.clone_into()? else { return Ok(()) };
        let code = devices::program(&resources.devices)?;
        let program = sys::bpf::load_device_program(&code)
            .map_err(|error| Error::internal(format!("load the device rules (bpf): {error}")))?;
        sys::bpf::attach_device_program(std::os::fd::AsFd::as_fd(&group), std::os::fd::AsFd::as_fd(&program))
            .map_err(|error| Error::internal(format!("attach the device rules (bpf): {error}")))
    }

    /// Changes limits of a living group. Device rules are not touched.
    pub fn update(&self, resources: &Resources) -> Result<()> {
        self.check_memory(resources)?;
        let resources = Resources { devices: Vec::new(), ..resources.clone() };
        self.write_all(plan(self.version, &resources)?)
    }

    /// v2 takes a limit below what is used, and kills; `checkBeforeUpdate` has it refused, as v1 does.
    fn check_memory(&self, resources: &Resources) -> Result<()> {
        let memory = resources.memory.as_ref().filter(|memory| memory.check_before_update == Some(true));
        let Some(limit) = memory.and_then(|memory| memory.limit).and_then(|limit| u64::try_from(limit).ok()) else {
            return Ok(());
        };
        let used = self.usage()?.memory.current;
        if limit == 0 || used <= limit {
            return Ok(());
        }
        Err(Error::invalid(format!("unable to set memory limit to {limit} (current usage: {used})")))
    }

    /// Changes what differs between two sets of limits, `before` being what the group has. All or nothing: when the kernel
    /// refuses one value, those written before it are taken back.
    pub fn change(&self, before: &Resources, after: &Resources) -> Result<()> {
        let known = plan(self.version, before)?;
        let writes = plan(self.version, after)?.into_iter().filter(|write| !known.contains(write));
        self.write_all(writes.collect())
    }

    fn write_all(&self, mut writes: Vec<Write>) -> Result<()> {
        self.order_memory(&mut writes);
        let mut undo: Vec<Write> = Vec::with_capacity(writes.len());
        for write in writes {
            let before = self.value_of(&write);
            if let Err(error) = self.write(&write) {
                // The first error is the one to tell.
                undo.iter().rev().for_each(|write| drop(self.write(write)));
                return Err(error);
            }
            undo.extend(before.map(|value| Write { value, ..write }));
        }
        Ok(())
    }

    /// What a file holds, in the form in which it can be written back.
    fn value_of(&self, write: &Write) -> Option<String> {
        let directory = self.directory(&write.controller)?;
        let read = |file: &str| std::fs::read_to_string(directory.join(file)).ok();
        let text = read(&write.file).or_else(|| read(write.fallback.as_deref()?))?;
        let text = text.trim();
        // nothing at all is not written
        Some(if text.is_empty() { "\n".to_owned() } else { text.to_owned() })
    }

    /// v1 refuses a limit on memory above the one on the sum: when growing, the sum goes first.
    fn order_memory(&self, writes: &mut [Write]) {
        const SUM: &str = "memory.memsw.limit_in_bytes";
        let position = |name: &str| writes.iter().position(|write| write.file == name);
        let (Some(limit), Some(sum)) = (position("memory.limit_in_bytes"), position(SUM)) else { return };
        let bytes = |text: &str| text.trim().parse::<i64>().ok().filter(|value| *value >= 0).unwrap_or(i64::MAX);
        let now = self.read("memory", SUM).map_or(i64::MAX, |text| bytes(&text));
        if bytes(&writes[sum].value) > now {
            writes.swap(limit, sum);
        }
    }

    /// The path given to [`Cgroup::create`].
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// On v2 the directory to be born in (`CLONE_INTO_CGROUP`), which costs nothing; None on v1, where the
    /// process moves itself in through [`Cgroup::doors`].
    pub fn clone_into(&self) -> Result<Option<OwnedFd>> {
        let (Version::V2, Some(directory)) = (self.version, self.directories.first()) else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&directory.path, flags, Mode::empty())
            .map_err(|error| Error::internal(format!("open {}: {error}", directory.path.display())))?;
        Ok(Some(fd))
    }

    /// v1: a process of one thread that writes `0` to each of these files has moved itself in. None on v2.
    ///
    /// Moved by somebody else (`cgroup.procs`), it would take a lock that all forks share, and the first taker after a pause
    /// waits 5–10 ms for an RCU grace period. A thread that moves itself needs no lock (Linux 5.5, `cgroup_procs_write_start`).
    pub fn doors(&self) -> Result<Vec<(PathBuf, OwnedFd)>> {
        if self.version == Version::V2 {
            return Ok(Vec::new());
        }
        let door = |directory: &Directory| {
            let path = directory.path.join("tasks");
            let fd = rustix::fs::open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
                Error::internal(format!("open {}: {}", path.display(), values::system_words(&error)))
            })?;
            Ok((path, fd))
        };
        self.directories.iter().map(door).collect()
    }

    /// The processes in the group and below it, in our pid namespace, sorted.
    pub fn pids(&self) -> Result<Vec<i32>> {
        let Some(directory) = self.directory("pids").or(self.directories.first().map(|one| one.path.as_path())) else {
            return Ok(Vec::new());
        };
        let mut pids = Vec::new();
        collect_pids(directory, &mut pids)?;
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// The text of one of the group's files: `read("memory", "memory.limit_in_bytes")`.
    pub fn read(&self, controller: &str, file: &str) -> Result<String> {
        let directory = self
            .directory(controller)
            .ok_or_else(|| Error::unavailable(format!("the {controller} controller is not available")))?;
        let path = directory.join(file);
        std::fs::read_to_string(&path).during(|| format!("read {}", path.display()))
    }

    /// Highest memory use so far, bytes.
    pub fn memory_peak(&self) -> Result<u64> {
        let file = match self.version {
            Version::V1 => "memory.max_usage_in_bytes",
            Version::V2 => "memory.peak",
        };
        let text = self.read("memory", file)?;
        text.trim().parse().map_err(|_| Error::internal(format!("{file} says {text:?}")))
    }

    /// What a container sees of v1's hierarchies.
    pub fn views(&self) -> Vec<View> {
        let name = |directory: &Directory| {
            directory.mount.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        self.directories
            .iter()
            .map(|directory| {
                let name = name(directory);
                let aliases = directory.controllers.iter().filter(|one| **one != name).cloned().collect();
                View { name, aliases, path: directory.path.clone() }
            })
            .collect()
    }

    /// The group's directory where this controller is; on v2 the only one.
    pub(crate) fn directory(&self, controller: &str) -> Option<&Path> {
        let found = match self.version {
            Version::V1 => self.directories.iter().find(|directory| directory.has(controller)),
            Version::V2 => self.directories.first(),
        };
        found.map(|directory| directory.path.as_path())
    }

    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().map(|directory| directory.path.as_path())
    }
}

impl Directory {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

fn make_leaf(directory: &Directory) -> Result<()> {
    let path = &directory.path;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = read_pids(path)?.len();
            if found > 0 {
                return Err(Error::conflict(format!(
                    "container's cgroup is not empty: {found} process(es) found in {}",
                    path.display()
                )));
            }
            // A leftover of a crash: its limits must not shine through.
            crate::remove::tree(path)?;
            std::fs::create_dir(path).during(|| format!("create control group {}", path.display()))
        }
        other => other.during(|| format!("create control group {}", path.display())),
    }
}

/// The path without its leading slash; only plain names in it.
pub(crate) fn inside(path: &str) -> Result<&Path> {
    let inside = Path::new(path.trim_start_matches('/'));
    let plain = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !plain || inside.as_os_str().is_empty() {
        return Err(Error::invalid(format!("control group path {path:?} must be an absolute path without `..`")));
    }
    Ok(inside)
}

/// Writes to a control file; unlike `fs::write` it neither creates nor truncates.
pub(crate) fn put(path: &Path, value: &str) -> std::io::Result<()> {
    let fd = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&fd, value.as_bytes())?;
    Ok(())
}

/// v1: a group without processors and memory nodes takes no process; empty ones are copied from the parent, and children
/// are to copy by themselves.
fn fill_cpuset(group: &Path) -> Result<()> {
    let get = |path: &Path| std::fs::read_to_string(path).during(|| format!("read {}", path.display()));
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = group.join(file);
        if !get(&own)?.trim().is_empty() {
            continue;
        }
        let parent = group.parent().unwrap_or(group).join(file);
        put(&own, get(&parent)?.trim()).during(|| format!("write {}", own.display()))?;
    }
    Ok(())
}

/// v2: passes the controllers that exist in `parent` and are wanted on to its children.
fn enable_controllers(parent: &Path, writes: &[Write]) -> Result<()> {
    let get = |file: &str| {
        std::fs::read_to_string(parent.join(file)).during(|| format!("read {}", parent.join(file).display()))
    };
    let available = get("cgroup.controllers")?;
    let enabled = get("cgroup.subtree_control")?;
    let has = |list: &str, name: &str| list.split_whitespace().any(|one| one == name);
    let needed = writes.iter().map(|write| write.controller.as_str());
    for name in V2_ALWAYS.iter().copied().chain(needed) {
        if has(&available, name) && !has(&enabled, name) {
            let file = parent.join("cgroup.subtree_control");
            put(&file, &format!("+{name}")).during(|| format!("enable the {name} controller in {}", file.display()))?;
        }
    }
    Ok(())
}

fn read_pids(group: &Path) -> Result<Vec<i32>> {
    let file = group.join("cgroup.procs");
    let text = match std::fs::read_to_string(&file) {
        // Gone meanwhile: nobody is in it.
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(19) => return Ok(Vec::new()),
        other => other.during(|| format!("read {}", file.display()))?,
    };
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

fn collect_pids(group: &Path, pids: &mut Vec<i32>) -> Result<()> {
    pids.extend(read_pids(group)?);
    let Ok(entries) = std::fs::read_dir(group) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_pids(&entry.path(), pids)?;
        }
    }
    Ok(())
}
