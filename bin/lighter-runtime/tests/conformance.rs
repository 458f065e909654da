//! The runtime specification's MUSTs, each by a test: docs/compat/oci-runtime.md says which is where.
//! Needs root and a static `/bin/busybox`.

mod support;

use serde_json::{Value, json};
use support::{Bundle, text};

// ---- runtime.md

#[test]
fn state_has_all_properties() {
    let b = Bundle::new(&["sleep", "1000"]);
    b.set("annotations", json!({"com.example.key": "value"}));
    b.ok(&["create", &b.id]);
    let state = b.state();
    assert_eq!((&state["id"], &state["status"]), (&json!(b.id), &json!("created")));
    assert_eq!(state["bundle"], b.path.to_str().unwrap());
    assert_eq!(state["annotations"], json!({"com.example.key": "value"}));
    assert!(state["pid"].as_u64().unwrap() > 0 && state["ociVersion"].as_str().unwrap().starts_with("1."));
}

#[test]
fn operations_without_an_id_or_a_container_fail() {
    let b = Bundle::new(&["true"]);
    for verb in ["state", "create", "start", "kill", "delete"] {
        let output = b.output(&[verb]);
        assert!(text(&output.stderr).contains("container id cannot be empty"), "{verb}: {output:?}");
    }
    for verb in ["state", "start", "kill", "delete"] {
        let output = b.output(&[verb, "nobody"]);
        assert!(!output.status.success() && text(&output.stderr).contains("container does not exist"), "{output:?}");
    }
}

#[test]
fn create_needs_a_bundle_and_a_new_valid_id() {
    let b = Bundle::new(&["sleep", "1000"]);
    let output = b.output(&["create", "--bundle", "/nowhere", &b.id]);
    assert!(!output.status.success() && b.state() == Value::Null);
    for id in ["", "../x", "a/b", ".."] {
        assert!(!b.output(&["create", id]).status.success(), "{id}");
    }
    b.ok(&["create", &b.id]);
    let pid = b.state()["pid"].clone();
    assert!(!b.output(&["create", &b.id]).status.success());
    assert_eq!(b.state()["pid"], pid, "the first one is untouched");
}

#[test]
fn the_program_runs_at_start_as_it_was_configured_at_create() {
    let b = Bundle::new(&["sh", "-c", "echo ran > /ran; sleep 1000"]);
    b.set("root.readonly", json!(false));
    b.ok(&["create", &b.id]);
    b.set("process.args", json!(["sh", "-c", "echo changed > /ran"]));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!b.path.join("rootfs/ran").exists());
    b.ok(&["start", &b.id]);
    assert_eq!(b.state()["status"], "running");
    support::eventually(|| std::fs::read_to_string(b.path.join("rootfs/ran")).is_ok_and(|text| text == "ran\n"));
    assert!(!b.output(&["start", &b.id]).status.success());
    assert_eq!(b.state()["status"], "running");
}

#[test]
fn kill_sends_the_signal_and_the_end_is_seen() {
    let b = Bundle::new(&["sh", "-c", "trap 'echo got > /got; exit 0' USR1; touch /up; while :; do sleep 0.01; done"]);
    b.set("root.readonly", json!(false));
    b.ok(&["create", &b.id]);
    assert!(!b.output(&["delete", &b.id]).status.success(), "created is not stopped");
    b.ok(&["start", &b.id]);
    support::eventually(|| b.path.join("rootfs/up").exists());
    assert!(!b.output(&["delete", &b.id]).status.success(), "running is not stopped");
    b.ok(&["kill", &b.id, "USR1"]);
    b.wait_for("stopped");
    assert!(b.path.join("rootfs/got").exists());
    assert!(!b.output(&["kill", &b.id, "TERM"]).status.success());
    assert!(!b.output(&["start", &b.id]).status.success());
    b.ok(&["delete", &b.id]);
    assert!(!b.output(&["delete", &b.id]).status.success());
    b.ok(&["create", &b.id]);
    b.ok(&["kill", &b.id, "KILL"]);
}

#[test]
fn delete_undoes_create_and_no_more() {
    let b = Bundle::new(&["true"]);
    let path = format!("/lighter-test-{}/inner", b.id);
    b.set("linux.cgroupsPath", json!(path));
    b.ok(&["create", &b.id]);
    let groups = || support::groups(&path);
    assert!(!groups().is_empty());
    b.ok(&["start", &b.id]);
    b.wait_for("stopped");
    b.ok(&["delete", &b.id]);
    assert_eq!(groups(), Vec::<std::path::PathBuf>::new());
    assert!(b.path.join("rootfs/bin/busybox").exists() && b.path.join("config.json").exists());
    support::groups(path.rsplit_once('/').unwrap().0).iter().for_each(|group| std::fs::remove_dir(group).unwrap());
}

// ---- hooks: runtime.md lifecycle, config.md POSIX-platform hooks

/// A host's hook which notes its name and what it was told.
fn noting(b: &Bundle, name: &str, end: &str) -> Value {
    let trace = b.path.join("trace");
    let script = format!("read -r state; echo \"{name} $state $FOO $0\" >> {}; {end}", trace.display());
    json!({"path": "/bin/sh", "args": ["zero", "-c", script, "arg0"], "env": ["PATH=/usr/bin:/bin", "FOO=bar"], "timeout": 10})
}

fn noted(b: &Bundle) -> Vec<String> {
    let text = std::fs::read_to_string(b.path.join("trace")).unwrap_or_default();
    text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn hooks_get_arguments_environment_and_state() {
    let b = Bundle::new(&["true"]);
    b.set("annotations", json!({"a": "b"}));
    b.set("hooks", json!({"createRuntime": [noting(&b, "x", "true")]}));
    b.ok(&["run", &b.id]);
    let text = std::fs::read_to_string(b.path.join("trace")).unwrap();
    assert!(text.ends_with(" bar arg0\n"), "{text}");
    let state: Value = serde_json::from_str(text.split_once(' ').unwrap().1.trim_end_matches(" bar arg0\n")).unwrap();
    assert_eq!((&state["id"], &state["status"]), (&json!(b.id), &json!("creating")));
    assert_eq!((&state["annotations"]["a"], &state["bundle"]), (&json!("b"), &json!(b.path.to_str().unwrap())));
}

#[test]
fn a_hook_that_fails_during_create_ends_it_and_poststop_follows() {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let b = Bundle::new(&["true"]);
        b.set("hooks", json!({"poststop": [noting(&b, "poststop", "true")]}));
        b.set(&format!("hooks.{kind}"), json!([noting(&b, "first", "exit 3"), noting(&b, "second", "true")]));
        b.is_refused("exit status 3");
        assert_eq!(noted(&b), ["first", "poststop"], "{kind}");
    }
}

#[test]
fn start_container_hooks_run_inside_and_their_failure_stops_the_container() {
    let b = Bundle::new(&["sh", "-c", "echo ran > /ran"]);
    b.set("root.readonly", json!(false));
    let script = "cat > /told; hostname > /hook; exit 4";
    let inside = json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}]);
    b.set("hooks", json!({"startContainer": inside, "poststop": [noting(&b, "poststop", "true")]}));
    b.ok(&["create", &b.id]);
    let output = b.output(&["start", &b.id]);
    assert!(text(&output.stderr).contains("exit status 4"), "{output:?}");
    assert_eq!((b.state(), noted(&b)), (Value::Null, vec!["poststop".to_owned()]), "it is undone");
    let read = |name: &str| std::fs::read_to_string(b.path.join("rootfs").join(name)).unwrap();
    assert_eq!(read("hook"), "lighter\n");
    let told: Value = serde_json::from_str(&read("told")).unwrap();
    assert_eq!((&told["status"], &told["pid"]), (&json!("created"), &json!(1)), "its pid as it is known in there");
    assert!(!b.path.join("rootfs/ran").exists());
}

#[test]
fn hooks_outside_are_told_the_pid_outside() {
    let b = Bundle::new(&["true"]);
    b.set(
        "hooks",
        json!({"createRuntime": [noting(&b, "out", "true")], "createContainer": [noting(&b, "in", "true")]}),
    );
    b.ok(&["run", &b.id]);
    let text = std::fs::read_to_string(b.path.join("trace")).unwrap();
    let pid = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim_end_matches(" bar arg0");
        serde_json::from_str::<Value>(line).unwrap()["pid"].as_i64().unwrap()
    };
    assert_eq!(pid("in "), 1);
    assert!(pid("out ") > 1, "{text}");
}

#[test]
fn poststart_failures_end_it_and_poststop_failures_are_warnings() {
    let b = Bundle::new(&["sleep", "1000"]);
    b.set("hooks", json!({"poststart": [noting(&b, "poststart", "exit 5")]}));
    b.ok(&["create", &b.id]);
    assert!(text(&b.output(&["start", &b.id]).stderr).contains("exit status 5"));
    assert_eq!(b.state(), Value::Null, "it is undone");
    let b = Bundle::new(&["true"]);
    let both = json!([noting(&b, "one", "exit 6"), noting(&b, "two", "true")]);
    b.set("hooks", json!({"poststop": both}));
    b.ok(&["run", "--keep", &b.id]);
    b.ok(&["--log", "log", "delete", &b.id]);
    assert_eq!(noted(&b), ["one", "two"]);
    assert!(std::fs::read_to_string(b.path.join("log")).unwrap().contains("level=warning"));
}

#[test]
fn hooks_need_an_absolute_path_and_a_positive_timeout() {
    let b = Bundle::new(&["true"]);
    for (hook, reason) in [
        (json!({"path": "sh"}), "must be absolute"),
        (json!({"path": "/bin/true", "timeout": 0}), "greater than zero"),
        (json!({"path": "/bin/sleep", "args": ["sleep", "9"], "timeout": 1}), "timed out"),
        (json!({"path": "/no/such"}), "exit status 127"),
    ] {
        b.set("hooks", json!({"createRuntime": [hook]}));
        b.is_refused(reason);
    }
}

// ---- config.md

#[test]
fn versions_and_roots() {
    for (version, reason) in [("", "ociVersion"), ("2.0.0", "ociVersion"), ("1.x", "ociVersion")] {
        let b = Bundle::new(&["true"]);
        b.set("ociVersion", json!(version)).is_refused(reason);
    }
    let b = Bundle::new(&["true"]);
    b.set("root.path", json!("nowhere")).is_refused("invalid rootfs");
    std::fs::write(b.path.join("file"), "").unwrap();
    b.set("root.path", json!("file")).is_refused("");
    b.set("root.path", json!(b.path.join("rootfs"))).set("root.readonly", json!(true));
    assert_eq!(b.says("touch /x 2>&1 || true"), "touch: /x: Read-only file system");
    b.set("root.readonly", json!(false));
    assert_eq!(b.says("touch /x && echo ok"), "ok");
}

#[test]
fn mounts_in_order_with_their_options() {
    let b = Bundle::new(&["true"]);
    std::fs::create_dir_all(b.path.join("source/below")).unwrap();
    std::fs::write(b.path.join("source/file"), "text").unwrap();
    let tmpfs =
        |at: &str, options: &[&str]| json!({"destination": at, "type": "tmpfs", "source": "tmpfs", "options": options});
    b.change(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.push(tmpfs("/a", &["noexec", "nosuid", "nodev", "size=64k", "mode=711"]));
        mounts.push(json!({"destination": "/a/b", "type": "bind", "source": "source", "options": ["rbind", "ro"]}));
        mounts.push(json!({"destination": "/a/f", "type": "none", "source": "source/file", "options": ["bind"]}));
        mounts.push(tmpfs("/a/b/below", &["ro"]));
    });
    let line = b.says("grep ' /a ' /proc/self/mountinfo; stat -c %a /a");
    for word in ["noexec", "nosuid", "nodev", "size=64k", "711"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert_eq!(b.says("cat /a/b/file /a/f"), "texttext");
    assert_eq!(b.says("touch /a/b/x /a/b/below/x 2>&1 | grep -c Read-only"), "2");
    b.change(|config| config["mounts"].as_array_mut().unwrap().push(tmpfs("/bin", &["tmpcopyup", "nosuid"])));
    assert_eq!(b.says("touch /bin/x && grep -c ' /bin rw,nosuid' /proc/self/mountinfo && cat /bin/x"), "1");
    assert!(!b.path.join("rootfs/bin/x").exists());
    b.change(|config| config["mounts"].as_array_mut().unwrap().push(tmpfs("relative", &[])));
    assert_eq!(b.says("grep -c ' /relative ' /proc/self/mountinfo"), "1");
    b.set("mounts", json!([{"destination": "/a/../b", "type": "tmpfs", "source": "x"}])).is_refused("`..`");
    b.set("mounts", json!([{"destination": "/a", "type": "nosuchfs", "source": "x"}])).is_refused("error mounting");
    b.set("mounts", json!([{"destination": "/a", "type": "bind", "source": "nowhere"}])).is_refused("no such file");
}

#[test]
fn mounts_change_what_is_mounted() {
    let b = Bundle::new(&["true"]);
    let mounts = |entries: &[Value]| {
        b.change(|config| {
            let list = config["mounts"].as_array_mut().unwrap();
            list.retain(|mount| mount["destination"] != "/a");
            list.extend(entries.iter().cloned());
        });
    };
    let entry = |options: &[&str]| json!({"destination": "/a", "type": "tmpfs", "source": "tmpfs", "options": options});
    mounts(&[entry(&["size=64k"]), entry(&["remount", "nosuid", "size=128k"])]);
    let line = b.says("grep ' /a ' /proc/self/mountinfo; touch /a/x && echo made");
    assert!(line.contains("nosuid") && line.contains("size=128k") && line.ends_with("made"), "{line}");
    mounts(&[entry(&["size=64k"]), entry(&["bind", "remount", "ro"])]);
    assert_eq!(b.says("touch /a/x 2>&1 | grep -c Read-only"), "1");
    mounts(&[entry(&["bind", "remount", "ro"])]);
    b.is_refused("error changing the mount");
    // what every file system takes
    mounts(&[entry(&["sync", "dirsync", "lazytime", "iversion", "async", "nolazytime", "loud", "silent", "defaults"])]);
    assert_eq!(b.says("touch /a/x && echo made"), "made");
}

#[test]
fn mounts_with_other_ids() {
    let b = Bundle::new(&["true"]);
    std::fs::create_dir(b.path.join("source")).unwrap();
    std::fs::write(b.path.join("source/file"), "").unwrap();
    let bind = |options: &[&str], ids: Value| {
        let mut mount = json!({"destination": "/m", "type": "none", "source": "source", "options": options});
        mount.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
        b.change(|config| {
            let list = config["mounts"].as_array_mut().unwrap();
            list.retain(|mount| mount["destination"] != "/m");
            list.push(mount);
        });
    };
    let to = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
    for options in [&["rbind"][..], &["bind", "idmap"], &["rbind", "ridmap"]] {
        bind(options, json!({"uidMappings": to(1234), "gidMappings": to(5678)}));
        assert_eq!(b.says("stat -c %u:%g /m/file"), "1234:5678", "{options:?}");
    }
    bind(&["bind", "idmap"], json!({"uidMappings": to(1234)}));
    b.is_refused("no uid or gid mappings");
    for option in ["idmap", "ridmap"] {
        bind(&["rbind", option], json!({}));
        b.is_refused("an id-mapped mount needs uidMappings and gidMappings");
    }
}

#[test]
fn the_process_is_as_configured() {
    let b = Bundle::new(&["true"]);
    b.set("process.cwd", json!("bin")).is_refused("must be an absolute path");
    b.set("process.cwd", json!("")).is_refused("must be an absolute path");
    b.set("process.cwd", json!("/bin")).set("process.args", json!([])).is_refused("no command specified");
    b.set("process.env", json!(["PATH=/bin", "A=1 2", "HOME=/h"]));
    b.set("process.args", json!(["env"]));
    assert_eq!(text(&b.output(&["run", &b.id]).stdout), "PATH=/bin\nA=1 2\nHOME=/h\n");
    assert_eq!(b.says("pwd"), "/bin");
    b.set("process.user", json!({"uid": 7, "gid": 8, "additionalGids": [9, 10], "umask": 0o27}));
    assert_eq!(b.says("id -u; id -g; id -G; umask"), "7\n8\n8 9 10\n0027");
    b.set("process.user", json!({"uid": 0, "gid": 0})).set("process.args", json!(["/bin/nosuch"]));
    b.is_refused("no such file or directory");
    // a size without a terminal means nothing
    b.set("process.consoleSize", json!({"height": 7, "width": 8}));
    assert_eq!(b.says("stty size 2>&1 | grep -c tty"), "1");
    b.change(|config| drop(config.as_object_mut().unwrap().remove("process")));
    b.is_refused("process property must not be empty");
}

#[test]
fn capabilities_limits_and_scores() {
    let b = Bundle::new(&["true"]);
    let some = json!(["CAP_CHOWN", "CAP_NET_RAW", "CAP_FLY"]);
    b.set("process.capabilities", json!({"bounding": some, "effective": ["CAP_CHOWN"], "permitted": some}));
    b.set("process.noNewPrivileges", json!(true));
    let script = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status | cut -f2";
    std::os::unix::fs::symlink("busybox", b.path.join("rootfs/bin/cut")).unwrap();
    let words = b.says(script);
    let sets: Vec<u64> = words.lines().map(|line| u64::from_str_radix(line, 16).unwrap()).collect();
    // Root gains by execve(2) what the bounding set allows.
    assert_eq!(sets, [0, 0x2001, 0x2001, 0x2001, 0, 1]);
    b.set("process.args", json!(["true"]));
    b.ok(&["--log", "log", "run", &b.id]);
    assert!(std::fs::read_to_string(b.path.join("log")).unwrap().contains("CAP_FLY"));
    b.set("process.rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]));
    b.set("process.oomScoreAdj", json!(321));
    assert_eq!(b.says("ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj"), "100\n200\n321");
    let twice = json!({"type": "RLIMIT_CORE", "soft": 1, "hard": 1});
    b.set("process.rlimits", json!([twice, twice])).is_refused("more than once");
    b.set("process.rlimits", json!([{"type": "RLIMIT_SKY", "soft": 1, "hard": 1}])).is_refused("RLIMIT_SKY");
}

#[test]
fn scheduling() {
    let b = Bundle::new(&["true"]);
    b.set("process.scheduler", json!({"policy": "SCHED_BATCH", "nice": 5}));
    b.set("process.ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0}));
    std::os::unix::fs::symlink("busybox", b.path.join("rootfs/bin/cut")).unwrap();
    assert_eq!(b.says("cut -d' ' -f19,41 /proc/self/stat; ionice -p $$"), "5 3\nidle");
    b.set("process.scheduler", json!({"policy": "SCHED_FANCY"})).is_refused("SCHED_FANCY");
    b.set("process.scheduler", Value::Null).set("process.ioPriority", json!({"class": "X", "priority": 9}));
    b.is_refused("\"X\"");
    let b = Bundle::new(&["sleep", "1000"]);
    b.set("process.execCPUAffinity", json!({"initial": "0", "final": "0"}));
    b.ok(&["run", "-d", &b.id]);
    let output = b.output(&["exec", &b.id, "grep", "Cpus_allowed_list", "/proc/self/status"]);
    assert_eq!(text(&output.stdout), "Cpus_allowed_list:\t0\n");
}

#[test]
fn names() {
    let b = Bundle::new(&["true"]);
    b.set("hostname", json!("inner")).set("domainname", json!("example.org"));
    assert_eq!(b.says("hostname; cat /proc/sys/kernel/domainname"), "inner\nexample.org");
    b.change(|config| config["linux"]["namespaces"].as_array_mut().unwrap().retain(|one| one["type"] != "uts"));
    b.is_refused("unable to set hostname without a private UTS namespace");
}

// ---- config-linux.md

#[test]
fn namespaces() {
    let b = Bundle::new(&["true"]);
    let all = ["pid", "net", "mnt", "ipc", "uts", "cgroup", "time"];
    let script = all.map(|kind| format!("readlink /proc/self/ns/{kind}")).join("; ");
    std::os::unix::fs::symlink("busybox", b.path.join("rootfs/bin/readlink")).unwrap();
    let own = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    b.change(|config| config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"})));
    let inside = b.says(&script);
    for (kind, line) in all.iter().zip(inside.lines()) {
        assert_ne!(line, own(kind), "{kind} is new");
    }
    b.set("linux.namespaces", json!([{"type": "mount"}])).set("hostname", json!(""));
    let inside = b.says(&script);
    for (kind, line) in all.iter().zip(inside.lines()).filter(|(kind, _)| **kind != "mnt") {
        assert_eq!(line, own(kind), "{kind} is inherited");
    }
    let joined = |path: &str| json!([{"type": "mount"}, {"type": "network", "path": path}]);
    b.set("linux.namespaces", joined("/proc/self/ns/ipc")).is_refused("");
    b.set("linux.namespaces", joined("/nowhere")).is_refused("no such file");
    b.set("linux.namespaces", joined("proc/self/ns/net")).is_refused("must be absolute");
    // what is no namespace at all, and would keep one waiting
    let fifo = b.path.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    b.set("linux.namespaces", joined(fifo.to_str().unwrap())).is_refused("");
    b.set("linux.namespaces", json!([{"type": "mount"}, {"type": "mount"}])).is_refused("duplicated");
}

/// Its root is where its processes are, and in no mount table: neither the host's nor that of who is joined.
#[test]
fn mount_namespaces_of_others() {
    let b = Bundle::new(&["sleep", "1000"]);
    std::os::unix::fs::symlink("busybox", b.path.join("rootfs/bin/readlink")).unwrap();
    let mut other = std::process::Command::new("unshare").args(["--mount", "sleep", "60"]).spawn().unwrap();
    let table = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let namespace = |pid: &dyn std::fmt::Display| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while namespace(&other.id()) == namespace(&"self") && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let path = format!("/proc/{}/ns/mnt", other.id());
    let joined = json!([{"type": "pid"}, {"type": "mount", "path": path}]);
    for (list, expected) in [(json!([{"type": "pid"}]), namespace(&"self")), (joined, namespace(&other.id()))] {
        b.set("linux.namespaces", list).set("hostname", json!(""));
        b.ok(&["run", "-d", &b.id]);
        assert_eq!(namespace(&b.state()["pid"]), expected);
        let script = "readlink /proc/self/ns/mnt; ls / /dev/pts; cat /proc/kcore; echo x > /dev/null; cd ../..; ls -d etc/fstab 2>&1";
        let seen = text(&b.output(&["exec", &b.id, "sh", "-c", script]).stdout);
        let inside = "\n/:\nbin\ndev\nproc\nsys\n\n/dev/pts:\nptmx\nls: etc/fstab: No such file or directory\n";
        assert_eq!(seen, format!("{}{inside}", expected.display()));
        let theirs = std::fs::read_to_string(format!("/proc/{}/mountinfo", other.id())).unwrap();
        assert!(![table(), theirs].iter().any(|table| table.contains(&b.id)));
        b.ok(&["delete", "--force", &b.id]);
    }
    let none = json!([{"type": "mount", "path": "/proc/self/ns/net"}]);
    b.set("linux.namespaces", none).is_refused("setns into mount namespace: invalid argument");
    other.kill().and_then(|()| other.wait()).unwrap();
}

#[test]
fn clocks() {
    let b = Bundle::new(&["true"]);
    b.change(|config| config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"})));
    b.set("linux.timeOffsets", json!({"boottime": {"secs": 1_000_000_000, "nanosecs": 5}, "monotonic": {"secs": 7}}));
    let uptime: f64 = b.says("cat /proc/uptime").split(' ').next().unwrap().parse().unwrap();
    assert!(uptime > 1e9, "{uptime}");
    b.change(|config| config["linux"]["namespaces"].as_array_mut().unwrap().retain(|one| one["type"] != "time"));
    b.is_refused("timeOffsets need a new time namespace");
}

#[test]
fn devices() {
    let b = Bundle::new(&["true"]);
    let node = |path: &str, kind: &str| json!({"path": path, "type": kind, "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4});
    let list =
        json!([node("/dev/fuse", "c"), node("/other/block", "b"), node("/dev/pipe", "p"), node("/dev/ptmx", "c")]);
    b.set("linux.devices", list).set("root.readonly", json!(false));
    let stat = "stat -c '%F %t,%T %a %u:%g'";
    for name in ["null 1,3", "zero 1,5", "full 1,7", "random 1,8", "urandom 1,9", "tty 5,0"] {
        let (name, number) = name.split_once(' ').unwrap();
        assert_eq!(b.says(&format!("{stat} /dev/{name}")), format!("character special file {number} 666 0:0"));
    }
    assert_eq!(b.says(&format!("{stat} /dev/fuse")), "character special file a,e5 640 3:4");
    assert_eq!(b.says(&format!("{stat} /other/block")), "block special file a,e5 640 3:4");
    assert_eq!(
        b.says("stat -c %F /dev/pipe /dev/pts/ptmx; stat -L -c %F /dev/ptmx; ls /dev/console 2>&1 | grep -c o.such"),
        "fifo\ncharacter special file\ncharacter special file\n1"
    );
    std::fs::write(b.path.join("rootfs/taken"), "").unwrap();
    b.set("linux.devices", json!([node("/taken", "c")])).is_refused("file exists");
    b.set("linux.devices", json!([node("/dev/x", "z")])).is_refused("unknown type");
}

#[test]
fn paths_sysctls_personality_and_propagation() {
    let b = Bundle::new(&["true"]);
    b.set("linux.maskedPaths", json!(["/proc/uptime", "/sys/kernel", "/no/such"]));
    b.set("linux.readonlyPaths", json!(["/proc/sys", "/no/such"]));
    b.set("linux.sysctl", json!({"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}));
    assert_eq!(
        b.says("cat /proc/uptime; ls /sys/kernel; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni"),
        "1\n77"
    );
    assert_eq!(b.says("(echo 0 > /proc/sys/net/ipv4/ip_forward) 2>&1 | grep -c Read-only"), "1");
    b.set("linux.personality", json!({"domain": "LINUX32"}));
    assert_eq!(b.says("uname -m"), "i686");
    b.set("linux.personality", json!({"domain": "BSD"})).is_refused("BSD");
    b.set("linux.personality", json!({"domain": "LINUX", "flags": ["X"]})).is_refused("personality flags");
    b.set("linux.personality", Value::Null);
    for (kind, mark) in [("shared", "shared:"), ("slave", ""), ("private", ""), ("unbindable", "unbindable")] {
        b.set("linux.rootfsPropagation", json!(kind));
        let line = b.says("grep ' / / ' /proc/self/mountinfo || grep -m1 ' / ' /proc/self/mountinfo");
        let (optional, none) = (line.split(" - ").next().unwrap(), mark.is_empty());
        assert!(
            if none {
                !optional.contains(':') || optional.contains("master:") || !optional.contains("shared:")
            } else {
                optional.contains(mark)
            },
            "{kind}: {line}"
        );
    }
    b.set("linux.rootfsPropagation", json!("sideways")).is_refused("sideways");
    b.set("linux.rootfsPropagation", json!("")).set("linux.sysctl", json!({"vm.swappiness": "1"}));
    b.is_refused("not in a separate kernel namespace");
    b.set("linux.sysctl", json!({})).set("linux.maskedPaths", json!(["proc/x"])).is_refused("must be absolute");
}

#[test]
fn unknown_properties_are_ignored_and_empty_keys_are_not() {
    let b = Bundle::new(&["true"]);
    for path in ["unknown", "process.unknown", "root.unknown", "linux.unknown", "linux.resources.unknown"] {
        b.set(path, json!({"a": [1]}));
    }
    b.set("annotations", json!({"com.example.unknown": ""}));
    assert_eq!(b.says("echo ok"), "ok");
    b.set("annotations", json!({"": "x"})).is_refused("a key must not be empty");
    b.set("annotations", json!({"a": 1})).is_refused("expected a string");
}

/// glossary.md: JSON in UTF-8, no name twice.
#[test]
fn documents_are_json() {
    let b = Bundle::new(&["true"]);
    let config = b.path.join("config.json");
    let whole = std::fs::read(&config).unwrap();
    let begun_with = |text: &[u8]| [text, &whole[1..]].concat();
    std::fs::write(&config, begun_with(b"{\"hostname\":\"\xff\",\"x\":1,")).unwrap();
    b.is_refused("unicode");
    std::fs::write(&config, begun_with(b"{\"root\":{\"path\":\"elsewhere\"},")).unwrap();
    b.is_refused("duplicate field `root`");
    std::fs::write(&config, [&whole[..], b"{}"].concat()).unwrap();
    b.is_refused("trailing characters");
}

/// features.md: what is listed is taken.
#[test]
fn features_are_kept() {
    let b = Bundle::new(&["true"]);
    let features: Value = serde_json::from_slice(&b.output(&["features"]).stdout).unwrap();
    for version in ["ociVersionMin", "ociVersionMax"] {
        b.set("ociVersion", features[version].clone());
        assert_eq!(b.says("echo ok"), "ok", "{version}");
    }
    b.set("process.capabilities", json!({"bounding": features["linux"]["capabilities"]}));
    b.set("process.args", json!(["true"]));
    b.ok(&["--log", "log", "run", &b.id]);
    let log = std::fs::read_to_string(b.path.join("log")).unwrap_or_default();
    assert!(!log.contains("is unknown"), "{log}");
    // what we lack ourselves is said, each
    let own = rustix::thread::capabilities(None).unwrap().permitted.bits();
    let lacking = (0..41).filter(|number| own & 1 << number == 0).count();
    assert_eq!(log.lines().filter(|line| line.contains("is not ours to give")).count(), lacking, "{log}");
    let seccomp = &features["linux"]["seccomp"];
    for action in seccomp["actions"].as_array().unwrap().iter().filter(|action| *action != "SCMP_ACT_NOTIFY") {
        let rule = json!({"names": ["mkdir"], "action": action});
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": seccomp["archs"], "syscalls": [rule]});
        b.set("linux.seccomp", profile);
        assert_eq!(b.says("echo ok"), "ok", "{action}");
    }
    for operator in seccomp["operators"].as_array().unwrap() {
        let rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 1, "value": 7, "valueTwo": 7, "op": operator}]});
        b.set("linux.seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}));
        assert_eq!(b.says("echo ok"), "ok", "{operator}");
    }
    let all = features["linux"]["namespaces"].as_array().unwrap();
    let others = all.iter().filter(|kind| *kind != "user").map(|kind| json!({"type": kind})).collect();
    b.set("linux.seccomp", Value::Null).set("linux.namespaces", Value::Array(others));
    assert_eq!(b.says("echo ok"), "ok");
}

#[test]
fn what_this_runtime_lacks_is_said() {
    let b = Bundle::new(&["true"]);
    for (path, value, reason) in [
        ("linux.intelRdt", json!({"closID": "x"}), "no resctrl file system is mounted"),
        ("linux.mountLabel", json!("a:b:c"), "selinux is disabled or not supported"),
        ("process.selinuxLabel", json!("a:b:c"), "selinux is disabled or not supported"),
    ] {
        let b = Bundle::new(&["true"]);
        b.set(path, value).is_refused(reason);
    }
    assert!(text(&b.output(&["checkpoint", "--image-path", "x", &b.id]).stderr).contains("not supported"));
}

#[test]
fn seccomp() {
    let b = Bundle::new(&["true"]);
    let rule = |name: &str, action: &str, errno: Value| {
        let rule = json!({"names": [name], "action": action, "errnoRet": errno});
        json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [rule]})
    };
    b.set("linux.seccomp", rule("mkdir", "SCMP_ACT_ERRNO", json!(28)));
    assert_eq!(b.says("mkdir /proc/x 2>&1 | grep -c 'No space left'"), "1");
    b.set("linux.seccomp", rule("mkdir", "SCMP_ACT_ALLOW", json!(28))).is_refused("errnoRet");
    b.set("linux.seccomp", rule("mkdir", "SCMP_ACT_FLY", Value::Null)).is_refused("SCMP_ACT_FLY");
    let closed = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["nosuchcall"], "action": "SCMP_ACT_ERRNO"}, {"names": [], "action": "SCMP_ACT_ALLOW"}]});
    b.set("linux.seccomp", closed).is_refused("without names");
}

/// A process that answers for others' system calls: here nobody, once its end of the socket has all it wants to know.
struct Agent(std::os::unix::net::UnixListener);

impl Agent {
    /// What one connection brings: the state, and the filter's listener.
    fn told(&self) -> (Value, std::os::fd::OwnedFd) {
        let (mut socket, _) = self.0.accept().unwrap();
        let (mut text, mut fds) = (vec![0; 64 << 10], Vec::new());
        let length = sys::scm::receive(&socket, &mut text, &mut fds).unwrap();
        text.truncate(length);
        std::io::Read::read_to_end(&mut socket, &mut text).unwrap();
        (serde_json::from_slice(&text).unwrap(), fds.pop().unwrap())
    }
}

#[test]
fn seccomp_listeners_get_the_state_and_the_descriptor() {
    let b = Bundle::new(&["sh", "-c", "mkdir /tmp-x; echo $?; sleep 1000"]);
    let socket = b.path.join("agent");
    let agent = Agent(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"});
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket, "listenerMetadata": "some=thing",
        "syscalls": [rule]});
    b.set("linux.seccomp", profile).set("annotations", json!({"k": "v"})).set("root.readonly", json!(false));
    std::thread::scope(|scope| {
        let told = scope.spawn(|| agent.told());
        b.ok(&["run", "-d", &b.id]);
        let (state, listener) = told.join().unwrap();
        assert_eq!((&state["fds"], &state["metadata"]), (&json!(["seccompFd"]), &json!("some=thing")));
        assert_eq!((&state["state"]["id"], &state["state"]["status"]), (&json!(b.id), &json!("creating")));
        assert_eq!((&state["pid"], &state["state"]["pid"]), (&b.state()["pid"], &b.state()["pid"]));
        assert_eq!((&state["state"]["bundle"], &state["state"]["annotations"]["k"]), (&json!(b.path), &json!("v")));
        // the call is asked about, and waits
        let mut polled = [rustix::event::PollFd::new(&listener, rustix::event::PollFlags::IN)];
        let patience = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1));
        assert!(!b.path.join("rootfs/tmp-x").exists());
        // an exec's process is told of, too; with nobody to answer its call fails
        let told = scope.spawn(|| agent.told());
        let exec = scope.spawn(|| b.output(&["exec", &b.id, "sh", "-c", "mkdir /tmp-y"]));
        let (state, of_exec) = told.join().unwrap();
        assert_eq!((&state["state"]["status"], &state["state"]["id"]), (&json!("running"), &json!(b.id)));
        assert_ne!(state["pid"], b.state()["pid"]);
        drop((listener, of_exec));
        let exec = exec.join().unwrap();
        assert!(text(&exec.stderr).contains("Function not implemented"), "{exec:?}");
    });
    // a container is not made without somebody to ask
    let b = Bundle::new(&["true"]);
    let rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"});
    let profile = |path: &str| json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "syscalls": [rule]});
    b.set("linux.seccomp", profile("/nowhere")).is_refused("unable to hand over the seccomp listener");
    b.set("linux.seccomp", profile("")).is_refused("listenerPath is not set");
}

/// A pair of links in the host's namespace; what is left of it goes at the end.
struct Pair(String, String);

impl Pair {
    fn new(number: u32) -> Self {
        let name = |end: char| format!("lt{}{number}{end}", std::process::id() % 1_000_000);
        let pair = Self(name('a'), name('b'));
        ip(&["link", "add", &pair.0, "mtu", "1321", "type", "veth", "peer", "name", &pair.1]);
        pair
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.0, &self.1] {
            let _ = std::process::Command::new("ip").args(["link", "del", name]).output();
        }
    }
}

fn ip(args: &[&str]) {
    let output = std::process::Command::new("ip").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn network_devices_are_moved_with_their_addresses() {
    let b = Bundle::new(&["true"]);
    let pair = Pair::new(1);
    ip(&["link", "set", &pair.0, "up"]);
    ip(&["addr", "add", "10.222.3.4/24", "dev", &pair.0]);
    ip(&["addr", "add", "fd00:222::4/64", "dev", &pair.0, "nodad"]);
    b.set("linux.netDevices", json!({(pair.0.as_str()): {"name": "eth7"}}));
    let script = "cat /sys/class/net/eth7/mtu /sys/class/net/eth7/flags; grep -c 10.222.3.4 /proc/net/fib_trie; \
                  grep -c '^fd0002220000.* eth7$' /proc/net/if_inet6";
    let seen = b.says(script);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], "1321");
    assert_eq!(u32::from_str_radix(lines[1].trim_start_matches("0x"), 16).unwrap() & 1, 1, "it is up");
    assert!(lines[2] != "0" && lines[3] == "1", "{seen}");
    // it went with the namespace
    support::eventually(|| !std::path::Path::new("/sys/class/net").join(&pair.1).exists());

    let pair = Pair::new(2);
    b.set("linux.netDevices", json!({(pair.0.as_str()): {"name": "net%d"}}));
    assert_eq!(b.says("cat /sys/class/net/net0/mtu"), "1321");
    let pair = Pair::new(3);
    b.set("linux.netDevices", json!({(pair.0.as_str()): {"name": "lo"}}))
        .is_refused("there is a device \"lo\" already");
    assert!(std::path::Path::new("/sys/class/net").join(&pair.0).exists());
    b.set("linux.netDevices", json!({"nosuchdev0": {}})).is_refused("there is no such device");
    b.set("linux.netDevices", json!({"a/b": {}})).is_refused("invalid network device name");
    b.set("linux.netDevices", json!({(pair.0.as_str()): {}}));
    b.change(|config| {
        let list = config["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|namespace| namespace["type"] != "network");
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "sysfs");
    });
    b.is_refused("without a private NET namespace");
}

#[test]
fn memory_policies() {
    let b = Bundle::new(&["true"]);
    if !std::path::Path::new("/proc/self/numa_maps").exists() {
        b.set("linux.memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0"})).is_refused("memory policy");
        return;
    }
    b.set("linux.memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0"}));
    assert_ne!(b.says("grep -c 'bind:0' /proc/self/numa_maps"), "0");
    b.set("linux.memoryPolicy", json!({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}));
    assert_ne!(b.says("grep -c 'interleave=static:0' /proc/self/numa_maps"), "0");
    b.set("linux.memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": ""}))
        .is_refused("error setting the memory policy");
    b.set("linux.memoryPolicy", json!({"mode": "MPOL_WISH"})).is_refused("invalid memory policy mode");
}

#[test]
fn limits_at_create_and_by_update() {
    let b = Bundle::new(&["sleep", "1000"]);
    let path = format!("/lighter-test-{}/limits", b.id);
    b.set("linux.cgroupsPath", json!(path));
    b.set("linux.resources.memory", json!({"limit": 64 << 20, "reservation": 32 << 20}));
    b.set("linux.resources.cpu", json!({"shares": 512, "quota": 50000, "period": 100_000, "cpus": "0"}));
    b.set("linux.resources.pids", json!({"limit": 33}));
    b.ok(&["run", "-d", &b.id]);
    let v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let read = |v1: &str, file: &str| {
        let found = support::groups(&path).into_iter().map(|group| group.join(if v2 { file } else { v1 }));
        let text = found.filter_map(|file| std::fs::read_to_string(file).ok()).next().unwrap_or_default();
        text.trim().to_owned()
    };
    assert_eq!(read("memory.limit_in_bytes", "memory.max"), (64 << 20).to_string());
    assert_eq!(read("memory.soft_limit_in_bytes", "memory.low"), (32 << 20).to_string());
    assert_eq!(read("cpu.cfs_quota_us", "cpu.max"), if v2 { "50000 100000" } else { "50000" });
    assert_eq!((read("cpuset.cpus", "cpuset.cpus"), read("pids.max", "pids.max")), ("0".into(), "33".into()));
    b.ok(&["update", "--memory", "48m", "--pids-limit", "44", &b.id]);
    assert_eq!(read("memory.limit_in_bytes", "memory.max"), (48 << 20).to_string());
    std::fs::write(b.path.join("low"), r#"{"memory": {"limit": 4096, "checkBeforeUpdate": true}}"#).unwrap();
    let refused = b.output(&["update", "--resources", b.path.join("low").to_str().unwrap(), &b.id]);
    assert!(text(&refused.stderr).contains("unable to set memory limit to 4096"), "{refused:?}");
    assert_eq!(read("memory.limit_in_bytes", "memory.max"), (48 << 20).to_string());
    std::fs::write(b.path.join("more"), r#"{"pids": {"limit": 55}}"#).unwrap();
    b.ok(&["update", "--resources", "more", &b.id]);
    assert_eq!(read("pids.max", "pids.max"), "55");
    assert!(!b.output(&["update", "--memory", "much", &b.id]).status.success());
    let told: Value = serde_json::from_slice(&b.output(&["events", "--stats", &b.id]).stdout).unwrap();
    assert_eq!((&told["type"], &told["data"]["pids"]["limit"]), (&json!("stats"), &json!(55)));
    assert!(told["data"]["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
    let output = b.output(&["delete", "--force", &b.id]);
    assert!(output.status.success(), "{output:?}");
    support::groups(path.rsplit_once('/').unwrap().0).iter().for_each(|group| std::fs::remove_dir(group).unwrap());
    b.set("linux.resources", json!({"unified": {"nosuch.max": "1"}})).is_refused(if v2 {
        "nosuch"
    } else {
        "unified resources need cgroup v2"
    });
    support::groups(path.rsplit_once('/').unwrap().0).iter().for_each(|group| std::fs::remove_dir(group).unwrap());
}
