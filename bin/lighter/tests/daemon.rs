//! The daemon may die at any instant.

use std::path::Path;

use rustix::process::{Pid, getpriority_process};
use testkit::{Daemon, eventually};

#[test]
fn containers_do_not_notice() {
    let mut d = Daemon::with_images(&["busybox"]);
    let ticks = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done";
    d.run(&["run", "-d", "--name", "on", "busybox", "sh", "-c", ticks]).ok();
    d.run(&["run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 0.5; exit 42"]).ok();
    d.run(&["run", "-d", "--rm", "--name", "goes", "busybox", "sleep", "0.5"]).ok();
    let pid = d.inspect("on", "{{.State.Pid}} {{.State.StartedAt}} {{.NetworkSettings.Networks.bridge.IPAddress}}");
    d.kill();
    std::thread::sleep(std::time::Duration::from_secs(1));
    d.start_again();
    assert_eq!(
        d.inspect("on", "{{.State.Pid}} {{.State.StartedAt}} {{.NetworkSettings.Networks.bridge.IPAddress}}"),
        pid
    );
    eventually("the exit is known", || d.inspect("ends", "{{.State.Status}} {{.State.ExitCode}}") == "exited 42");
    eventually("--rm is kept", || d.run(&["inspect", "goes"]).status == 1);
    d.run(&["exec", "on", "true"]).ok();
    d.run(&["stop", "-t", "0", "on"]).ok();
    let log = d.run(&["logs", "on"]).ok().stdout;
    let numbers: Vec<u32> = log.lines().map(|l| l.parse().unwrap()).collect();
    assert!(numbers.len() > 40 && numbers.iter().enumerate().all(|(i, n)| i as u32 == *n), "a hole in the log");
}

#[test]
fn policies_survive() {
    let mut d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "aa", "--restart", "always", "busybox", "sleep", "1000"]).ok();
    d.run(&["stop", "-t", "0", "aa"]).ok();
    d.run(&["run", "-d", "--name", "uu", "--restart", "unless-stopped", "busybox", "sleep", "1000"]).ok();
    d.run(&["stop", "-t", "0", "uu"]).ok();
    d.stop();
    d.start_again();
    eventually("always comes back", || d.inspect("aa", "{{.State.Status}}") == "running");
    assert_eq!(d.inspect("uu", "{{.State.Status}}"), "exited");
}

#[test]
fn two_side_by_side() {
    let one = Daemon::with_images(&["busybox"]);
    let two = Daemon::with_images(&["busybox"]);
    one.run(&["run", "-d", "--name", "same", "busybox", "sleep", "1000"]).ok();
    two.run(&["run", "-d", "--name", "same", "busybox", "sleep", "1000"]).ok();
    let subnet = |d: &Daemon| d.inspect("same", "{{.NetworkSettings.Networks.bridge.Gateway}}");
    assert_ne!(subnet(&one), subnet(&two));
}

#[test]
fn its_threads_keep_no_memory_to_themselves() {
    let d = Daemon::start();
    // the daemon begins once more to have it so: the same process, the same command
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", d.pid())).unwrap();
    assert!(environment.contains("GLIBC_TUNABLES=glibc.malloc.tcache_count=0"), "{environment}");
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", d.pid())).unwrap();
    assert!(command.contains("lighterd\0--data-root\0"), "{command}");
}

/// Told by who becomes it, `lighterd` need not begin twice.
#[test]
fn the_command_becomes_the_daemon_as_it_wants_to_be() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("becomes-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    // the daemon beside it says what it was given
    std::fs::hard_link(testkit::binaries().join("lighter"), directory.join("lighter")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/env", directory.join("lighterd")).unwrap();
    let mut command = std::process::Command::new(directory.join("lighter"));
    let output = command.arg("daemon").env("GLIBC_TUNABLES", "glibc.malloc.perturb=1").output();
    std::fs::remove_dir_all(&directory).unwrap();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(text.contains("GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=1\n"), "{text}");
}

#[test]
fn a_second_daemon_on_the_same_roots_is_refused() {
    let d = Daemon::start();
    let mut second = std::process::Command::new(testkit::binaries().join("lighter"));
    second
        .arg("daemon")
        .arg("--data-root")
        .arg(d.directory.join("data"))
        .arg("--exec-root")
        .arg(d.directory.join("run"));
    let output = second.arg("-H").arg(format!("{}2", d.host())).output().unwrap();
    assert!(!output.status.success());
    d.run(&["ps"]).ok();
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let path = std::env::temp_dir().join(format!("lighter-config-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"debug": true, "nonsense": 1}"#).unwrap();
    let mut daemon = std::process::Command::new(testkit::binaries().join("lighter"));
    let output = daemon.args(["daemon", "--validate", "--config-file"]).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("nonsense"), "{text}");
}

/// docs/adr/0026-the-daemon-comes-first.md
#[test]
fn a_service_gets_its_share_before_containers() {
    let share = |process: u32| std::fs::read_to_string(format!("/proc/{process}/autogroup")).ok();
    let Some(ours) = share(std::process::id()) else {
        eprintln!("skipped: this kernel does not share processors out by sessions");
        return;
    };
    if !may_be_nice() || getpriority_process(None) != Ok(0) {
        eprintln!("skipped: CAP_SYS_NICE is missing here, or somebody has made these tests nice");
        return;
    }
    let d = Daemon::as_service();
    d.import("busybox");
    let nice = |process| share(process).unwrap().rsplit_once(" nice ").unwrap().1.trim_end().to_owned();
    assert_eq!(nice(d.pid()), "-5");
    d.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
    let web: u32 = d.inspect("web", "{{.State.Pid}}").parse().unwrap();
    assert_eq!((nice(web), nice(d.shim("web"))), ("0".into(), "0".into()));
    assert_eq!(getpriority_process(Pid::from_raw(web.cast_signed())), Ok(0));

    // one that shares a session with others leaves it as it is
    let guest = Daemon::start();
    assert_eq!(share(guest.pid()).unwrap(), ours);
}

fn may_be_nice() -> bool {
    const CAP_SYS_NICE: u32 = 23;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() >> CAP_SYS_NICE & 1 == 1
}
