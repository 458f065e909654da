//! Privileges, confinement and shared namespaces.

use api::lenient::StrSlice;

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::Flag;

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::bool("privileged", "Give extended privileges to this container"),
    Flag::list("cap-add", "Add Linux capabilities").completes(Complete::Capabilities),
    Flag::list("cap-drop", "Drop Linux capabilities").completes(Complete::Capabilities),
    Flag::list("security-opt", "Security Options").completes(Complete::Words(&[
        "apparmor=",
        "label=",
        "no-new-privileges",
        "seccomp=",
        "systempaths=",
    ])),
    Flag::list("sysctl", "Sysctl options").typed("map").shows_default("map[]").checked(sysctl),
    Flag::text("cgroup-parent", "Optional parent cgroup for the container"),
    Flag::text(
        "cgroupns",
        "Cgroup namespace to use (host|private)\n'host':    Run the container in the Docker host's cgroup namespace\n'private': Run the container in its own private cgroup namespace\n'':        Use the cgroup namespace as configured by the\n           default-cgroupns-mode option on the daemon (default)",
    )
    .completes(Complete::Words(&["host", "private"])),
    Flag::text("ipc", "IPC mode to use").completes(Complete::Words(&["host", "none", "private", "shareable"])),
    Flag::text("pid", "PID namespace to use").completes(Complete::Words(&["host"])),
    Flag::text("userns", "User namespace to use").completes(Complete::Words(&["host"])),
    Flag::text("uts", "UTS namespace to use").completes(Complete::Words(&["host"])),
];

/// The kernel parameters that belong to a container's namespaces.
fn sysctl(text: &str) -> Result<(), String> {
    let name = text.split_once('=').map(|(name, _)| name);
    let known = |name: &str| name.starts_with("net.") || values::kernel_names::is_ipc_sysctl(name);
    if name.is_some_and(known) { Ok(()) } else { Err(format!("sysctl '{text}' is not allowed")) }
}

/// Puts them into the request.
///
/// # Errors
/// Docker's sentence for a value it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let host = &mut draft.host;
    let own = |name: &str| call.text_or_empty(name).to_owned();
    host.pid_mode = mode(own("pid"), "--pid: invalid PID mode", |m| m == "host" || container(m))?;
    host.uts_mode = mode(own("uts"), "--uts: invalid UTS mode", |m| m == "host")?;
    host.userns_mode = mode(own("userns"), "--userns: invalid USER mode", |m| m == "host")?;
    host.cgroupns_mode = mode(own("cgroupns"), "--cgroupns: invalid CGROUP mode", |m| m == "host" || m == "private")?;
    host.ipc_mode = own("ipc");
    host.privileged = call.is("privileged");
    let capabilities = |name: &str| Some(StrSlice(capabilities(call, name))).filter(|list| !list.0.is_empty());
    host.cap_add = capabilities("cap-add");
    host.cap_drop = capabilities("cap-drop");
    host.sysctls = crate::flags::pairs::to_map(super::list(call, "sysctl"));
    host.resources.cgroup_parent = own("cgroup-parent");

    let mut options = Vec::new();
    for option in call.all("security-opt") {
        if option == "systempaths=unconfined" {
            host.masked_paths = Some(Vec::new());
            host.readonly_paths = Some(Vec::new());
        } else {
            options.push(security_option(option)?);
        }
    }
    host.security_opt = Some(options).filter(|options| !options.is_empty());
    Ok(())
}

/// `net_admin` as `CAP_NET_ADMIN`; sorted, each once.
fn capabilities(call: &Invocation, flag: &str) -> Vec<String> {
    let full = |name: &str| match name.trim().to_ascii_uppercase() {
        all if all == "ALL" => all,
        name if name.starts_with("CAP_") => name,
        name => format!("CAP_{name}"),
    };
    let names: std::collections::BTreeSet<String> = call.all(flag).map(full).collect();
    names.into_iter().collect()
}

fn mode(text: String, error: &str, valid: impl Fn(&str) -> bool) -> Result<String, Failure> {
    if text.is_empty() || valid(&text) { Ok(text) } else { Err(Failure::new(error)) }
}

fn container(mode: &str) -> bool {
    mode.strip_prefix("container:").is_some_and(|name| !name.is_empty())
}

/// `NAME=VALUE` or `NAME:VALUE`. A seccomp profile's file is read here: the daemon gets its content.
fn security_option(option: &str) -> Result<String, Failure> {
    let (name, value) = match option.split_once('=') {
        Some(pair) => pair,
        None => option.split_once(':').unwrap_or((option, "")),
    };
    if name == "no-new-privileges" {
        return Ok(option.to_owned());
    }
    if value.is_empty() {
        return Err(Failure::new(format!("Invalid --security-opt: {option:?}")));
    }
    if name != "seccomp" || matches!(value, "builtin" | "unconfined") {
        return Ok(option.to_owned());
    }
    let text = std::fs::read(value).map_err(|error| {
        let why = super::files::reason(&error);
        Failure::new(format!("opening seccomp profile ({value}) failed: open {value}: {why}"))
    })?;
    let profile: &serde_json::value::RawValue = serde_json::from_slice(&text)
        .map_err(|error| Failure::new(format!("compacting json for seccomp profile ({value}) failed: {error}")))?;
    Ok(format!("seccomp={}", compact(profile.get())))
}

/// JSON without the white space between its tokens, in the same order.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacts() {
        assert_eq!(compact("{ \"a b\" : [ 1,\n\t\"\\\" x\" ] }"), "{\"a b\":[1,\"\\\" x\"]}");
    }

    #[test]
    fn sysctls() {
        for (text, good) in [
            ("net.ipv4.ip_forward=1", true),
            ("kernel.sem=1", true),
            ("kernel.x=1", false),
            ("net.x", false),
            ("fs.mqueue.a=1", true),
        ] {
            assert_eq!(sysctl(text).is_ok(), good, "{text}");
        }
    }
}
