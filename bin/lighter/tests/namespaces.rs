//! Whose ids, processes, names and queues a container has.

use testkit::{Daemon, through_both};

const REMAP: &[&str] = &["--userns-remap", "default"];

#[test]
fn root_of_a_remapped_container_is_nobody_outside() {
    let mut daemon = Daemon::with_flags(REMAP);
    daemon.import("busybox");
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "-d", "--name", "web", "--cap-add", "NET_ADMIN", "busybox", "sleep", "1000"]).ok();
        let pid = daemon.inspect("web", "{{.State.Pid}}");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(!status.contains("Uid:\t0\t") && status.contains("Uid:\t1"), "{status}");
        daemon
            .run(&["exec", "web", "sh", "-c", "id -u && ip link set lo down && echo ruled"])
            .ok()
            .stdout("0\nruled\n");
        let script = "echo x >> /etc/hosts && touch /etc/passwd && stat -c %u /etc/passwd /bin/sh && ping -c 1 127.0.0.1 > /dev/null";
        daemon.run(&["run", "--rm", "busybox", "sh", "-c", script]).ok().stdout("0\n0\n");
        let shared = ["run", "--rm", "--pid", "container:web", "--net", "container:web", "busybox", "pidof", "sleep"];
        daemon.run(&shared).ok().stdout("1\n");
        daemon.run(&["rm", "-f", "web"]).ok();
    });
}

#[test]
fn the_hosts_ids_on_request() {
    let mut daemon = Daemon::with_flags(REMAP);
    daemon.import("busybox");
    through_both(&mut daemon, |daemon| {
        let map = |flags: &[&str]| {
            let args = [&["run", "--rm"][..], flags, &["busybox", "cat", "/proc/self/uid_map"]].concat();
            daemon.run(&args).ok().text().split_whitespace().nth(1).map(str::to_owned)
        };
        assert_ne!(map(&[]).as_deref(), Some("0"));
        assert_eq!(map(&["--userns=host", "--privileged"]).as_deref(), Some("0"));
        let refused = daemon.run(&["run", "--rm", "--privileged", "busybox", "true"]).status(125);
        assert!(refused.stderr.contains("privileged mode is incompatible with user namespaces"), "{}", refused.stderr);
        assert!(daemon.run(&["info"]).ok().stdout.contains("userns"));
    });
}

#[test]
fn a_container_made_before_the_remapping_goes_on_with_its_files() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let script = "ls /kept 2> /dev/null; touch /kept; stat -c %u /kept; cut -c 11-21 /proc/self/uid_map";
    daemon.run(&["run", "--name", "old", "busybox", "sh", "-c", script]).ok();
    daemon.stop();
    daemon.set_flags(REMAP);
    daemon.start_again();
    let again = daemon.run(&["start", "-a", "old"]).ok();
    assert!(again.stdout.starts_with("/kept\n0\n") && !again.stdout.ends_with(" 0\n"), "{}", again.stdout);
}

#[test]
fn unknown_users_are_refused_at_the_start() {
    let refused = std::process::Command::new(testkit::binaries().join("lighter"))
        .args(["daemon", "--data-root", "/tmp/lighter-test-none", "--exec-root", "/tmp/lighter-test-none-run"])
        .args(["-H", "unix:///tmp/lighter-test-none-run/sock", "--userns-remap", "nobody-of-that-name"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("no such user \"nobody-of-that-name\""), "{told}");
    let _ = std::fs::remove_dir_all("/tmp/lighter-test-none");
    let _ = std::fs::remove_dir_all("/tmp/lighter-test-none-run");
}

#[test]
fn processes_names_and_cgroups_of_the_host_or_of_another() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
        let own = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
        for (flags, kind) in [(["--pid", "host"], "pid"), (["--uts", "host"], "uts"), (["--ipc", "host"], "ipc")] {
            let link = format!("/proc/self/ns/{kind}");
            let got = daemon.run(&["run", "--rm", flags[0], flags[1], "busybox", "readlink", &link]).ok();
            assert_eq!(got.text(), own(kind), "{flags:?}");
        }
        for (mode, private) in [("private", true), ("host", false)] {
            let got =
                daemon.run(&["run", "--rm", "--cgroupns", mode, "busybox", "readlink", "/proc/self/ns/cgroup"]).ok();
            assert_eq!(got.text() != own("cgroup"), private, "{mode}");
        }
        daemon.run(&["run", "--rm", "--pid", "container:web", "busybox", "pidof", "sleep"]).ok().stdout("1\n");
        daemon.run(&["rm", "-f", "web"]).ok();
        let gone = daemon.run(&["run", "--rm", "--pid", "container:web", "busybox", "true"]).status(125);
        assert!(gone.stderr.contains("No such container: web"), "{}", gone.stderr);
    });
}

#[test]
fn names_and_further_groups() {
    let mut daemon = Daemon::with_images(&["debian"]);
    through_both(&mut daemon, |daemon| {
        let flags = ["--hostname", "box", "--domainname", "example.org", "--group-add", "mail", "--group-add", "4242"];
        let script = "cat /etc/hostname /proc/sys/kernel/domainname; id -G";
        daemon
            .run(&[&["run", "--rm"][..], &flags, &["debian", "sh", "-c", script]].concat())
            .ok()
            .stdout("box\nexample.org\n0 8 4242\n");
        let unknown = daemon.run(&["run", "--rm", "--group-add", "nobodys", "debian", "true"]).status(125);
        assert!(unknown.stderr.contains("unable to find group nobodys: no matching entries in group file"));
    });
}
