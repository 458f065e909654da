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
