//! Kernel parameters: only those that belong to a namespace of the container.

use std::collections::BTreeMap;

use oci::runtime::NamespaceKind;
use values::kernel_names::is_ipc_sysctl;

use crate::StartError;
use crate::namespaces::Namespaces;
use crate::process::c_string;
use crate::program::Step;

pub(crate) fn plan(sysctl: &BTreeMap<String, String>, namespaces: &Namespaces) -> Result<Vec<Step>, StartError> {
    sysctl
        .iter()
        .map(|(key, value)| {
            let key = normal(key);
            check(&key, namespaces)?;
            let path = path(&key)?;
            Ok(Step::Sysctl { path: c_string(&path)?, value: c_string(value)? })
        })
        .collect()
}

/// With dots between the parts and slashes for dots in them, as `sysctl(8)` has it.
fn normal(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key[at..].starts_with('/') => swap(key),
        _ => key.to_owned(),
    }
}

fn swap(key: &str) -> String {
    key.chars()
        .map(|letter| match letter {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect()
}

fn path(key: &str) -> Result<String, StartError> {
    let path = swap(key);
    if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(StartError::other(format!("invalid sysctl {key:?}")));
    }
    Ok(format!("sys/{path}"))
}

fn check(key: &str, namespaces: &Namespaces) -> Result<(), StartError> {
    let (needs, name) = if is_ipc_sysctl(key) {
        (NamespaceKind::Ipc, "IPC")
    } else if key.starts_with("net.") {
        (NamespaceKind::Network, "network")
    } else if key == "kernel.domainname" {
        (NamespaceKind::Uts, "UTS")
    } else if key.starts_with("user.") {
        (NamespaceKind::User, "user")
    } else {
        return Err(StartError::other(format!("sysctl {key:?} is not in a separate kernel namespace")));
    };
    if namespaces.has(needs) {
        return Ok(());
    }
    Err(StartError::other(format!("sysctl {key:?} is not allowed in the hosts {name} namespace")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_paths() {
        for (key, expected) in [
            ("net.ipv4.ip_forward", Some("sys/net/ipv4/ip_forward")),
            ("net/ipv4/ip_forward", Some("sys/net/ipv4/ip_forward")),
            ("net.ipv4.conf.eth0/1.forwarding", Some("sys/net/ipv4/conf/eth0.1/forwarding")),
            ("net/ipv4/conf/eth0.1/forwarding", Some("sys/net/ipv4/conf/eth0.1/forwarding")),
            ("net.//.x", None),
            ("net..x", None),
        ] {
            assert_eq!(path(&normal(key)).ok().as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn only_what_is_the_containers() {
        let none = Namespaces::default();
        for key in ["kernel.panic", "net.ipv4.ip_forward", "kernel.msgmax", "vm.swappiness"] {
            assert!(check(key, &none).is_err(), "{key}");
        }
    }
}
