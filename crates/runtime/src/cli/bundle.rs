//! A container's bundle, and the state we keep of it: `ROOT/ID/state.json`, and `start`, the FIFO at which it waits.

use std::path::{Path, PathBuf};

use oci::runtime::{Hooks, Process, Spec, State};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};
use sys::stat::Stat;
use values::{RootMount, Timestamp};

use super::{Failure, Global};
use crate::{Launch, Running};

/// What is remembered between commands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) pid: i32,
    /// When the process started, in the kernel's ticks: a number is used again, both together are not.
    pub(super) start_time: u64,
    pub(super) bundle: String,
    pub(super) rootfs: String,
    pub(super) created: String,
    pub(super) cgroup: String,
    /// The specification's, which may name a scope of systemd's.
    pub(super) cgroups_path: String,
    pub(super) process: Process,
    pub(super) hooks: Hooks,
    pub(super) annotations: std::collections::BTreeMap<String, String>,
    /// The container's filter, for execs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seccomp: Option<crate::SeccompProgram>,
    #[serde(default, skip_serializing_if = "crate::resctrl::Groups::is_empty")]
    pub(super) resctrl: crate::resctrl::Groups,
}

/// A container's directory.
#[derive(Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn of(global: &Global, id: &str) -> Self {
        Self(global.root.join(id))
    }

    /// Makes it; taken ids are refused.
    pub(super) fn make(&self, id: &str) -> Result<(), Failure> {
        let parent = self.0.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(|error| format!("mkdir {}: {error}", parent.display()))?;
        std::fs::create_dir(&self.0).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => format!("container with given ID already exists: {id}"),
            _ => format!("mkdir {}: {error}", self.0.display()),
        })
    }

    pub(super) fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }

    pub(super) fn fifo(&self) -> PathBuf {
        self.0.join("start")
    }

    /// The FIFO, made, open for both directions: a read waits for somebody who writes.
    pub(super) fn make_fifo(&self) -> Result<std::os::fd::OwnedFd, Failure> {
        let failed = |errno| format!("mkfifo {}: {errno}", self.fifo().display());
        rustix::fs::mknodat(CWD, self.fifo(), FileType::Fifo, Mode::from_raw_mode(0o600), 0).map_err(failed)?;
        rustix::fs::open(self.fifo(), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)
    }

    pub(super) fn write(&self, record: &Record) -> Result<(), Failure> {
        let text = serde_json::to_vec(record).map_err(|error| error.to_string())?;
        let (new, path) = (self.0.join("state.json.new"), self.0.join("state.json"));
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(|error| format!("write {}: {error}", path.display()))
    }

    pub(super) fn read(&self) -> Result<Record, Failure> {
        let path = self.0.join("state.json");
        let text = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "container does not exist".to_owned(),
            _ => format!("read {}: {error}", path.display()),
        })?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Record {
    pub(super) fn new(
        launch: &Launch,
        bundle: &Path,
        running: &Running,
        seccomp: Option<crate::SeccompProgram>,
    ) -> Self {
        Self {
            id: launch.id.clone(),
            pid: running.pid,
            start_time: sys::stat::birth(running.pid),
            bundle: bundle.to_string_lossy().into_owned(),
            rootfs: match &launch.rootfs {
                RootMount::Directory { path } => path.to_string_lossy().into_owned(),
                RootMount::Overlay { upper, .. } => upper.to_string_lossy().into_owned(),
                RootMount::Stack { .. } => String::new(),
            },
            created: Timestamp::now().to_rfc3339_nano(),
            cgroup: running.cgroup.path().to_owned(),
            cgroups_path: launch.spec.linux.as_ref().map(|linux| linux.cgroups_path.clone()).unwrap_or_default(),
            process: launch.spec.process.clone().unwrap_or_default(),
            hooks: launch.spec.hooks.clone().unwrap_or_default(),
            annotations: launch.spec.annotations.clone(),
            seccomp,
            resctrl: running.resctrl.clone(),
        }
    }

    /// `created`, `running`, `paused` or `stopped`: what the kernel says now.
    pub(super) fn status(&self, home: &Home) -> &'static str {
        match Stat::of(self.pid) {
            Some(stat) if stat.start == self.start_time && !stat.has_ended() => {}
            _ => return "stopped",
        }
        if home.fifo().exists() {
            return "created";
        }
        let frozen = cgroup::Cgroup::open(&self.cgroup).and_then(|group| group.frozen()).unwrap_or(false);
        if frozen { "paused" } else { "running" }
    }

    pub(super) fn state(&self, home: &Home) -> State {
        let status = self.status(home);
        State {
            oci_version: oci::runtime::VERSION.to_owned(),
            id: self.id.clone(),
            status: status.to_owned(),
            pid: if status == "stopped" { 0 } else { self.pid },
            bundle: self.bundle.clone(),
            annotations: self.annotations.clone(),
        }
    }

    /// The living container.
    pub(super) fn open(&self) -> Result<Running, Failure> {
        let running = Running::open(self.pid, &self.cgroup).map_err(|error| error.message)?;
        match Stat::of(self.pid) {
            Some(stat) if stat.start == self.start_time => Ok(running),
            _ => Err("container is not running".to_owned()),
        }
    }
}

/// Reads a bundle's configuration: an absolute bundle path and what to launch.
pub(super) fn load(id: &str, bundle: Option<&str>, systemd: bool) -> Result<(PathBuf, Launch), Failure> {
    let bundle = std::path::absolute(bundle.unwrap_or(".")).map_err(|error| error.to_string())?;
    let path = bundle.join("config.json");
    let text = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("JSON specification file {} not found", path.display()),
        _ => format!("read {}: {error}", path.display()),
    })?;
    let mut spec: Spec = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    check(&spec)?;
    if let Some(linux) = spec.linux.as_ref().filter(|linux| systemd && !linux.cgroups_path.is_empty()) {
        // As runc: no path can be meant then.
        if linux.cgroups_path.matches(':').count() != 2 {
            let path = &linux.cgroups_path;
            return Err(format!(
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {path:?} instead"
            ));
        }
    }
    let root = spec.root.as_ref().map(|root| bundle.join(&root.path)).ok_or("root must be specified")?;
    let root = root.canonicalize().map_err(|error| format!("invalid rootfs: stat {}: {error}", root.display()))?;
    for mount in &mut spec.mounts {
        let is_bind = mount.kind == "bind" || mount.options.iter().any(|option| option == "bind" || option == "rbind");
        if is_bind && !mount.source.starts_with('/') {
            mount.source = bundle.join(&mount.source).to_string_lossy().into_owned();
        }
    }
    if let Some(linux) = spec.linux.as_mut().filter(|linux| linux.cgroups_path.is_empty()) {
        linux.cgroups_path = if systemd { format!("system.slice:lighter:{id}") } else { format!("/{id}") };
    }
    let launch = Launch {
        id: id.to_owned(),
        spec,
        rootfs: RootMount::Directory { path: root },
        seccomp: None,
        init: false,
        user: None,
        additional_groups: Vec::new(),
        map_root: false,
        sources: Vec::new(),
        bundle: None,
    };
    Ok((bundle, launch))
}

fn check(spec: &Spec) -> Result<(), Failure> {
    if !is_version_one(&spec.oci_version) {
        return Err(format!("unsupported ociVersion {:?}: 1.x.y is needed", spec.oci_version));
    }
    if spec.linux.is_none() {
        return Err("the configuration has no linux section".to_owned());
    }
    let Some(process) = &spec.process else { return Err("process property must not be empty".to_owned()) };
    if process.cwd.is_empty() {
        return Err("process.cwd must be an absolute path".to_owned());
    }
    if spec.annotations.contains_key("") {
        return Err("annotations: a key must not be empty".to_owned());
    }
    Ok(())
}

/// SemVer 2.0.0 with major version 1; what follows a `-` or `+` does not matter.
fn is_version_one(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.len() == 3 && numbers[0] == "1" && numbers.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::is_version_one;

    #[test]
    fn versions() {
        for (text, expected) in
            [("1.0.2", true), ("1.2.1", true), ("1.3.0-dev", true), ("1.0.0-rc5+x", true), ("2.0.0", false)]
        {
            assert_eq!(is_version_one(text), expected, "{text}");
        }
        for text in ["", "1", "1.0", "1.x.0", "x", "1.0.0.0", "v1.0.0"] {
            assert!(!is_version_one(text), "{text}");
        }
    }
}
