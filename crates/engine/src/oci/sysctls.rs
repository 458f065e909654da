//! Kernel parameters: Docker's two defaults, and the user's where they belong to a namespace of the container's own.

use std::collections::BTreeMap;

use api::types::HostConfig;
use values::{Error, Result, kernel_names::is_ipc_sysctl};

use super::Input;
use crate::container::modes::{IpcMode, NetworkMode, uts_is_host};

/// All parameters to be set.
///
/// # Errors
/// As [`check`].
pub fn sysctls(input: &Input<'_>) -> Result<BTreeMap<String, String>> {
    check(input.host)?;
    let mut all = BTreeMap::new();
    if NetworkMode::of(input.config, input.host)?.is_private() {
        // ICMP echo without CAP_NET_RAW, ports below 1024 without CAP_NET_BIND_SERVICE
        let last = input.remap().map_or(i32::MAX.cast_unsigned(), crate::remap::Remap::last_gid);
        all.insert("net.ipv4.ping_group_range".to_owned(), format!("0 {last}"));
        all.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
    }
    all.extend(input.host.sysctls.iter().map(|(key, value)| (dotted(key), value.clone())));
    Ok(all)
}

/// Refuses parameters of a namespace that the container shares with the host.
///
/// # Errors
/// `InvalidArgument` in the words of Docker's runtime.
pub fn check(host: &HostConfig) -> Result<()> {
    for key in host.sysctls.keys() {
        let name = dotted(key);
        let refuse = |why: &str| Err(Error::invalid(format!("sysctl {name:?} {why}")));
        if is_ipc_sysctl(&name) {
            if IpcMode::parse(&host.ipc_mode, "private")? == IpcMode::Host {
                return refuse("is not allowed in the hosts ipc namespace");
            }
        } else if name.starts_with("net.") {
            if NetworkMode::parse(&host.network_mode)? == NetworkMode::Host {
                return refuse("not allowed in host network namespace");
            }
        } else if name == "kernel.hostname" && !uts_is_host(&host.uts_mode)? {
            return refuse("is not allowed as it conflicts with the OCI \"hostname\" field");
        } else if name != "kernel.domainname" || uts_is_host(&host.uts_mode)? {
            return refuse("is not in a separate kernel namespace");
        }
        // a component of slashes only is `.` or `..` in the path below /proc/sys
        if name.split('.').any(|part| part.chars().all(|c| c == '/')) || name.contains('\0') {
            return refuse("is not a valid name");
        }
    }
    Ok(())
}

/// `net/ipv4/conf/eth0.100/forwarding` → dots and slashes exchanged, as sysctl(8) reads the form with slashes.
fn dotted(key: &str) -> String {
    match key.find(['.', '/']).map(|at| key.as_bytes()[at]) {
        Some(b'/') => key
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::tests::Scene;

    #[test]
    fn allowed_where_private() {
        let check = |key: &str, network: &str, ipc: &str, expected: &str| {
            let host = HostConfig {
                network_mode: network.into(),
                ipc_mode: ipc.into(),
                sysctls: BTreeMap::from([(key.to_owned(), "1".to_owned())]),
                ..HostConfig::default()
            };
            assert_eq!(super::check(&host).map_err(|e| e.message).err().unwrap_or_default(), expected, "{key}");
        };
        check("net.ipv4.ip_forward", "", "", "");
        check("net/ipv4/ip_forward", "container:x", "", "");
        check("net.core.somaxconn", "host", "", "sysctl \"net.core.somaxconn\" not allowed in host network namespace");
        check("kernel.shmmax", "host", "", "");
        check(
            "fs.mqueue.msg_max",
            "",
            "host",
            "sysctl \"fs.mqueue.msg_max\" is not allowed in the hosts ipc namespace",
        );
        check("kernel.domainname", "", "", "");
        check(
            "kernel.hostname",
            "",
            "",
            "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field",
        );
        check("vm.swappiness", "", "", "sysctl \"vm.swappiness\" is not in a separate kernel namespace");
        check("net.../../x", "", "", "sysctl \"net.../../x\" is not a valid name");
        check("net/../x", "", "", "sysctl \"net.//.x\" is not a valid name");
        check("net/ipv4/conf/eth0.1/forwarding", "", "", "");
    }

    #[test]
    fn defaults() {
        let mut scene = Scene::default();
        scene.host.sysctls.insert("net.ipv4.ping_group_range".into(), "1 0".into());
        let got = sysctls(&scene.input()).unwrap();
        assert_eq!(got["net.ipv4.ip_unprivileged_port_start"], "0");
        assert_eq!(got["net.ipv4.ping_group_range"], "1 0");
        for mode in ["host", "container:x"] {
            let mut scene = Scene::default();
            scene.host.network_mode = mode.into();
            assert!(sysctls(&scene.input()).unwrap().is_empty(), "{mode}");
        }
    }
}
