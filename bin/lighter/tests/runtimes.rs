//! `--runtime`: external OCI runtimes driven by the shim, as if they were the one built in.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use testkit::{Daemon, eventually};

/// Debian's runc (scripts/test-setup.sh) and our own program as one for others.
fn both() -> [(&'static str, PathBuf); 2] {
    let own = testkit::binaries().join("lighter-runtime");
    assert!(own.exists(), "cargo build -p lighter-runtime first");
    [("debian", PathBuf::from("/usr/sbin/runc")), ("own", own)]
}

fn daemon(more: &[&str]) -> Daemon {
    let added = both().map(|(name, path)| format!("--add-runtime={name}={}", path.display()));
    let flags: Vec<&str> = added.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let d = Daemon::with_flags(&flags);
    d.import("busybox");
    d
}

/// A program that does nothing but what it is told.
fn script(d: &Daemon, name: &str, text: &str) -> String {
    let path = d.directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn streams_codes_and_limits_are_as_with_the_built_in_one() {
    let d = daemon(&[]);
    for (name, _) in both() {
        let run = |words: &[&str]| d.run(&[&["run", "--rm", "--runtime", name], words].concat());
        run(&["busybox", "sh", "-c", "echo out; echo err >&2; exit 7"]).status(7).stdout("out\n").stderr_has("err");
        d.run_with_input(&["run", "--rm", "-i", "--runtime", name, "busybox", "cat"], b"in").ok().stdout("in");
        run(&["-t", "busybox", "tty"]).ok().stdout_has("/dev/pts/0");
        run(&["busybox", "nosuch"])
            .status(127)
            .stderr_has("OCI runtime create failed")
            .stderr_has("not found in $PATH");
        run(&["-u", "web", "busybox", "sh", "-c", "id -u; echo $HOME"]).ok().stdout("33\n/home/web\n");
        run(&["--init", "busybox", "cat", "/proc/1/comm"]).ok().stdout("docker-init\n");
        run(&["busybox", "grep", "-c", "Seccomp:.*2", "/proc/self/status"]).ok().stdout("1\n");
        run(&["--privileged", "busybox", "grep", "-c", "Seccomp:.*0", "/proc/self/status"]).ok().stdout("1\n");
        run(&["busybox", "sh", "-c", "hostname -i | cut -d. -f1-2 | grep -c '\\.'"]).ok().stdout("1\n");
        let hungry = "a=x; while :; do a=$a$a; done";
        d.run(&["run", "--name", "oo", "-m", "16m", "--runtime", name, "busybox", "sh", "-c", hungry]).status(137);
        assert_eq!(d.inspect("oo", "{{.State.ExitCode}} {{.State.OOMKilled}}"), "137 true");
        d.run(&["rm", "oo"]).ok();
    }
}

#[test]
fn verbs_are_as_with_the_built_in_one() {
    let d = daemon(&[]);
    for (name, _) in both() {
        let trap = "trap 'echo got; exit 5' TERM; echo begin; while :; do sleep 0.05; done";
        d.run(&["run", "-d", "--name", "cc", "--runtime", name, "busybox", "sh", "-c", trap]).ok();
        d.run(&["exec", "cc", "sh", "-c", "echo in; exit 4"]).status(4).stdout("in\n");
        d.run_with_input(&["exec", "-i", "cc", "cat"], b"typed").ok().stdout("typed");
        d.run(&["exec", "-t", "cc", "tty"]).ok().stdout_has("/dev/pts/0");
        d.run(&["exec", "cc", "nosuch"]).status(127).stdout_has("OCI runtime exec failed: exec failed");
        d.run(&["exec", "-u", "web", "-w", "/tmp", "cc", "sh", "-c", "id -u; pwd"]).ok().stdout("33\n/tmp\n");
        d.run(&["pause", "cc"]).ok();
        assert_eq!(d.inspect("cc", "{{.State.Status}} {{.HostConfig.Runtime}}"), format!("paused {name}"));
        d.run(&["unpause", "cc"]).ok();
        d.run(&["top", "cc"]).ok().stdout_has("sleep 0.05");
        d.run(&["stop", "cc"]).ok();
        assert_eq!(d.inspect("cc", "{{.State.ExitCode}}"), "5");
        eventually("the log is whole", || d.run(&["logs", "cc"]).ok().text() == "begin\ngot");
        d.run(&["start", "cc"]).ok();
        d.run(&["rm", "-f", "cc"]).ok();
    }
    let left = || std::fs::read_dir(d.directory.join("run/shims")).map_or(0, |entries| entries.count());
    eventually("the shims are gone", || left() == 0);
}

#[test]
fn they_outlive_the_daemon() {
    let mut d = daemon(&["--default-runtime=debian"]);
    d.run(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "echo 1; sleep 0.5; echo 2; sleep 1000"]).ok();
    let pid = d.inspect("cc", "{{.State.Pid}} {{.HostConfig.Runtime}}");
    d.kill();
    std::thread::sleep(std::time::Duration::from_millis(600));
    d.start_again();
    assert_eq!(d.inspect("cc", "{{.State.Pid}} {{.HostConfig.Runtime}}"), pid);
    d.run(&["exec", "cc", "echo", "in"]).ok().stdout("in\n");
    d.run(&["logs", "cc"]).ok().stdout("1\n2\n");
    d.run(&["stop", "-t", "0", "cc"]).ok();
    d.run(&["info", "-f", "{{.DefaultRuntime}} {{(index .Runtimes \"debian\").Path}}"])
        .ok()
        .stdout("debian /usr/sbin/runc\n");
}

#[test]
fn a_hung_program_is_its_containers_own_trouble() {
    let mut d = Daemon::with_images(&["busybox"]);
    let hung = script(&d, "hung", "case \"$*\" in *create*) sleep 1000;; esac");
    d.stop();
    let flags = [format!("--add-runtime=hung={hung}"), "--add-runtime=none=/nowhere/runtime".to_owned()];
    let d = Daemon::with_flags(&[flags[0].as_str(), flags[1].as_str()]);
    d.import("busybox");
    let mut slow = d.command(&["run", "--name", "hh", "--runtime", "hung", "busybox", "true"]);
    let slow = slow.stderr(std::process::Stdio::piped()).spawn().unwrap();
    eventually("its start", || d.run(&["ps", "-aq"]).ok().text().len() == 12);
    d.run(&["run", "--rm", "busybox", "echo", "meanwhile"]).ok().stdout("meanwhile\n");
    let said = String::from_utf8(slow.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("hung has not finished `create` for 10 seconds and was killed"), "{said}");
    d.run(&["run", "--rm", "--runtime", "none", "busybox", "true"])
        .status(125)
        .stderr_has("/nowhere/runtime not found");
    d.run(&["run", "--rm", "--runtime", "foo", "busybox", "true"])
        .status(125)
        .stderr_has("unknown or invalid runtime name: foo");
}
