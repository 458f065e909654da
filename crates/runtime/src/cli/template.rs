//! `spec`: a configuration to begin with.

use std::path::Path;

use oci::runtime::{
    Capabilities, DeviceRule, Linux, Mount, Namespace, NamespaceKind, Process, Resources, Rlimit, Root, Spec,
};

use super::arguments::{Arguments, Flag};
use super::{Global, Outcome};

pub(super) const FLAGS: &[Flag] = &[Flag::text("bundle", "b")];

pub(super) fn spec(_: &Global, arguments: &Arguments) -> Outcome {
    let path = Path::new(arguments.text("bundle").unwrap_or(".")).join("config.json");
    if path.exists() {
        return Err(format!("file {} exists. Remove it first", path.display()));
    }
    let text = serde_json::to_string_pretty(&template()).map_err(|error| error.to_string())?;
    std::fs::write(&path, text + "\n").map_err(|error| format!("write {}: {error}", path.display()))?;
    Ok(0)
}

/// A shell in a read-only root, with few capabilities.
fn template() -> Spec {
    let names: Vec<String> = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"].map(str::to_owned).into();
    let kinds = [
        NamespaceKind::Pid,
        NamespaceKind::Network,
        NamespaceKind::Ipc,
        NamespaceKind::Uts,
        NamespaceKind::Mount,
        NamespaceKind::Cgroup,
    ];
    Spec {
        oci_version: oci::runtime::VERSION.to_owned(),
        process: Some(Process {
            terminal: true,
            args: vec!["sh".to_owned()],
            env: vec![
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
                "TERM=xterm".to_owned(),
            ],
            cwd: "/".to_owned(),
            capabilities: Some(Capabilities {
                bounding: names.clone(),
                effective: names.clone(),
                permitted: names,
                ..Capabilities::default()
            }),
            rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".to_owned(), hard: 1024, soft: 1024 }],
            no_new_privileges: true,
            ..Process::default()
        }),
        root: Some(Root { path: "rootfs".to_owned(), readonly: true }),
        hostname: "lighter".to_owned(),
        mounts: mounts(),
        linux: Some(Linux {
            namespaces: kinds.map(|kind| Namespace { kind, path: String::new() }).into(),
            resources: Some(Resources {
                devices: vec![DeviceRule { allow: false, access: "rwm".to_owned(), ..DeviceRule::default() }],
                ..Resources::default()
            }),
            masked_paths: crate::masked_paths(),
            readonly_paths: crate::readonly_paths(),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}

fn mounts() -> Vec<Mount> {
    crate::default_mounts()
}
