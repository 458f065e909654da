//! Which namespaces (namespaces(7)) are the container's own, and which it joins.

use oci::runtime::{Namespace, NamespaceKind};
use values::{Error, Result};

use super::Input;
use crate::container::modes::{IpcMode, NetworkMode, PidMode, cgroupns_is_private, uts_is_host};

/// The namespaces to be made or, by path, joined. What is not among them is the host's.
///
/// # Errors
/// `Conflict` when a container whose namespace is to be joined does not run.
pub fn namespaces(input: &Input<'_>) -> Result<Vec<Namespace>> {
    let mut list = vec![own(NamespaceKind::Mount)];
    if input.remap().is_some() {
        list.push(user(input));
    }
    match NetworkMode::of(input.config, input.host)? {
        NetworkMode::Host => {}
        NetworkMode::Container(name) => {
            list.push(joined(NamespaceKind::Network, "net", input.joined.net, name)?);
        }
        _ => list.push(own(NamespaceKind::Network)),
    }
    if !uts_is_host(&input.host.uts_mode)? {
        list.push(own(NamespaceKind::Uts));
    }
    match PidMode::parse(&input.host.pid_mode)? {
        PidMode::Host => {}
        PidMode::Private => list.push(own(NamespaceKind::Pid)),
        PidMode::Container(name) => list.push(joined(NamespaceKind::Pid, "pid", input.joined.pid, name)?),
    }
    match IpcMode::parse(&input.host.ipc_mode, &input.defaults.ipc)? {
        IpcMode::Host => {}
        IpcMode::Container(name) => list.push(joined(NamespaceKind::Ipc, "ipc", input.joined.ipc, name)?),
        _ => list.push(own(NamespaceKind::Ipc)),
    }
    if cgroupns_is_private(&input.host.cgroupns_mode, input.machine.is_cgroup_v2())? {
        list.push(own(NamespaceKind::Cgroup));
    }
    Ok(list)
}

/// What is shared belongs to the donor's user namespace, and so must whoever shares it. Otherwise the engine makes one,
/// together with the network namespace.
fn user(input: &Input<'_>) -> Namespace {
    let joined = input.joined;
    let donor = joined.pid.or(joined.ipc).or(joined.net).filter(|pid| *pid > 0);
    Namespace { kind: NamespaceKind::User, path: donor.map_or_else(String::new, |pid| format!("/proc/{pid}/ns/user")) }
}

fn own(kind: NamespaceKind) -> Namespace {
    Namespace { kind, path: String::new() }
}

fn joined(kind: NamespaceKind, file: &str, pid: Option<i32>, name: &str) -> Result<Namespace> {
    let words = match kind {
        NamespaceKind::Network => "network",
        NamespaceKind::Ipc => "IPC",
        _ => "PID",
    };
    let pid = pid
        .filter(|pid| *pid > 0)
        .ok_or_else(|| Error::conflict(format!("cannot join {words} namespace of a non running container: {name}")))?;
    Ok(Namespace { kind, path: format!("/proc/{pid}/ns/{file}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::tests::Scene;

    #[test]
    fn modes() {
        let check = |network: &str, pid: &str, ipc: &str, uts: &str, cgroup: &str, expected: &str| {
            let joined = super::super::Joined { net: Some(7), ipc: Some(8), pid: Some(9) };
            let mut scene = Scene { joined, ..Scene::default() };
            let host = &mut scene.host;
            host.network_mode = network.into();
            (host.pid_mode, host.ipc_mode) = (pid.into(), ipc.into());
            (host.uts_mode, host.cgroupns_mode) = (uts.into(), cgroup.into());
            let list = namespaces(&scene.input()).unwrap();
            let words: Vec<String> = list.iter().map(|n| format!("{:?}{}", n.kind, n.path)).collect();
            assert_eq!(words.join(" "), expected);
        };
        check("", "", "", "", "", "Mount Network Uts Pid Ipc Cgroup");
        check("none", "", "none", "", "host", "Mount Network Uts Pid Ipc");
        check("host", "host", "host", "host", "private", "Mount Cgroup");
        check(
            "container:a",
            "container:a",
            "container:a",
            "",
            "host",
            "Mount Network/proc/7/ns/net Uts Pid/proc/9/ns/pid Ipc/proc/8/ns/ipc",
        );
    }

    #[test]
    fn remapped() {
        let range = oci::runtime::IdMapping { container_id: 0, host_id: 9, size: 9 };
        let mut scene = Scene::default();
        scene.defaults.remap = Some(crate::remap::Remap { uids: vec![range], gids: vec![range] });
        let user = |scene: &Scene| {
            let list = namespaces(&scene.input()).unwrap();
            list.into_iter().find(|n| n.kind == NamespaceKind::User).map(|n| n.path)
        };
        assert_eq!(user(&scene).as_deref(), Some(""));
        scene.joined.ipc = Some(8);
        assert_eq!(user(&scene).as_deref(), Some("/proc/8/ns/user"));
        scene.host.userns_mode = "host".into();
        assert_eq!(user(&scene), None);
    }

    #[test]
    fn of_a_stopped_container() {
        let mut scene = Scene::default();
        scene.host.network_mode = "container:web".into();
        assert_eq!(
            namespaces(&scene.input()).unwrap_err().message,
            "cannot join network namespace of a non running container: web"
        );
    }
}
