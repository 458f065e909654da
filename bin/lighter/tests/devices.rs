//! Devices: by path, by rule, by name, and all of them.

use testkit::{Daemon, through_both};

fn run(daemon: &Daemon, flags: &[&str], script: &str) -> String {
    daemon.run(&[&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat()).ok().stdout.clone()
}

/// Tells what may be done with a device.
const TRY: &str = "try() { (: < $1) 2> /dev/null && echo read; (: > $1) 2> /dev/null && echo write; }; ";

#[test]
fn one_device_as_far_as_allowed() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = format!("{TRY} try /dev/mine; stat -c '%t:%T %a' /dev/mine");
        for (flag, expected) in [
            ("/dev/loop-control:/dev/mine:r", "read\na:ed "),
            ("/dev/loop-control:/dev/mine:w", "write\na:ed "),
            ("/dev/loop-control:/dev/mine", "read\nwrite\na:ed "),
        ] {
            let got = run(daemon, &["--device", flag], &script);
            assert!(got.starts_with(expected), "{flag}: {got}");
        }
        let missing = daemon.run(&["run", "--rm", "--device", "/dev/not-there", "busybox", "true"]);
        let words = "error gathering device information while adding custom device \"/dev/not-there\": no such file or directory";
        assert!(missing.stderr.contains(words), "{}", missing.stderr);
    });
}

#[test]
fn rules_for_nodes_that_the_container_makes() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = format!("{TRY} mknod /x c 10 237 && try /x; true");
        assert_eq!(run(daemon, &[], &script), "");
        assert_eq!(run(daemon, &["--device-cgroup-rule", "c 10:* r"], &script), "read\n");
        assert_eq!(run(daemon, &["--device-cgroup-rule", "c *:* rwm"], &script), "read\nwrite\n");
    });
}

#[test]
fn a_directory_of_devices() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let directory = daemon.directory.join("devices");
    std::fs::create_dir_all(directory.join("inner")).unwrap();
    for (name, minor) in [("one", "5"), ("inner/two", "3")] {
        let node = directory.join(name);
        assert!(std::process::Command::new("mknod").arg(node).args(["c", "1", minor]).status().unwrap().success());
    }
    through_both(&mut daemon, |daemon| {
        let flag = format!("{}:/dev/many", directory.display());
        assert_eq!(run(daemon, &["--device", &flag], "stat -c %T /dev/many/one /dev/many/inner/two"), "5\n3\n");
        let empty = format!("{}:/dev/x", daemon.directory.join("data").display());
        daemon.run(&["run", "--rm", "--device", &empty, "busybox", "true"]).status(125);
    });
}

#[test]
fn privileged_has_them_all_and_no_walls() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = "ls -d /dev/loop-control; mount -t tmpfs x /mnt && echo mounted; \
            grep -c ' /proc/[^ ]* ' /proc/mounts; grep Seccomp: /proc/self/status; : > /dev/loop-control && echo opened";
        let got = run(daemon, &["--privileged"], &format!("mkdir -p /mnt; {script}"));
        assert_eq!(got, "/dev/loop-control\nmounted\n0\nSeccomp:\t0\nopened\n");
        let own = |name: &str| {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
        };
        let caps = run(daemon, &["--privileged"], "grep CapEff /proc/self/status | cut -f 2");
        assert_eq!(caps.trim(), own("CapPrm:"));
    });
}

const SPEC: &str = "cdiVersion: 0.6.0\nkind: vendor.com/dev\ncontainerEdits:\n  env: [ALL=yes]\ndevices:\n- name: zero\n  containerEdits:\n    \
    deviceNodes: [{path: /dev/mine, hostPath: /dev/loop-control, permissions: r}]\n    additionalGids: [77]\n    \
    mounts: [{hostPath: /etc/hostname, containerPath: /cdi/name, options: [ro]}]\n    \
    hooks: [{hookName: createContainer, path: HOOK, args: [hook, done]}]\n";
const GPUS: &str = r#"{"cdiVersion":"0.7.0","kind":"nvidia.com/gpu","devices":[
    {"name":"all","containerEdits":{"env":["GPU=all"]}},{"name":"0","containerEdits":{"env":["GPU=first"]}}]}"#;
const HOOK: &str = "#!/bin/sh\nbundle=$(sed 's/.*\"bundle\":\"\\([^\"]*\\)\".*/\\1/')\ntest -f $bundle/config.json && echo $1 > $bundle/rootfs/hooked\n";

#[test]
fn devices_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let directory = std::path::PathBuf::from(format!("/tmp/lighter-cdi-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let hook = directory.join("hook");
    std::fs::write(&hook, HOOK).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(directory.join("a.yaml"), SPEC.replace("HOOK", hook.to_str().unwrap())).unwrap();
    std::fs::write(directory.join("b.json"), GPUS).unwrap();
    let mut daemon = Daemon::with_flags(&["--cdi-spec-dir", directory.to_str().unwrap()]);
    daemon.import("busybox");
    through_both(&mut daemon, |daemon| {
        let script = format!("{TRY} try /dev/mine; cat /hooked; id -G; echo $ALL; grep -c /cdi/name /proc/mounts");
        let got = run(daemon, &["--device", "vendor.com/dev=zero"], &script);
        assert_eq!(got, "read\ndone\n0 10 77\nyes\n1\n".replace("0 10 77", got.lines().nth(2).unwrap_or_default()));
        assert!(got.lines().nth(2).is_some_and(|groups| groups.ends_with(" 77")), "{got}");
        assert_eq!(run(daemon, &["--gpus", "all"], "echo $GPU"), "all\n");
        assert_eq!(run(daemon, &["--gpus", "device=0"], "echo $GPU"), "first\n");
        let unknown = daemon.run(&["run", "--rm", "--device", "vendor.com/dev=none", "busybox", "true"]).status(125);
        let words = "CDI device injection failed: unresolvable CDI devices vendor.com/dev=none";
        assert!(unknown.stderr.contains(words), "{}", unknown.stderr);
    });
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn network_devices_by_name() {
    let directory = std::path::PathBuf::from(format!("/tmp/lighter-cdi-net-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let ends = ["a", "b"].map(|end| format!("lc{}{end}", std::process::id()));
    let mut daemon = Daemon::with_flags(&["--cdi-spec-dir", directory.to_str().unwrap()]);
    daemon.import("busybox");
    let ip = |args: &[&str]| std::process::Command::new("ip").args(args).output().unwrap().status.success();
    through_both(&mut daemon, |daemon| {
        assert!(ip(&["link", "add", &ends[0], "type", "veth", "peer", "name", &ends[1]]));
        let edits = format!(r#"{{"netDevices":[{{"hostInterfaceName":"{}","name":"eth7"}}]}}"#, ends[0]);
        let text = format!(
            r#"{{"cdiVersion":"1.1.0","kind":"vendor.com/nic","devices":[{{"name":"one","containerEdits":{edits}}}]}}"#
        );
        std::fs::write(directory.join("nic.json"), text).unwrap();
        let seen = run(daemon, &["--device", "vendor.com/nic=one", "--network", "none"], "ls /sys/class/net");
        let _ = ip(&["link", "del", &ends[1]]);
        assert_eq!(seen, "eth7\nlo\n");
    });
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn gpus_without_a_driver() {
    let mut daemon = Daemon::with_flags(&["--cdi-spec-dir", "/nowhere"]);
    daemon.import("busybox");
    through_both(&mut daemon, |daemon| {
        let refused = daemon.run(&["run", "--rm", "--gpus", "all", "busybox", "true"]).status(125);
        let words = "could not select device driver \"\" with capabilities: [[gpu]]";
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    });
}
