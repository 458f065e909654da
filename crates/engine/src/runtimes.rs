//! Which program makes a container: the runtime built in, or one of `daemon.json`'s `runtimes`.

use std::collections::BTreeMap;

use api::types::RuntimeInfo;
use shim::protocol;
use values::{Error, Result};

use crate::config::{Config, Runtime};

/// The names of the one built in: what clients and compose files write.
pub const BUILT_IN: [&str; 3] = ["runc", "io.containerd.runc.v2", "lighter"];

/// None: the one built in.
///
/// # Errors
/// `InvalidArgument` in Docker's words for a name nobody knows.
pub fn find<'a>(runtimes: &'a BTreeMap<String, Runtime>, name: &str) -> Result<Option<&'a Runtime>> {
    match runtimes.get(name) {
        Some(runtime) => Ok(Some(runtime)),
        None if name.is_empty() || BUILT_IN.contains(&name) => Ok(None),
        None => Err(Error::invalid(format!("unknown or invalid runtime name: {name}"))),
    }
}

/// What the shim is told of an external one.
///
/// # Errors
/// `InvalidArgument` when its program is not there.
pub fn external(runtime: &Runtime, cgroup: String, systemd_cgroup: bool) -> Result<protocol::External> {
    let program = locate(&runtime.path)
        .ok_or_else(|| Error::invalid(format!("OCI runtime program {} not found", runtime.path)))?;
    Ok(protocol::External { program, args: runtime.args.clone(), systemd_cgroup, cgroup })
}

/// A name without a slash is looked for where Docker's daemon would.
fn locate(path: &str) -> Option<String> {
    let is_file = |path: &str| std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    if path.contains('/') {
        return is_file(path).then(|| path.to_owned());
    }
    let directories = std::env::var("PATH").unwrap_or_default();
    let standard = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut all = directories.split(':').chain(standard.split(':')).map(|directory| format!("{directory}/{path}"));
    all.find(|path| is_file(path))
}

/// As `info` shows them.
pub fn shown(config: &Config) -> BTreeMap<String, RuntimeInfo> {
    let own = config.shim.display().to_string();
    let built_in = ["runc", "io.containerd.runc.v2"].map(|name| (name.to_owned(), info(&own, &[])));
    let external = config.runtimes.iter().map(|(name, runtime)| (name.clone(), info(&runtime.path, &runtime.args)));
    built_in.into_iter().chain(external).collect()
}

fn info(path: &str, args: &[String]) -> RuntimeInfo {
    RuntimeInfo { path: path.to_owned(), runtime_args: args.to_vec(), ..RuntimeInfo::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let crun = Runtime { path: "crun".into(), args: vec![] };
        let known = BTreeMap::from([("crun".to_owned(), crun)]);
        for (name, expected) in [
            ("", Ok(false)),
            ("runc", Ok(false)),
            ("io.containerd.runc.v2", Ok(false)),
            ("crun", Ok(true)),
            ("kata", Err("unknown or invalid runtime name: kata")),
        ] {
            let found = find(&known, name).map(|found| found.is_some()).map_err(|e| e.message);
            assert_eq!(found, expected.map_err(str::to_owned), "{name}");
        }
    }

    #[test]
    fn programs() {
        assert_eq!(locate("/bin/sh").as_deref(), Some("/bin/sh"));
        assert!(locate("sh").is_some_and(|path| path.starts_with('/')));
        assert_eq!((locate("/nowhere/x"), locate("no-such-program"), locate("/bin")), (None, None, None));
    }
}
