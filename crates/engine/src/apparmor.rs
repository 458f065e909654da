//! The AppArmor profile of containers: found loaded, or loaded by `apparmor_parser(8)` once per boot.
//!
//! What it forbids is what Docker's `docker-default` forbids, by the same name, so that scripts and users find it: mounting,
//! and writing where the kernel is changed (most of `/proc` and `/sys`). Syntax: apparmor.d(5).

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use values::{Error, Result, ResultExt};

const NAME: &str = "docker-default";
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
/// Compiling takes tenths of a second.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

const PROFILE: &str = r"#include <tunables/global>

profile docker-default flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  network,
  capability,
  file,
  umount,
  deny mount,

  # The shim, unconfined, sends signals; so may the container's processes to each other.
  signal (receive) peer=unconfined,
  signal (receive) peer={runc,crun},
  signal (send, receive) peer=docker-default,
  ptrace (trace, read, tracedby, readby) peer=docker-default,

  # Of /proc only what belongs to processes, and System V shared memory's parameters.
  deny @{PROC}/* w,
  deny @{PROC}/[^1-9s]*/** w,
  deny @{PROC}/s[^y]*/** w,
  deny @{PROC}/sy[^s]*/** w,
  deny @{PROC}/sys[^/]*/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/k[^e]** w,
  deny @{PROC}/sys/kernel/[^s]** w,
  deny @{PROC}/sys/kernel/s[^h]** w,
  deny @{PROC}/sys/kernel/sh[^m]** w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  # Of /sys only the control groups.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
";

/// The profile's name, loading it where it is not; none where that cannot be done, which is logged.
pub fn profile() -> Option<String> {
    let loaded = std::fs::read_to_string(LOADED).unwrap_or_default();
    if let Some(name) = find(&loaded) {
        return Some(name.to_owned());
    }
    match load() {
        Ok(()) => Some(NAME.to_owned()),
        Err(error) => {
            tracing::warn!("containers run without an AppArmor profile: {error}");
            None
        }
    }
}

/// One that is loaded: lines of `NAME (MODE)`.
fn find(loaded: &str) -> Option<&str> {
    let mut names = loaded.lines().filter_map(|line| line.split(' ').next());
    names.find(|name| matches!(*name, "lighter-default" | NAME))
}

fn load() -> Result<()> {
    let mut parser = Command::new("apparmor_parser")
        .args(["--replace", "--skip-cache", "--quiet"])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .during(|| "apparmor_parser (Debian's package apparmor)")?;
    if let Some(mut stdin) = parser.stdin.take() {
        stdin.write_all(PROFILE.as_bytes()).during(|| "apparmor_parser")?;
    }
    wait(parser)
}

fn wait(mut parser: Child) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match parser.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(Error::internal(format!("apparmor_parser: {status}"))),
            None if Instant::now() >= until => {
                let _ = parser.kill();
                let _ = parser.wait();
                return Err(Error::internal("apparmor_parser has not ended for 10 seconds"));
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaded_profiles() {
        assert_eq!(find("unix-chkpwd (enforce)\ndocker-default (enforce)\n"), Some("docker-default"));
        assert_eq!(find("docker-default-x (enforce)\n"), None);
        assert!(PROFILE.contains(&format!("profile {NAME} ")));
    }
}
