//! Where containers' control groups are: below a directory (cgroupfs), or as scopes of systemd in a slice.

use cgroup::systemd::{self, Scope};
use values::{Error, Id, Result};

use crate::config::Config;

/// Who manages control groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// We, in the control groups' file system.
    #[default]
    Cgroupfs,
    /// systemd, which is told of each group.
    Systemd,
}

impl Driver {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd => "systemd",
        }
    }

    /// What Docker takes when nobody says: systemd on cgroup v2 where it runs.
    pub fn usual() -> Self {
        let is_v2 = cgroup::Host::detect().is_ok_and(|host| host.version == cgroup::Version::V2);
        if is_v2 && systemd::is_running() { Self::Systemd } else { Self::Cgroupfs }
    }

    /// Where containers go when nobody says.
    pub fn default_parent(self, instance: &str) -> String {
        match self {
            Self::Cgroupfs => format!("/{}", prefix(instance)),
            Self::Systemd => "system.slice".into(),
        }
    }
}

/// This daemon's name among control groups and units.
pub fn prefix(instance: &str) -> String {
    if instance.is_empty() { "lighter".into() } else { format!("lighter-{instance}") }
}

/// The control group of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As the runtime is told: a path, or `SLICE:PREFIX:NAME`.
    pub told: String,
    /// Below the root of each hierarchy.
    pub path: String,
}

impl Place {
    /// The scope, where systemd manages it.
    pub fn scope(&self) -> Option<Scope> {
        if self.told.starts_with('/') { None } else { Scope::parse(&self.told).ok() }
    }
}

/// Checks `--cgroup-parent`.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn check_parent(driver: Driver, parent: &str) -> Result<()> {
    let levels = parent.trim_matches('/').split('/');
    match driver {
        _ if parent.is_empty() => Ok(()),
        Driver::Systemd => systemd::slice_path(parent).map(drop),
        Driver::Cgroupfs if levels.clone().all(|level| !matches!(level, "" | "." | "..")) => Ok(()),
        Driver::Cgroupfs => Err(Error::invalid(format!(
            "invalid cgroup parent {parent:?}: it must be a path below the cgroup root without '.' and '..'"
        ))),
    }
}

/// Checks the daemon's own driver and parent.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `Unavailable` without systemd.
pub fn check_daemon(driver: Driver, parent: &str) -> Result<()> {
    if driver == Driver::Systemd && !systemd::is_running() {
        return Err(Error::unavailable(
            "native.cgroupdriver=systemd: systemd does not run on this machine (use native.cgroupdriver=cgroupfs)",
        ));
    }
    check_parent(driver, parent)
}

/// The group of container `id`; an empty `parent` is the daemon's.
pub fn place(config: &Config, parent: &str, id: &Id) -> Place {
    let parent = if parent.is_empty() { &config.cgroup_parent } else { parent };
    match config.cgroup_driver {
        Driver::Cgroupfs => {
            let path = format!("/{}/{id}", parent.trim_matches('/'));
            Place { told: path.clone(), path }
        }
        Driver::Systemd => {
            let told = format!("{parent}:{}:{id}", prefix(&config.instance));
            // a parent that was never checked is refused by the runtime, and has no group
            let path = Scope::parse(&told).map_or_else(|_| format!("/{id}"), |scope| scope.path);
            Place { told, path }
        }
    }
}

/// Groups of containers that lie below the daemon's own parent: container and path.
pub fn in_own_parent(config: &Config) -> Vec<(Id, String)> {
    let (parent, before, after) = match config.cgroup_driver {
        Driver::Cgroupfs => (format!("/{}", config.cgroup_parent.trim_matches('/')), String::new(), ""),
        Driver::Systemd => {
            let slice = systemd::slice_path(&config.cgroup_parent).unwrap_or_default();
            (slice, format!("{}-", prefix(&config.instance)), ".scope")
        }
    };
    let own = |name: String| {
        let id = Id::parse(name.strip_prefix(before.as_str())?.strip_suffix(after)?)?;
        Some((id, format!("{parent}/{name}")))
    };
    cgroup::children(&parent).into_iter().filter_map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents() {
        for (driver, parent, good) in [
            (Driver::Cgroupfs, "", true),
            (Driver::Cgroupfs, "/a/b", true),
            (Driver::Cgroupfs, "foo.slice", true),
            (Driver::Cgroupfs, "foo:bar", true),
            (Driver::Cgroupfs, "/a/../b", false),
            (Driver::Cgroupfs, "/", false),
            (Driver::Systemd, "user-lighter.slice", true),
            (Driver::Systemd, "/a", false),
        ] {
            assert_eq!(check_parent(driver, parent).is_ok(), good, "{parent}");
        }
        assert_eq!(
            check_parent(Driver::Systemd, "x").unwrap_err().message,
            "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\""
        );
    }

    #[test]
    fn places() {
        let id = Id::random();
        let mut config = crate::system::tests::config();
        let check = |config: &Config, parent: &str, told: String, path: String| {
            assert_eq!(place(config, parent, &id), Place { told, path });
        };
        check(&config, "", format!("/lighter/{id}"), format!("/lighter/{id}"));
        check(&config, "a/b/", format!("/a/b/{id}"), format!("/a/b/{id}"));
        config.cgroup_driver = Driver::Systemd;
        config.cgroup_parent = Driver::Systemd.default_parent("");
        check(&config, "", format!("system.slice:lighter:{id}"), format!("/system.slice/lighter-{id}.scope"));
        config.instance = "7".into();
        check(
            &config,
            "a-b.slice",
            format!("a-b.slice:lighter-7:{id}"),
            format!("/a.slice/a-b.slice/lighter-7-{id}.scope"),
        );
    }
}
