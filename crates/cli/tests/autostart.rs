//! A client that finds no daemon starts one. Each test has `/run` and `/var/lib` of its own, in a mount namespace;
//! that needs root, and without it there is nothing to test.

mod recorder;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

/// Runs the client by the name `program` where no daemon is.
fn run(program: &str, environment: &[(&str, &str)], words: &str) -> Option<Output> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing to test");
        return None;
    }
    let script = format!(
        "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec -a {program} {} {words}",
        recorder::client().display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", &script]).stdin(Stdio::null());
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").env("DOCKER_CONFIG", "/nonexistent");
    command.envs(environment.iter().copied()).process_group(0);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("unshare") && !stderr.contains("mount:"), "{stderr}");
    Some(output)
}

fn check(program: &str, environment: &[(&str, &str)], status: i32, stderr: &str) {
    let Some(output) = run(program, environment, "stop x") else { return };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), told.trim_end()), (Some(status), stderr), "{program} {environment:?}");
}

#[test]
fn a_daemon_is_started_and_used() {
    let Some(output) = run("lighter", &[], "stop x") else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "x\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "lighter: no daemon is running, starting one (log: /var/lib/lighter/daemon.log; LIGHTER_NO_AUTOSTART=1 turns this off)\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn not_when_turned_off() {
    check("lighter", &[("LIGHTER_NO_AUTOSTART", "1")], 1, {
        "Cannot connect to the Docker daemon at unix:///run/lighter.sock. Is the docker daemon running?"
    });
}

#[test]
fn not_where_another_daemon_was_named() {
    check("lighter", &[("DOCKER_HOST", "unix:///run/lighter.sock")], 1, {
        "Cannot connect to the Docker daemon at unix:///run/lighter.sock. Is the docker daemon running?"
    });
}

#[test]
fn not_by_the_name_docker() {
    check("docker", &[], 1, {
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    });
}

#[test]
fn one_that_fails_is_quoted() {
    check("lighter", &[("STAND_IN_FAILS", "1")], 1, {
        "lighter: no daemon is running, starting one (log: /var/lib/lighter/daemon.log; LIGHTER_NO_AUTOSTART=1 turns this off)\nthe daemon ended at once (exit status: 1): no room for a daemon here"
    });
}
