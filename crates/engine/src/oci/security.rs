//! `--security-opt`, and the parts of `/proc` and `/sys` that are hidden or read-only.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use api::types::HostConfig;
use runtime::SeccompProgram;
use values::{Error, Result};

use super::{Input, seccomp};
use crate::container::log::boolean;
use crate::machine::Machine;

/// The security options of one container, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A profile's name or `unconfined`.
    pub apparmor: Option<String>,
    /// `unconfined`, `builtin`, or a profile as JSON.
    pub seccomp: Option<String>,
    pub no_new_privileges: bool,
    /// SELinux: `disable`, `type:…`.
    pub labels: Vec<String>,
    /// `/sys/fs/cgroup` is writable.
    pub writable_cgroups: bool,
}

/// Reads `HostConfig.SecurityOpt`.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn parse(host: &HostConfig, no_new_privileges: bool) -> Result<Options> {
    let mut options = Options { no_new_privileges, ..Options::default() };
    for option in host.security_opt.iter().flatten() {
        let bad = |stage: u8| Error::invalid(format!("invalid --security-opt {stage}: {option:?}"));
        match option.as_str() {
            "no-new-privileges" => options.no_new_privileges = true,
            "writable-cgroups" => options.writable_cgroups = true,
            "disable" => options.labels.push("disable".into()),
            _ => {
                // the colon is the older form
                let (key, value) = option.split_once('=').or_else(|| option.split_once(':')).ok_or_else(|| bad(1))?;
                match key {
                    "label" => options.labels.push(value.into()),
                    "apparmor" => options.apparmor = Some(value.into()),
                    "seccomp" => options.seccomp = Some(value.into()),
                    "no-new-privileges" => options.no_new_privileges = boolean(value).ok_or_else(|| bad(2))?,
                    "writable-cgroups" => options.writable_cgroups = boolean(value).ok_or_else(|| bad(2))?,
                    _ => return Err(bad(2)),
                }
            }
        }
    }
    Ok(options)
}

/// Checks a request's options against what this machine can do. Profiles and labels for a security module that is off mean
/// nothing and are let pass, as with Docker.
///
/// # Errors
/// `InvalidArgument` for a filter that does not work here.
pub fn check(host: &HostConfig, machine: &Machine) -> Result<()> {
    let options = parse(host, false)?;
    match options.seccomp.as_deref() {
        None | Some("" | "unconfined" | "builtin") => Ok(()),
        Some(_) if !machine.seccomp => {
            Err(Error::invalid("seccomp is not enabled in your kernel, cannot run a custom seccomp profile"))
        }
        Some(json) => seccomp::profile(json, &[], &machine.kernel).map(drop),
    }
}

/// The AppArmor profile of the process; empty: none is set.
pub fn apparmor(machine: &Machine, host: &HostConfig, options: &Options) -> String {
    if !machine.apparmor {
        return String::new();
    }
    match options.apparmor.as_deref() {
        Some(profile) if !profile.is_empty() => profile.to_owned(),
        _ if host.privileged => "unconfined".into(),
        _ => machine.apparmor_profile.clone().unwrap_or_default(),
    }
}

/// The compiled system call filter; None: unconfined.
///
/// # Errors
/// `InvalidArgument` for a profile that cannot be compiled.
pub fn seccomp_program(
    input: &Input<'_>,
    options: &Options,
    capabilities: &[String],
) -> Result<Option<SeccompProgram>> {
    match options.seccomp.as_deref() {
        Some("unconfined") => Ok(None),
        None | Some("" | "builtin") if input.host.privileged || !input.machine.seccomp => Ok(None),
        None | Some("" | "builtin") => default_program(capabilities).map(Some),
        Some(json) => {
            let profile = seccomp::profile(json, capabilities, &input.machine.kernel)?;
            compile(&profile).map(|program| Some(program.of(input.id, "", &input.host.annotations)))
        }
    }
}

/// The filter of [`seccomp_program`] as OCI's rules, without what this machine's kernel does not know.
///
/// # Errors
/// As there.
pub fn seccomp_rules(
    input: &Input<'_>,
    options: &Options,
    capabilities: &[String],
) -> Result<Option<oci::runtime::Seccomp>> {
    match options.seccomp.as_deref() {
        Some("unconfined") => Ok(None),
        None | Some("" | "builtin") if input.host.privileged || !input.machine.seccomp => Ok(None),
        None | Some("" | "builtin") => Ok(Some(runtime::seccomp::default_profile(capabilities))),
        Some(json) => seccomp::profile(json, capabilities, &input.machine.kernel).map(Some),
    }
}

fn compile(profile: &oci::runtime::Seccomp) -> Result<SeccompProgram> {
    runtime::seccomp::compile(profile).map_err(|e| Error::invalid(format!("seccomp profile: {}", e.message)))
}

/// Compiling takes longer than the rest of a launch, and nearly all containers have the same capabilities.
fn default_program(capabilities: &[String]) -> Result<SeccompProgram> {
    static COMPILED: OnceLock<Mutex<BTreeMap<Vec<String>, SeccompProgram>>> = OnceLock::new();
    const MOST: usize = 16;
    let compiled = COMPILED.get_or_init(Mutex::default);
    if let Some(program) = compiled.lock().unwrap_or_else(PoisonError::into_inner).get(capabilities) {
        return Ok(program.clone());
    }
    let program = compile(&runtime::seccomp::default_profile(capabilities))?;
    let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
    if compiled.len() >= MOST {
        compiled.clear();
    }
    compiled.insert(capabilities.to_vec(), program.clone());
    Ok(program)
}

/// Masked and read-only paths: the request's own lists always hold; a privileged container has none by itself.
pub fn paths(host: &HostConfig) -> (Vec<String>, Vec<String>) {
    let or = |own: &Option<Vec<String>>, default: fn() -> Vec<String>| match own {
        Some(list) => list.clone(),
        None if host.privileged => Vec::new(),
        None => default(),
    };
    (or(&host.masked_paths, runtime::masked_paths), or(&host.readonly_paths, runtime::readonly_paths))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(options: &[&str]) -> HostConfig {
        let list = options.iter().map(|o| (*o).to_owned()).collect();
        HostConfig { security_opt: Some(list), ..HostConfig::default() }
    }

    #[test]
    fn options() {
        let got =
            parse(&host(&["no-new-privileges", "apparmor=unconfined", "label:disable", "seccomp=unconfined"]), false);
        let expected = Options {
            apparmor: Some("unconfined".into()),
            seccomp: Some("unconfined".into()),
            no_new_privileges: true,
            labels: vec!["disable".into()],
            writable_cgroups: false,
        };
        assert_eq!(got, Ok(expected));
        assert!(!parse(&host(&["no-new-privileges=false"]), true).unwrap().no_new_privileges);
        for (option, message) in [
            ("nonsense", "invalid --security-opt 1: \"nonsense\""),
            ("x=y", "invalid --security-opt 2: \"x=y\""),
            ("no-new-privileges=maybe", "invalid --security-opt 2: \"no-new-privileges=maybe\""),
            ("systempaths=unconfined", "invalid --security-opt 2: \"systempaths=unconfined\""),
        ] {
            assert_eq!(parse(&host(&[option]), false).unwrap_err().message, message);
        }
    }

    #[test]
    fn what_the_machine_cannot_do() {
        let check = |options: &[&str], machine: &Machine| check(&host(options), machine).is_ok();
        let none = Machine { cgroup_version: 1, ..Machine::default() };
        let all = Machine { cgroup_version: 2, apparmor: true, seccomp: true, ..Machine::default() };
        for (option, without, with) in [
            ("apparmor=unconfined", true, true),
            ("apparmor=docker-default", true, true),
            ("label=disable", true, true),
            ("label=type:x_t", true, true),
            ("writable-cgroups=true", true, true),
            ("seccomp=unconfined", true, true),
            ("seccomp=builtin", true, true),
            ("seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}", false, true),
            ("seccomp={", false, false),
        ] {
            assert_eq!((check(&[option], &none), check(&[option], &all)), (without, with), "{option}");
        }
    }

    #[test]
    fn hidden_paths() {
        let mut host = HostConfig { privileged: true, masked_paths: Some(vec!["/x".into()]), ..HostConfig::default() };
        assert_eq!(paths(&host), (vec!["/x".into()], vec![]));
        host = HostConfig { masked_paths: Some(vec![]), ..HostConfig::default() };
        assert_eq!(paths(&host), (vec![], runtime::readonly_paths()));
    }
}
