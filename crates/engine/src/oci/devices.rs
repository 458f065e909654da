//! Device nodes in the container and the rules of its device controller.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use api::types::{DeviceMapping, HostConfig};
use oci::runtime::{Device, DeviceRule};
use values::{Error, Result, system_words};

use super::Input;
use crate::container::mounts::clean;

/// Directories of the host's `/dev` that are file systems of their own, or other containers'.
const SKIPPED: [&str; 7] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"];
/// The container's own: its console is its terminal, its ptmx that of its own devpts.
const OWN: [&str; 2] = ["console", "ptmx"];
/// Everything that a rule can allow.
const ALL_ACCESS: &str = "rwm";

/// The nodes to be made, beyond those which every container has.
///
/// # Errors
/// `InvalidArgument` in Docker's words for a `--device` that is none.
pub fn devices(input: &Input<'_>) -> Result<Vec<Device>> {
    let mut list = runtime::default_devices();
    if input.host.privileged {
        collect(Path::new("/dev"), "/dev", true, &mut list);
    }
    for mapping in input.host.resources.devices.iter().flatten() {
        let inside = inside(mapping);
        if !(input.host.privileged && inside == mapping.path_on_host) {
            list.extend(mapped(mapping)?);
        }
    }
    // the last one of a path counts
    let mut seen = std::collections::BTreeSet::new();
    let mut unique: Vec<Device> = list.into_iter().rev().filter(|d| seen.insert(d.path.clone())).collect();
    unique.reverse();
    Ok(unique)
}

/// The controller's rules; the last that fits decides.
///
/// # Errors
/// As [`devices`], and for a malformed `--device-cgroup-rule`.
pub fn rules(input: &Input<'_>) -> Result<Vec<DeviceRule>> {
    if input.host.privileged {
        return Ok(vec![DeviceRule { allow: true, access: ALL_ACCESS.into(), ..DeviceRule::default() }]);
    }
    let mut list = runtime::device_rules();
    for mapping in input.host.resources.devices.iter().flatten() {
        let access = if mapping.cgroup_permissions.is_empty() { ALL_ACCESS } else { &mapping.cgroup_permissions };
        list.extend(mapped(mapping)?.into_iter().map(|device| DeviceRule {
            allow: true,
            kind: device.kind,
            major: Some(device.major),
            minor: Some(device.minor),
            access: access.to_owned(),
        }));
    }
    for rule in input.host.resources.device_cgroup_rules.iter().flatten() {
        list.push(parse_rule(rule)?);
    }
    Ok(list)
}

/// Checks the forms of `--device` and `--device-cgroup-rule`; that a device exists is asked at the start.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn check(host: &HostConfig) -> Result<()> {
    for mapping in host.resources.devices.iter().flatten() {
        let letters = &mapping.cgroup_permissions;
        let good = letters.chars().all(|c| ALL_ACCESS.contains(c)) && letters.len() <= ALL_ACCESS.len();
        if !good {
            return Err(Error::invalid(format!("invalid device mode: {letters}")));
        }
        if !mapping.path_on_host.starts_with('/') || !inside(mapping).starts_with('/') {
            return Err(Error::invalid(format!("{} is not an absolute path", mapping.path_on_host)));
        }
    }
    host.resources.device_cgroup_rules.iter().flatten().try_for_each(|rule| parse_rule(rule).map(drop))
}

/// `c 42:* rwm`.
fn parse_rule(text: &str) -> Result<DeviceRule> {
    let bad = || Error::invalid(format!("invalid device cgroup rule format: '{text}'"));
    let [kind, numbers, access] = text.split(' ').collect::<Vec<_>>()[..] else { return Err(bad()) };
    let number = |text: &str| match text {
        "*" => Ok(None),
        _ if text.chars().all(|c| c.is_ascii_digit()) => text.parse().map(Some).map_err(|_| bad()),
        _ => Err(bad()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(bad)?;
    let letters = (1..=3).contains(&access.len()) && access.chars().all(|c| ALL_ACCESS.contains(c));
    if !matches!(kind, "a" | "b" | "c") || !letters {
        return Err(bad());
    }
    let (kind, access) = (kind.to_owned(), access.to_owned());
    Ok(DeviceRule { allow: true, kind, major: number(major)?, minor: number(minor)?, access })
}

fn inside(mapping: &DeviceMapping) -> &str {
    if mapping.path_in_container.is_empty() { &mapping.path_on_host } else { &mapping.path_in_container }
}

/// The device of a mapping, or all devices below it when it is a directory.
fn mapped(mapping: &DeviceMapping) -> Result<Vec<Device>> {
    let fail = |why: &str| {
        Error::invalid(format!(
            "error gathering device information while adding custom device \"{}\": {why}",
            mapping.path_on_host
        ))
    };
    let inside = clean(inside(mapping));
    let path = Path::new(&mapping.path_on_host);
    let metadata = fs::metadata(path).map_err(|e| fail(&system_words(&e)))?;
    if let Some(device) = node(&metadata, &inside) {
        return Ok(vec![device]);
    }
    let mut list = Vec::new();
    if metadata.is_dir() {
        collect(path, &inside, false, &mut list);
    }
    if list.is_empty() { Err(fail("not a device node")) } else { Ok(list) }
}

/// Devices below a directory; what vanishes meanwhile or cannot be read is left out.
fn collect(directory: &Path, inside: &str, is_dev: bool, list: &mut Vec<Device>) {
    let mut entries: Vec<_> = fs::read_dir(directory).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // links are not followed: /dev/stdin and its like are made by the runtime
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
        let inside = format!("{}/{name}", inside.trim_end_matches('/'));
        if metadata.is_dir() {
            if !SKIPPED.contains(&name) {
                collect(&entry.path(), &inside, false, list);
            }
        } else if !(is_dev && OWN.contains(&name)) {
            list.extend(node(&metadata, &inside));
        }
    }
}

/// The device node that `metadata` is of, to be made at `path`; None for anything else.
pub fn node(metadata: &Metadata, path: &str) -> Option<Device> {
    let kind = match metadata.file_type() {
        t if t.is_char_device() => "c",
        t if t.is_block_device() => "b",
        _ => return None,
    };
    let number = metadata.rdev();
    Some(Device {
        kind: kind.into(),
        path: path.into(),
        major: i64::from(rustix::fs::major(number)),
        minor: i64::from(rustix::fs::minor(number)),
        file_mode: Some(metadata.permissions().mode() & 0o777),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
    })
}

/// Major and minor number of a device node.
///
/// # Errors
/// `InvalidArgument` naming the path.
pub fn numbers(path: &str) -> Result<(i64, i64)> {
    let metadata = fs::metadata(path).map_err(|e| Error::invalid(format!("stat {path}: {}", system_words(&e))))?;
    let device = node(&metadata, path).ok_or_else(|| Error::invalid(format!("stat {path}: not a device node")))?;
    Ok((device.major, device.minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::tests::Scene;

    fn mapping(host: &str, inside: &str, access: &str) -> DeviceMapping {
        DeviceMapping { path_on_host: host.into(), path_in_container: inside.into(), cgroup_permissions: access.into() }
    }

    #[test]
    fn rule_texts() {
        let check = |text: &str, expected: Option<(&str, Option<i64>, Option<i64>, &str)>| {
            let got = parse_rule(text);
            let got = got.as_ref().map(|r| (r.kind.as_str(), r.major, r.minor, r.access.as_str()));
            let expected = expected.ok_or_else(|| format!("invalid device cgroup rule format: '{text}'"));
            assert_eq!(got.map_err(|e| e.message.clone()), expected);
        };
        check("c 42:* rwm", Some(("c", Some(42), None, "rwm")));
        check("a *:* r", Some(("a", None, None, "r")));
        check("b 8:0 rw", Some(("b", Some(8), Some(0), "rw")));
        for bad in ["", "c 1:3", "x 1:3 r", "c 1 r", "c 1:-3 r", "c 1:3 rwx", "c 1:3 ", "c  1:3 r", "c 1:+3 r"] {
            check(bad, None);
        }
    }

    #[test]
    fn one_device() {
        let mut scene = Scene::default();
        scene.host.resources.devices = Some(vec![mapping("/dev/null", "/dev/nothing", "r")]);
        let list = devices(&scene.input()).unwrap();
        let node = list.iter().find(|d| d.path == "/dev/nothing").unwrap();
        assert_eq!((node.kind.as_str(), node.major, node.minor, node.file_mode), ("c", 1, 3, Some(0o666)));
        let rules = rules(&scene.input()).unwrap();
        let rule = rules.last().unwrap();
        assert_eq!((rule.major, rule.minor, rule.access.as_str()), (Some(1), Some(3), "r"));
    }

    #[test]
    fn refused() {
        let check = |path: &str, why: &str| {
            let mut scene = Scene::default();
            scene.host.resources.devices = Some(vec![mapping(path, "", "")]);
            assert_eq!(
                devices(&scene.input()).unwrap_err().message,
                format!("error gathering device information while adding custom device \"{path}\": {why}")
            );
        };
        check("/dev/not-there", "no such file or directory");
        check("/etc/passwd", "not a device node");
        check("/etc/profile.d", "not a device node");
        let host = |m| HostConfig {
            resources: api::types::Resources { devices: Some(vec![m]), ..Default::default() },
            ..HostConfig::default()
        };
        assert!(super::check(&host(mapping("/dev/null", "", "rx"))).is_err());
        assert!(super::check(&host(mapping("null", "", "r"))).is_err());
    }

    #[test]
    fn privileged() {
        let mut scene = Scene::default();
        scene.host.privileged = true;
        scene.host.resources.devices =
            Some(vec![mapping("/dev/null", "/dev/null", ""), mapping("/dev/zero", "/dev/x", "")]);
        let list = devices(&scene.input()).unwrap();
        assert!(list.iter().any(|d| d.path == "/dev/x") && list.iter().any(|d| d.path == "/dev/null"));
        assert!(
            !list.iter().any(|d| d.path.starts_with("/dev/pts/") || ["/dev/console", "/dev/ptmx"].contains(&&*d.path))
        );
        assert_eq!(list.iter().filter(|d| d.path == "/dev/null").count(), 1);
        let rules = rules(&scene.input()).unwrap();
        assert!(rules.len() == 1 && rules[0].allow && rules[0].major.is_none());
    }
}
