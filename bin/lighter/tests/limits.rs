//! Limits of memory, processors, processes and block devices, as the kernel has them in the end.

use testkit::{Daemon, eventually, through_both};

fn is_v2() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// Flags; file and text on cgroup v1, and on v2, below `/sys/fs/cgroup`. An empty file: nothing to be had there.
type Row = (&'static str, (&'static str, &'static str), (&'static str, &'static str));

const ROWS: &[Row] = &[
    ("--memory=100m", ("memory/memory.limit_in_bytes", "104857600"), ("memory.max", "104857600")),
    ("--memory=100m --memory-swap=100m", ("memory/memory.memsw.limit_in_bytes", "104857600"), ("memory.swap.max", "0")),
    ("--memory=100m", ("memory/memory.memsw.limit_in_bytes", "209715200"), ("memory.swap.max", "104857600")),
    ("--memory=100m --memory-swap=-1", ("memory/memory.limit_in_bytes", "104857600"), ("memory.swap.max", "max")),
    ("--memory-reservation=50m", ("memory/memory.soft_limit_in_bytes", "52428800"), ("memory.low", "52428800")),
    ("--memory-swappiness=50", ("memory/memory.swappiness", "50"), ("", "")),
    (
        "--oom-kill-disable -m 50m",
        ("memory/memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 0"),
        ("", ""),
    ),
    ("--cpus=.5", ("cpu/cpu.cfs_quota_us", "50000"), ("cpu.max", "50000 100000")),
    ("--cpu-quota=20000 --cpu-period=50000", ("cpu/cpu.cfs_period_us", "50000"), ("cpu.max", "20000 50000")),
    ("--cpu-shares=512", ("cpu/cpu.shares", "512"), ("cpu.weight", "59")),
    ("-c 2", ("cpu/cpu.shares", "2"), ("cpu.weight", "1")),
    ("--cpuset-cpus=0", ("cpuset/cpuset.cpus", "0"), ("cpuset.cpus", "0")),
    ("--cpuset-mems=0", ("cpuset/cpuset.mems", "0"), ("cpuset.mems", "0")),
    ("--pids-limit=20", ("pids/pids.max", "20"), ("pids.max", "20")),
    ("--pids-limit=-1", ("pids/pids.max", "max"), ("pids.max", "max")),
];

#[test]
fn every_limit_reaches_its_file() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (flags, v1, v2) in ROWS {
            let (file, expected) = if is_v2() { *v2 } else { *v1 };
            if file.is_empty() {
                continue;
            }
            let mut args = vec!["run", "--rm"];
            args.extend(flags.split(' '));
            let path = format!("/sys/fs/cgroup/{file}");
            args.extend(["busybox", "cat", &path]);
            assert_eq!(daemon.run(&args).ok().text(), expected, "{flags}");
        }
    });
}

/// A block device of this machine, and its numbers.
fn disk() -> Option<(String, String)> {
    let names = std::fs::read_dir("/sys/block").ok()?.flatten().map(|entry| entry.file_name().into_string().unwrap());
    let name = names.into_iter().find(|name| ["vd", "sd", "nvme", "xvd"].iter().any(|kind| name.starts_with(kind)))?;
    let numbers = std::fs::read_to_string(format!("/sys/block/{name}/dev")).ok()?;
    Some((format!("/dev/{name}"), numbers.trim().to_owned()))
}

#[test]
fn rates_of_block_devices() {
    let Some((path, numbers)) = disk() else { return };
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (flag, v1, key) in [
            ("--device-read-bps", "read_bps", "rbps"),
            ("--device-write-bps", "write_bps", "wbps"),
            ("--device-read-iops", "read_iops", "riops"),
            ("--device-write-iops", "write_iops", "wiops"),
        ] {
            let file = if is_v2() { "io.max".into() } else { format!("blkio/blkio.throttle.{v1}_device") };
            let flag = format!("{flag}={path}:2048");
            let got = daemon.run(&["run", "--rm", &flag, "busybox", "cat", &format!("/sys/fs/cgroup/{file}")]).ok();
            let expected = if is_v2() { format!("{key}=2048") } else { format!("{numbers} 2048") };
            assert!(got.text().starts_with(&numbers) && got.text().contains(&expected), "{flag}: {}", got.text());
        }
        let missing =
            daemon.run(&["run", "--rm", "--device-read-bps=/dev/not-there:1mb", "busybox", "true"]).status(127);
        assert!(missing.stderr.contains("stat /dev/not-there: no such file or directory"), "{}", missing.stderr);
    });
}

/// The seed's `mem-muncher`, with what every image has.
#[test]
fn who_eats_more_than_his_limit_is_killed() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let flags = ["run", "--name", "mem-muncher", "--memory=100m", "--memory-swap=100m"];
        daemon.run(&[&flags[..], &["busybox", "tail", "/dev/zero"]].concat()).status(137);
        assert_eq!(daemon.inspect("mem-muncher", "{{.State.ExitCode}} {{.State.OOMKilled}}"), "137 true");
        daemon.run(&["rm", "mem-muncher"]).ok();
    });
}

#[test]
fn limits_of_a_process() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let flags = ["--ulimit", "nofile=100:200", "--ulimit", "core=0", "--oom-score-adj", "100", "--shm-size", "10m"];
        let script = "ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj; df -k /dev/shm | tail -n 1 | awk '{print $2}'";
        let sysctls = ["--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=4096"];
        let args = [&["run", "--rm"][..], &flags, &sysctls, &["busybox", "sh", "-c"]].concat();
        let more = "; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax";
        daemon
            .run(&[&args[..], &[&format!("{script}{more}")]].concat())
            .ok()
            .stdout("100\n200\n0\n100\n10240\n0\n4096\n");
    });
}

#[test]
fn what_cannot_be_is_said() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (flags, words) in [
            ("--memory=5m", "Minimum memory limit allowed is 6MB"),
            ("--memory=10m --memory-swap=7m", "Minimum memoryswap limit should be larger than memory limit, see usage"),
            ("--cpus=4096", "range of CPUs is from 0.01 to"),
            ("--cpuset-cpus=4095", "Requested CPUs are not available - requested 4095, available: "),
            ("--blkio-weight=5", "Range of blkio weight is from 10 to 1000"),
            ("--oom-score-adj=2000", "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
            ("--cpu-rt-runtime=9 --cpu-rt-period=5", "cpu real-time"),
            ("--isolation=hyperv", "invalid isolation (hyperv): linux only supports 'default'"),
            ("--cgroup-parent=/a/../b", "invalid cgroup parent"),
        ] {
            let mut args = vec!["run", "--rm"];
            args.extend(flags.split(' '));
            args.extend(["busybox", "true"]);
            let refused = daemon.run(&args);
            // a kernel without weights drops them, as Docker does
            let dropped = flags.starts_with("--blkio-weight") && refused.stderr.contains("Weight discarded");
            let said = refused.status == 125 && refused.stderr.contains(words);
            assert!(said || dropped, "{flags}: {}", refused.stderr);
        }
    });
}

#[test]
fn a_parent_of_its_own_and_nothing_left_of_it() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let parent = format!("/lighter-parent-{}", std::process::id());
    let left = || {
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
        let places = hierarchies.map(|h| h.path().join(&parent[1..])).chain([format!("/sys/fs/cgroup{parent}").into()]);
        let groups = places.flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten());
        groups.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).count()
    };
    daemon.run(&["run", "-d", "--name", "kept", "--cgroup-parent", &parent, "busybox", "sleep", "1000"]).ok();
    assert!(left() > 0);
    let shim = rustix::process::Pid::from_raw(daemon.shim("kept").cast_signed()).unwrap();
    daemon.kill();
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    daemon.start_again();
    assert_eq!(daemon.inspect("kept", "{{.State.Status}}"), "exited");
    eventually("the group of the killed container goes", || left() == 0);
    daemon.run(&["start", "kept"]).ok();
    daemon.run(&["rm", "-f", "kept"]).ok();
    eventually("the group of the removed container goes", || left() == 0);
    let parents =
        || std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().any(|h| h.path().join(&parent[1..]).exists());
    eventually("and with it what was made above it", || !parents());
}

#[test]
fn parents_go_with_the_last_that_needs_them() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let top = format!("lighter-top-{}", std::process::id());
    let places = || -> Vec<_> {
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|h| h.path());
        hierarchies.chain([std::path::PathBuf::from("/sys/fs/cgroup")]).map(|h| h.join(&top)).collect()
    };
    let there = |below: &str| places().iter().any(|place| place.join(below).is_dir());
    for (name, below) in [("one", "a"), ("two", "a"), ("three", "b")] {
        let parent = format!("/{top}/{below}");
        daemon.run(&["run", "-d", "--name", name, "--cgroup-parent", &parent, "busybox", "sleep", "1000"]).ok();
    }
    daemon.run(&["rm", "-f", "one"]).ok();
    daemon.run(&["stop", "-t", "0", "two"]).ok();
    assert!(there("a") && there("b"));
    daemon.run(&["rm", "two"]).ok();
    eventually("no other has it", || !there("a"));
    assert!(there("b"));
    // somebody else's group in it
    let theirs = places().into_iter().find(|place| place.is_dir()).unwrap().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    daemon.run(&["rm", "-f", "three"]).ok();
    eventually("the rest goes", || !there("b"));
    let (still, others) = (theirs.is_dir(), places().iter().filter(|place| place.is_dir()).count());
    std::fs::remove_dir(&theirs).unwrap();
    assert_eq!((still, others), (true, 1));
    daemon.kill();
    daemon.start_again();
    eventually("a later daemon finds it empty", || places().iter().all(|place| !place.exists()));
}
