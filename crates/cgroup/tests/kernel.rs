//! Against the machine's own hierarchies; needs root.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cgroup::{Cgroup, Hierarchy, Host, Version};
use oci::runtime::Resources;
use rustix::event::{PollFd, PollFlags};

/// A group of its own, removed at the end of the test with all its processes.
struct Group(Cgroup);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.0.thaw();
        let _ = self.0.kill_all();
        let _ = self.0.remove();
        if let Some((parent, _)) = self.0.path().rsplit_once('/') {
            let _ = Cgroup::open(parent).and_then(|parent| parent.remove());
        }
    }
}

fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("/lighter-test-{}-{}/c", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn group(resources: &str) -> Group {
    let resources: Resources = serde_json::from_str(resources).unwrap();
    Group(Cgroup::create(&name(), &resources).unwrap())
}

/// Moves somebody else's process in.
fn join(group: &Cgroup, pid: u32) {
    for view in group.views() {
        std::fs::write(view.path.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

/// A process that sleeps until killed.
struct Sleeper(Child);

impl Sleeper {
    fn new(group: &Cgroup) -> Self {
        let child = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let sleeper = Self(child);
        join(group, sleeper.0.id());
        sleeper
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn limits_are_set_and_changed() {
    let group = group(
        r#"{"memory":{"limit":67108864,"swap":67108864},"pids":{"limit":17},"cpu":{"shares":512,"quota":50000,"period":100000,"cpus":"0"}}"#,
    );
    if group.0.version() == Version::V2 {
        assert_eq!(group.0.read("memory", "memory.max").unwrap().trim(), "67108864");
        return;
    }
    let read = |controller, file| group.0.read(controller, file).unwrap().trim().to_owned();
    assert_eq!(read("memory", "memory.limit_in_bytes"), "67108864");
    assert_eq!(read("pids", "pids.max"), "17");
    assert_eq!(read("cpu", "cpu.shares"), "512");
    assert_eq!(read("cpu", "cpu.cfs_quota_us"), "50000");
    assert_eq!(read("cpuset", "cpuset.cpus"), "0");
    for limit in ["134217728", "33554432"] {
        let change = format!(r#"{{"memory":{{"limit":{limit},"swap":{limit}}}}}"#);
        group.0.update(&serde_json::from_str(&change).unwrap()).unwrap();
        assert_eq!(read("memory", "memory.limit_in_bytes"), limit);
    }
}

#[test]
fn a_change_is_whole_or_none() {
    let resources = |text: &str| serde_json::from_str::<Resources>(text).unwrap();
    let before = r#"{"memory":{"limit":67108864},"cpu":{"shares":512,"cpus":"0"}}"#;
    let group = group(before);
    let (memory, shares) = match group.0.version() {
        Version::V1 => ("memory.limit_in_bytes", "cpu.shares"),
        Version::V2 => ("memory.max", "cpu.weight"),
    };
    let read = || [group.0.read("memory", memory).unwrap(), group.0.read("cpu", shares).unwrap()];
    let first = read();
    let refused = resources(r#"{"memory":{"limit":33554432},"cpu":{"shares":1024,"cpus":"4000"}}"#);
    let error = group.0.change(&resources(before), &refused).unwrap_err();
    assert!(error.message.contains("cpuset.cpus"), "{error}");
    assert_eq!(read(), first);
    let wanted = resources(r#"{"memory":{"limit":33554432},"cpu":{"shares":1024,"cpus":"0"}}"#);
    group.0.change(&resources(before), &wanted).unwrap();
    assert_eq!(read()[0].trim(), "33554432");
}

#[test]
fn usage_is_counted() {
    let group = group("{}");
    let mut burn =
        Command::new("sh").args(["-c", "read x; while :; do :; done"]).stdin(Stdio::piped()).spawn().unwrap();
    join(&group.0, burn.id());
    drop(burn.stdin.take());
    let begin = Instant::now();
    while group.0.usage().unwrap().cpu.total < 5_000_000 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", group.0.usage());
    }
    let usage = group.0.usage().unwrap();
    assert_eq!((usage.pids.current, usage.pids.limit), (1, None));
    assert!(usage.memory.limit.is_none() && !usage.memory.stat.is_empty(), "{usage:?}");
    burn.kill().and_then(|()| burn.wait()).unwrap();
    group.0.remove().unwrap();
    assert!(group.0.usage().is_err());
}

#[test]
fn a_bad_limit_leaves_nothing() {
    let name = name();
    let resources = serde_json::from_str(r#"{"cpu":{"cpus":"4000"}}"#).unwrap();
    let error = Cgroup::create(&name, &resources).unwrap_err();
    assert!(error.message.contains("cpuset.cpus"), "{error}");
    assert!(Cgroup::open(&name).is_err());
    let (parent, _) = name.rsplit_once('/').unwrap();
    Cgroup::open(parent).unwrap().remove().unwrap();
}

#[test]
fn bad_paths() {
    for path in ["", "/", "/../x", "/a/../../x"] {
        assert!(Cgroup::create(path, &Resources::default()).is_err(), "{path}");
    }
}

#[test]
fn join_freeze_kill_remove() {
    let group = group("{}");
    let mut sleeper = Sleeper::new(&group.0);
    let pid = sleeper.0.id() as i32;
    assert_eq!(group.0.pids().unwrap(), [pid]);
    assert!(Cgroup::create(group.0.path(), &Resources::default()).unwrap_err().message.contains("not empty"));
    group.0.freeze(Duration::from_secs(2)).unwrap();
    assert!(group.0.frozen().unwrap());
    group.0.thaw().unwrap();
    assert!(!group.0.frozen().unwrap());
    group.0.freeze(Duration::from_secs(2)).unwrap();
    group.0.kill_all().unwrap();
    sleeper.0.wait().unwrap();
    group.0.remove().unwrap();
    assert!(Cgroup::open(group.0.path()).is_err());
}

#[test]
fn busy_groups_do_not_hang_removal() {
    let group = group("{}");
    let _sleeper = Sleeper::new(&group.0);
    let start = Instant::now();
    assert!(group.0.remove().is_err());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn memory_exhaustion_is_told() {
    let group = group(r#"{"memory":{"limit":8388608,"swap":8388608}}"#);
    let mut watch = group.0.oom_watch().unwrap();
    let mut hog = Command::new("sh")
        .args(["-c", "read go; exec tail /dev/zero"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    join(&group.0, hog.id());
    drop(hog.stdin.take());
    hog.wait().unwrap();
    let timeout = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
    let ready = rustix::event::poll(&mut [PollFd::new(&watch.as_fd(), PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(ready, 1);
    assert_eq!(watch.take().unwrap(), 1);
    assert_eq!(group.0.oom_count().unwrap(), 1);
    assert!(group.0.memory_peak().unwrap() > 4 << 20);
}

/// The unified hierarchy is there on a hybrid host too, with few or no controllers.
#[test]
fn unified() {
    let Some(mount) = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.join("cgroup.controllers").exists())
    else {
        return;
    };
    let host = Host {
        version: Version::V2,
        hierarchies: vec![Hierarchy { controllers: Vec::new(), mount: mount.to_owned() }],
    };
    let resources = serde_json::from_str(
        r#"{"devices":[{"allow":false},{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}]}"#,
    )
    .unwrap();
    let name = name();
    let group = Cgroup::create_on(&host, &name, &resources).unwrap();
    let directory = group.clone_into().unwrap().unwrap();
    let what = sys::clone::Clone { cgroup: Some(directory.as_fd()), ..Default::default() };
    let child = sys::clone::spawn(&what, || {
        let open = |path| rustix::fs::open(path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
        let zero = open(c"/dev/zero");
        if open(c"/dev/null").is_ok() && zero.is_err() {
            loop {
                rustix::event::pause();
            }
        }
        1
    })
    .unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let found = group.pids();
    let frozen = group.freeze(Duration::from_secs(2));
    let killed = group.kill_all();
    let wait = rustix::process::waitid(
        rustix::process::WaitId::PidFd(child.pidfd.as_fd()),
        rustix::process::WaitIdOptions::EXITED,
    );
    let removed = group.remove();
    let _ = std::fs::remove_dir(mount.join(name.trim_start_matches('/')).parent().unwrap());
    assert_eq!(found.unwrap(), [child.pid]);
    frozen.unwrap();
    killed.unwrap();
    removed.unwrap();
    assert_eq!(wait.unwrap().unwrap().terminating_signal(), Some(9));
}

#[test]
fn a_process_moves_itself_in() {
    let group = group("{}");
    let doors = group.0.doors().unwrap();
    if group.0.version() == Version::V2 {
        assert!(doors.is_empty());
        return;
    }
    let child = sys::clone::spawn(&sys::clone::Clone::default(), || {
        if doors.iter().all(|(_, door)| rustix::io::write(door, b"0").is_ok()) {
            loop {
                rustix::event::pause();
            }
        }
        1
    })
    .unwrap();
    let places = || std::fs::read_to_string(format!("/proc/{}/cgroup", child.pid)).unwrap();
    let begin = Instant::now();
    while places().matches(group.0.path()).count() < doors.len() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", places());
    }
    assert_eq!(group.0.pids().unwrap(), [child.pid]);
}
