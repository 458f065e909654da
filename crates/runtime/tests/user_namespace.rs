//! Containers whose root is nobody outside.

mod support;

use std::os::unix::fs::MetadataExt;

use oci::runtime::{IdMapping, Namespace, NamespaceKind, Rlimit};
use runtime::{Fds, Launch, Stdio};
use support::{Live, Scratch, read_all, run, sh, wait};

fn remap(launch: &mut Launch) {
    let range = IdMapping { container_id: 0, host_id: 100_000, size: 65_536 };
    let linux = launch.spec.linux.as_mut().unwrap();
    (linux.uid_mappings, linux.gid_mappings) = (vec![range], vec![range]);
    linux.namespaces.push(Namespace { kind: NamespaceKind::User, path: String::new() });
    let process = launch.spec.process.as_mut().unwrap();
    process.oom_score_adj = Some(10);
    process.rlimits = vec![Rlimit { kind: "RLIMIT_NOFILE".to_owned(), soft: 1000, hard: 2000 }];
    launch.map_root = true;
}

#[test]
fn root_inside_is_nobody_outside_and_the_disk_does_not_tell() {
    let scratch = Scratch::new();
    let script = "id -u; cat /proc/self/uid_map; stat -c '%u %g' /bin/busybox /dev/null; ulimit -Hn; cat /proc/self/oom_score_adj; \
        touch /data/mine && chmod 640 /data/mine; dd if=/dev/zero of=/dev/null count=1 2>&1 | head -n 1; mount | grep -c ' on /proc '; \
        mknod /data/x c 1 3 2>&1; hostname; ls /sys/class/net; touch /bin/busybox && stat -c '%u' /bin/busybox";
    let mut launch = scratch.launch(&["sh", "-c", script]);
    remap(&mut launch);
    let (status, out, err) = run(&launch).unwrap();
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    let lines: Vec<String> = out.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[..4], ["0", "0 100000 65536", "0 0", "0 0"], "{out}");
    assert_eq!(lines[4..8], ["2000", "10", "1+0 records in", "1"], "{out}");
    assert_eq!(lines[8..], ["mknod: /data/x: Operation not permitted", "box", "lo", "0"], "{out}");
    let mine = std::fs::metadata(scratch.path.join("upper/data/mine")).unwrap();
    assert_eq!((mine.uid(), mine.gid(), mine.mode() & 0o777), (0, 0, 0o640));
    // copied up with its owner
    assert_eq!(std::fs::metadata(scratch.path.join("upper/bin/busybox")).unwrap().uid(), 0);
}

#[test]
fn users_terminals_and_execs() {
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["sh", "-c", "tty; stat -c '%u %g' /dev/pts/0; id -u; echo ok > /dev/tty"]);
    remap(&mut launch);
    launch.user = Some("app".to_owned());
    let fds = Fds::from(Stdio::Terminal { rows: 5, cols: 5 });
    let mut running = runtime::create(&launch, fds).unwrap().start().unwrap();
    let out = read_all(running.console.take().unwrap());
    assert_eq!((wait(&running.pidfd), out.as_str()), (0, "/dev/pts/0\r\n1000 5\r\n1000\r\nok\r\n"));
    running.cgroup.remove().unwrap();

    assert_eq!(sh("cat /proc/self/uid_map").split_whitespace().collect::<Vec<_>>(), ["0", "0", "4294967295"]);
    let live = Live::new(|launch| {
        remap(launch);
        let linux = launch.spec.linux.as_mut().unwrap();
        linux.namespaces.retain(|namespace| namespace.kind != NamespaceKind::Cgroup);
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", live.running.pid)).unwrap();
    assert!(status.lines().any(|line| line == "Uid:\t100000\t100000\t100000\t100000"), "{status}");
    let (code, out, err) = live
        .exec(
            |exec| {
                exec.user = Some("app".to_owned());
                exec.process.rlimits = vec![Rlimit { kind: "RLIMIT_NOFILE".to_owned(), soft: 70, hard: 90 }];
            },
            &["sh", "-c", "id -u; ulimit -Hn; echo x > /dev/stdout; cat /proc/self/uid_map"],
        )
        .unwrap();
    assert_eq!((code, err.as_str()), (0, ""));
    let words: Vec<&str> = out.split_whitespace().collect();
    assert_eq!(words, ["1000", "90", "x", "0", "100000", "65536"]);
}

#[test]
fn the_donors_ids_come_with_its_namespaces() {
    let donor = Live::new(remap);
    let pid = donor.running.pid;
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["sh", "-c", "ps | grep -c sleep; id -u; touch /data/y"]);
    remap(&mut launch);
    let linux = launch.spec.linux.as_mut().unwrap();
    for namespace in &mut linux.namespaces {
        let file = match namespace.kind {
            NamespaceKind::Pid => "pid",
            NamespaceKind::User => "user",
            NamespaceKind::Network => "net",
            NamespaceKind::Ipc => "ipc",
            _ => continue,
        };
        namespace.path = format!("/proc/{pid}/ns/{file}");
    }
    let (status, out, err) = run(&launch).unwrap();
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.ends_with("0\n") && !out.starts_with("0\n"), "{out}");
}
