//! Containers that have a part of another's world.

use testkit::Daemon;

#[test]
fn a_network_and_its_names() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "-h", "web.example.org", "busybox", "sleep", "1000"]).ok();
    let script = "hostname; cat /etc/hostname; grep -c 'web.example.org web$' /etc/hosts";
    daemon
        .run(&["run", "--rm", "--network", "container:web", "busybox", "sh", "-c", script])
        .ok()
        .stdout("web.example.org\nweb.example.org\n1\n");
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn an_ipc_namespace_with_its_memory() {
    let daemon = Daemon::with_images(&["busybox"]);
    let sleep = ["busybox", "sleep", "1000"];
    daemon.run(&[&["run", "-d", "--name", "own"][..], &sleep].concat()).ok();
    daemon
        .run(&["run", "--rm", "--ipc", "container:own", "busybox", "true"])
        .status(125)
        .stderr_has("non-shareable IPC");
    daemon.run(&[&["run", "-d", "--name", "donor", "--ipc", "shareable"][..], &sleep].concat()).ok();
    let guest = |script: &str| daemon.run(&["run", "--rm", "--ipc", "container:donor", "busybox", "sh", "-c", script]);
    guest("echo hello > /dev/shm/word").ok();
    guest("cat /dev/shm/word").ok().stdout("hello\n");
    daemon.run(&["exec", "donor", "cat", "/dev/shm/word"]).ok().stdout("hello\n");
    daemon.run(&["rm", "-f", "own", "donor"]).ok();
}

#[test]
fn what_an_ipc_mode_means_for_the_shared_memory() {
    let daemon = Daemon::with_images(&["busybox"]);
    let host = format!("{}\n", std::fs::metadata("/dev/shm").map(|m| std::os::unix::fs::MetadataExt::dev(&m)).unwrap());
    let look = |flags: &[&str]| {
        let script = "stat -c %d /dev/shm 2>/dev/null || echo none; readlink /proc/self/ns/ipc";
        let all = [&["run", "--rm"][..], flags, &["busybox", "sh", "-c", script]].concat();
        let seen = daemon.run(&all).ok().stdout;
        let (memory, namespace) = seen.split_once('\n').unwrap();
        (format!("{memory}\n"), namespace.trim().to_owned())
    };
    let own = std::fs::read_link("/proc/self/ns/ipc").unwrap().display().to_string();
    assert_eq!(look(&["--ipc", "host"]), (host.clone(), own.clone()));
    for mode in ["private", "shareable", "none"] {
        let (memory, namespace) = look(&["--ipc", mode]);
        assert_ne!(namespace, own, "{mode}");
        assert_eq!((memory == "none\n", memory == host), (mode == "none", false), "{mode}");
    }
    daemon.run(&["run", "--ipc", "container:", "busybox"]).status(125).stderr_has("invalid name or ID supplied: \"\"");
}

#[test]
fn the_other_must_be_there() {
    let daemon = Daemon::with_images(&["busybox"]);
    for (flag, message) in [
        ("--network", "joining network namespace of container: No such container: nobody"),
        ("--ipc", "daemon: No such container: nobody"),
        ("--pid", "daemon: No such container: nobody"),
    ] {
        daemon.run(&["run", "--rm", flag, "container:nobody", "busybox", "true"]).status(125).stderr_has(message);
    }
}
