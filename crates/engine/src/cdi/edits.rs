//! What a device changes of a container.

use std::path::Path;

use ::oci::runtime::{Device, DeviceRule, Hook as OciHook, Hooks, Mount as OciMount, NetDevice};
use values::{Error, Result};

use super::spec::{DeviceNode, Edits, Hook, Mount};
use crate::oci::devices::node;

/// Hooks that the runtime runs for us, each at its moment before the program begins.
const HOOKS: [&str; 3] = ["prestart", "createRuntime", "createContainer"];
/// Those which come later.
const LATE_HOOKS: [&str; 3] = ["startContainer", "poststart", "poststop"];

/// Is it something that we can carry out? Asked when the file is read.
pub(super) fn check(edits: &Edits) -> Result<(), String> {
    for variable in &edits.env {
        if variable.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            return Err(format!("invalid environment variable {variable:?}"));
        }
    }
    for node in &edits.device_nodes {
        if !node.path.starts_with('/') {
            return Err(format!("invalid device path {:?}", node.path));
        }
        if !matches!(node.kind.as_str(), "" | "b" | "c" | "u" | "p") {
            return Err(format!("device {}: invalid type {:?}", node.path, node.kind));
        }
        if node.permissions.chars().any(|c| !"rwm".contains(c)) {
            return Err(format!("device {}: invalid permissions {:?}", node.path, node.permissions));
        }
    }
    for mount in &edits.mounts {
        if mount.host_path.is_empty() || !mount.container_path.starts_with('/') {
            return Err(format!("invalid mount of {:?} at {:?}", mount.host_path, mount.container_path));
        }
    }
    for device in &edits.net_devices {
        if device.host_interface_name.is_empty() || device.name.is_empty() {
            return Err("invalid network device: hostInterfaceName and name must be set".to_owned());
        }
    }
    for hook in &edits.hooks {
        if !hook.path.starts_with('/') || !HOOKS.iter().chain(&LATE_HOOKS).any(|name| *name == hook.hook_name) {
            return Err(format!("invalid hook {:?} ({:?})", hook.hook_name, hook.path));
        }
    }
    Ok(())
}

/// Carries the edits out on what the runtime will be told.
///
/// # Errors
/// `InvalidArgument` for devices that are not there; `NotImplemented` for edits that this runtime has not.
pub fn apply(edits: &[&Edits], launch: &mut runtime::Launch) -> Result<()> {
    edits.iter().try_for_each(|edits| apply_one(edits, launch))
}

fn apply_one(edits: &Edits, launch: &mut runtime::Launch) -> Result<()> {
    if edits.intel_rdt.is_some() {
        return Err(Error::not_implemented("CDI device injection failed: Intel RDT of CDI devices is not supported"));
    }
    let process = launch.spec.process.get_or_insert_default();
    for variable in &edits.env {
        let name = variable.split('=').next().unwrap_or_default();
        process.env.retain(|known| known.split('=').next() != Some(name));
        process.env.push(variable.clone());
    }
    launch.additional_groups.extend(edits.additional_gids.iter().filter(|gid| **gid != 0).map(u32::to_string));
    launch.spec.mounts.extend(edits.mounts.iter().map(mount));
    for hook in &edits.hooks {
        add_hook(hook, launch.spec.hooks.get_or_insert_default())?;
    }
    let linux = launch.spec.linux.get_or_insert_default();
    for device in &edits.net_devices {
        let inside = NetDevice { name: device.name.clone() };
        linux.net_devices.insert(device.host_interface_name.clone(), inside);
    }
    for wanted in &edits.device_nodes {
        let device = device(wanted)?;
        if device.kind != "p" {
            linux.resources.get_or_insert_default().devices.push(rule(wanted, &device));
        }
        linux.devices.retain(|known| known.path != device.path);
        linux.devices.push(device);
    }
    Ok(())
}

fn mount(mount: &Mount) -> OciMount {
    let is_bind = matches!(mount.kind.as_str(), "" | "bind");
    let mut options = mount.options.clone();
    if is_bind && !options.iter().any(|option| option == "bind" || option == "rbind") {
        options.push("rbind".into());
    }
    OciMount {
        destination: mount.container_path.clone(),
        kind: if is_bind { "bind".into() } else { mount.kind.clone() },
        source: mount.host_path.clone(),
        options,
        ..OciMount::default()
    }
}

fn add_hook(hook: &Hook, hooks: &mut Hooks) -> Result<()> {
    let list = match hook.hook_name.as_str() {
        "prestart" => &mut hooks.prestart,
        "createRuntime" => &mut hooks.create_runtime,
        "createContainer" => &mut hooks.create_container,
        other => {
            return Err(Error::not_implemented(format!(
                "CDI device injection failed: hook {} at {other} is not supported (only {} are)",
                hook.path,
                HOOKS.join(", ")
            )));
        }
    };
    list.push(OciHook {
        path: hook.path.clone(),
        args: hook.args.clone(),
        env: hook.env.clone(),
        timeout: hook.timeout,
    });
    Ok(())
}

/// The node: numbers and mode are the host's where the file says none.
fn device(wanted: &DeviceNode) -> Result<Device> {
    let host = if wanted.host_path.is_empty() { &wanted.path } else { &wanted.host_path };
    let fail = |why: &str| {
        Error::invalid(format!("CDI device injection failed: failed to stat CDI host device {host:?}: {why}"))
    };
    let known = !wanted.kind.is_empty() && (wanted.major != 0 || wanted.kind == "p");
    let found = match std::fs::metadata(Path::new(host)) {
        Ok(metadata) => node(&metadata, &wanted.path),
        Err(_) if known => None,
        Err(e) => return Err(fail(&values::system_words(&e))),
    };
    let found = match found {
        Some(found) => found,
        None if known => Device { path: wanted.path.clone(), ..Device::default() },
        None => return Err(fail("not a device node")),
    };
    let or = |value: i64, other: i64| if value != 0 { value } else { other };
    Ok(Device {
        path: wanted.path.clone(),
        kind: if wanted.kind.is_empty() { found.kind } else { wanted.kind.clone() },
        major: or(wanted.major, found.major),
        minor: or(wanted.minor, found.minor),
        file_mode: wanted.file_mode.or(found.file_mode),
        uid: wanted.uid.or(found.uid),
        gid: wanted.gid.or(found.gid),
    })
}

fn rule(wanted: &DeviceNode, device: &Device) -> DeviceRule {
    DeviceRule {
        allow: true,
        kind: device.kind.clone(),
        major: Some(device.major),
        minor: Some(device.minor),
        access: if wanted.permissions.is_empty() { "rwm".into() } else { wanted.permissions.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(json: &str) -> Result<runtime::Launch, String> {
        let edits: Edits = serde_json::from_str(json).unwrap();
        check(&edits)?;
        let scene = crate::oci::tests::Scene::default();
        let mut launch = crate::oci::launch(&scene.input()).unwrap();
        apply(&[&edits], &mut launch).map_err(|e| e.message)?;
        Ok(launch)
    }

    #[test]
    fn everything() {
        let launch = applied(
            r#"{"env":["PATH=/x","V=1"],"additionalGids":[0,44],
                "deviceNodes":[{"path":"/dev/gpu0","hostPath":"/dev/null","permissions":"rw"},
                    {"path":"/dev/other","type":"c","major":195,"minor":3,"fileMode":438}],
                "mounts":[{"hostPath":"/usr/lib/x.so","containerPath":"/lib/x.so","options":["ro","nosuid"]}],
                "hooks":[{"hookName":"createContainer","path":"/bin/true","args":["true","x"]}]}"#,
        )
        .unwrap();
        let (process, linux) = (launch.spec.process.unwrap(), launch.spec.linux.unwrap());
        assert!(process.env.contains(&"PATH=/x".into()) && process.env.contains(&"V=1".into()));
        assert_eq!(process.env.iter().filter(|v| v.starts_with("PATH=")).count(), 1);
        assert_eq!(launch.additional_groups, ["44"]);
        let node = |path: &str| linux.devices.iter().find(|d| d.path == path).unwrap();
        assert_eq!((node("/dev/gpu0").major, node("/dev/gpu0").minor, node("/dev/gpu0").kind.as_str()), (1, 3, "c"));
        assert_eq!((node("/dev/other").major, node("/dev/other").file_mode), (195, Some(0o666)));
        let rules = linux.resources.unwrap().devices;
        assert_eq!((rules[rules.len() - 2].minor, rules[rules.len() - 2].access.as_str()), (Some(3), "rw"));
        assert_eq!(launch.spec.mounts.last().unwrap().options, ["ro", "nosuid", "rbind"]);
        assert_eq!(launch.spec.hooks.unwrap().create_container[0].args, ["true", "x"]);
    }

    #[test]
    fn refused() {
        for (json, start) in [
            (r#"{"deviceNodes":[{"path":"dev/x"}]}"#, "invalid device path"),
            (r#"{"deviceNodes":[{"path":"/dev/x","type":"z"}]}"#, "device /dev/x: invalid type"),
            (
                r#"{"deviceNodes":[{"path":"/dev/not-there"}]}"#,
                "CDI device injection failed: failed to stat CDI host device",
            ),
            (
                r#"{"deviceNodes":[{"path":"/etc/passwd"}]}"#,
                "CDI device injection failed: failed to stat CDI host device",
            ),
            (r#"{"env":["=x"]}"#, "invalid environment variable"),
            (r#"{"mounts":[{"hostPath":"/x"}]}"#, "invalid mount"),
            (r#"{"hooks":[{"hookName":"never","path":"/x"}]}"#, "invalid hook"),
            (r#"{"hooks":[{"hookName":"poststop","path":"/x"}]}"#, "CDI device injection failed: hook /x at poststop"),
            (r#"{"intelRdt":{}}"#, "CDI device injection failed: Intel RDT"),
            (r#"{"netDevices":[{"hostInterfaceName":"eth7"}]}"#, "invalid network device"),
        ] {
            let message = applied(json).unwrap_err();
            assert!(message.starts_with(start), "{json}: {message}");
        }
    }
}
