//! `features`: what this runtime can do, as the specification's `features.md` has it.

use serde_json::json;

use super::arguments::Arguments;
use super::{Global, Outcome};

pub(super) fn features(_: &Global, _: &Arguments) -> Outcome {
    let document = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": oci::runtime::VERSION,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": crate::mount_options::known(),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": crate::all_capabilities(),
            "cgroup": {"v1": true, "v2": true, "systemd": true, "systemdUser": false, "rdma": true},
            "seccomp": {
                "enabled": true,
                "actions": crate::seccomp::ACTIONS,
                "operators": crate::seccomp::OPERATORS,
                "archs": crate::seccomp::architectures(),
                "knownFlags": crate::seccomp::FLAGS,
                "supportedFlags": crate::seccomp::FLAGS,
            },
            "apparmor": {"enabled": true},
            "selinux": {"enabled": true},
            "intelRdt": {"enabled": true, "schemata": true, "monitoring": true},
            "memoryPolicy": {
                "modes": crate::memory_policy::MODES,
                "flags": crate::memory_policy::FLAGS.map(|(name, _)| name),
            },
            "netDevices": {"enabled": true},
            "mountExtensions": {"idmap": {"enabled": true}},
        },
        "annotations": {},
        "potentiallyUnsafeConfigAnnotations": [],
    });
    super::log::say(&serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?);
    Ok(0)
}
