//! Seccomp profiles as Docker's users write them: OCI's with conditions on capabilities, architecture and kernel.
//!
//! Format: <https://docs.docker.com/engine/security/seccomp/>.

use oci::runtime::{Seccomp, SyscallArg, SyscallRule};
use serde::Deserialize;
use values::{Error, Platform, Result};

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[derive(Default)]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<ArchMap>>,
    flags: Option<Vec<String>>,
    listener_path: String,
    listener_metadata: String,
    syscalls: Option<Vec<Rule>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Rule {
    name: String,
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    args: Option<Vec<SyscallArg>>,
    includes: Option<Filter>,
    excludes: Option<Filter>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Filter {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// A user's profile as it holds for a container with these capabilities (`CAP_…`) on a kernel of this release.
///
/// # Errors
/// `InvalidArgument` naming what is wrong.
pub fn profile(json: &str, capabilities: &[String], kernel: &str) -> Result<Seccomp> {
    let profile: Profile =
        serde_json::from_str(json).map_err(|e| Error::invalid(format!("Decoding seccomp profile failed: {e}")))?;
    let architecture = Platform::host().architecture;
    let scene = Scene { capabilities, architecture: &architecture, kernel: version(kernel) };
    let mut syscalls = Vec::new();
    for rule in profile.syscalls.unwrap_or_default() {
        if scene.applies(&rule)? {
            syscalls.push(rule.into_oci()?);
        }
    }
    Ok(Seccomp {
        default_action: profile.default_action,
        default_errno_ret: profile.default_errno_ret,
        architectures: architectures(profile.architectures, profile.arch_map, &architecture)?,
        flags: profile.flags.unwrap_or_default(),
        listener_path: profile.listener_path,
        listener_metadata: profile.listener_metadata,
        syscalls,
    })
}

/// Where the profile is to hold.
struct Scene<'a> {
    capabilities: &'a [String],
    /// Go's name.
    architecture: &'a str,
    kernel: Option<(u32, u32)>,
}

impl Scene<'_> {
    fn applies(&self, rule: &Rule) -> Result<bool> {
        if let Some(excludes) = &rule.excludes {
            let cap = excludes.caps.iter().flatten().any(|cap| self.capabilities.contains(cap));
            let arch = excludes.arches.iter().flatten().any(|arch| arch == self.architecture);
            let kernel = excludes.min_kernel.as_deref().map_or(Ok(false), |least| self.is_at_least(least))?;
            if cap || arch || kernel {
                return Ok(false);
            }
        }
        let Some(includes) = &rule.includes else { return Ok(true) };
        let caps = includes.caps.iter().flatten().all(|cap| self.capabilities.contains(cap));
        let arch = includes.arches.as_ref().is_none_or(|a| a.is_empty() || a.iter().any(|a| a == self.architecture));
        let kernel = includes.min_kernel.as_deref().map_or(Ok(true), |least| self.is_at_least(least))?;
        Ok(caps && arch && kernel)
    }

    fn is_at_least(&self, least: &str) -> Result<bool> {
        let wanted = version(least).ok_or_else(|| {
            Error::invalid(format!("Decoding seccomp profile failed: invalid kernel version: {least}"))
        })?;
        Ok(self.kernel.is_some_and(|kernel| kernel >= wanted))
    }
}

impl Rule {
    fn into_oci(self) -> Result<SyscallRule> {
        let mut names = self.names.unwrap_or_default();
        if !self.name.is_empty() {
            if !names.is_empty() {
                return Err(Error::invalid(
                    "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
                ));
            }
            names.push(self.name);
        }
        Ok(SyscallRule { names, action: self.action, errno_ret: self.errno_ret, args: self.args.unwrap_or_default() })
    }
}

fn architectures(list: Option<Vec<String>>, map: Option<Vec<ArchMap>>, native: &str) -> Result<Vec<String>> {
    let (list, map) = (list.unwrap_or_default(), map.unwrap_or_default());
    if !list.is_empty() && !map.is_empty() {
        return Err(Error::invalid(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
        ));
    }
    let native = match native {
        "amd64" => "SCMP_ARCH_X86_64",
        "386" => "SCMP_ARCH_X86",
        "arm64" => "SCMP_ARCH_AARCH64",
        "arm" => "SCMP_ARCH_ARM",
        "riscv64" => "SCMP_ARCH_RISCV64",
        "ppc64le" => "SCMP_ARCH_PPC64LE",
        "s390x" => "SCMP_ARCH_S390X",
        "loong64" => "SCMP_ARCH_LOONGARCH64",
        other => other,
    };
    match map.into_iter().find(|entry| entry.architecture == native) {
        Some(entry) => {
            Ok([entry.architecture].into_iter().chain(entry.sub_architectures.unwrap_or_default()).collect())
        }
        None => Ok(list),
    }
}

/// Major and minor of `6.18.0-rc1` or `4.8`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(json: &str, caps: &[&str]) -> Result<Vec<String>, String> {
        let caps: Vec<String> = caps.iter().map(|c| (*c).to_owned()).collect();
        let profile = profile(json, &caps, "5.10.3-generic").map_err(|e| e.message)?;
        Ok(profile.syscalls.into_iter().flat_map(|rule| rule.names).collect())
    }

    #[test]
    fn conditions() {
        let rule = |condition: &str| {
            format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["x"],"action":"SCMP_ACT_ALLOW",{condition}}}]}}"#
            )
        };
        for (condition, applies) in [
            (r#""args":null"#, true),
            (r#""includes":{"caps":["CAP_A"]}"#, true),
            (r#""includes":{"caps":["CAP_A","CAP_B"]}"#, false),
            (r#""excludes":{"caps":["CAP_A"]}"#, false),
            (r#""excludes":{"caps":["CAP_B"]}"#, true),
            (r#""includes":{"minKernel":"4.8"}"#, true),
            (r#""includes":{"minKernel":"5.11"}"#, false),
            (r#""excludes":{"minKernel":"4.8"}"#, false),
            (r#""includes":{"arches":["pdp11"]}"#, false),
            (r#""includes":{"arches":[]},"excludes":{}"#, true),
        ] {
            let got = names(&rule(condition), &["CAP_A"]).unwrap();
            assert_eq!(!got.is_empty(), applies, "{condition}");
        }
    }

    #[test]
    fn forms() {
        let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]},{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":null}],"syscalls":[{"name":"mkdir","action":"SCMP_ACT_ERRNO","errnoRet":3,"args":[{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]}]}"#;
        let got = profile(json, &[], "6.1").unwrap();
        assert_eq!(got.syscalls[0].names, ["mkdir"]);
        assert_eq!((got.syscalls[0].errno_ret, got.syscalls[0].args[0].index), (Some(3), 1));
        assert!(!got.architectures.is_empty());
        for (bad, message) in [
            ("{", "Decoding seccomp profile failed: "),
            (r#"{"defaultActoin":"x"}"#, "Decoding seccomp profile failed: unknown field"),
            (r#"{"architectures":["a"],"archMap":[{}]}"#, "both 'architectures' and 'archMap'"),
            (r#"{"syscalls":[{"name":"a","names":["b"]}]}"#, "both 'name' and 'names'"),
            (
                r#"{"syscalls":[{"name":"a","includes":{"minKernel":"x"}}]}"#,
                "Decoding seccomp profile failed: invalid kernel",
            ),
        ] {
            let got = profile(bad, &[], "6.1").unwrap_err().message;
            assert!(got.starts_with(message), "{bad}: {got}");
        }
    }
}
