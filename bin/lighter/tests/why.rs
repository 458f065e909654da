//! `why`: what happened and what happens next. And what `stop` says of those who do not listen.

use testkit::{Cli, Daemon, eventually};

fn why(d: &Daemon, name: &str) -> String {
    d.run(&["why", name]).ok().stdout
}

fn said(d: &Daemon, name: &str, parts: &[&str]) {
    let text = why(d, name);
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {text}");
}

#[test]
fn it_exited() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "--name", "web", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3"]).status(3);
    said(&d, "web", &["web: Exited (3)", "exited with code 3", "no restart policy", "    out\n    err\n"]);
    d.run(&["create", "--name", "new", "busybox", "true"]).ok();
    said(&d, "new", &["new: Created\n  It was created and has not been started.\n  Nobody but a user starts it.\n"]);
    d.run(&["run", "--name", "none", "busybox", "/nope"]).status(127);
    said(&d, "none", &["could not be started (exit code 127)", "stat /nope: no such file or directory"]);
    d.run(&["run", "-d", "--name", "up", "busybox", "sleep", "99"]).ok();
    said(&d, "up", &["up: Up ", "has been running for", "Stop: its first process (sleep) has no handler for SIGTERM"]);
    d.run(&["why", "web", "nothing"]).status(1).stdout_has("web: Exited").stderr_has("No such container: nothing");
}

#[test]
fn it_was_killed() {
    let d = Daemon::with_images(&["busybox"]);
    for name in ["outside", "user", "stopped"] {
        d.run(&["run", "-d", "--name", name, "busybox", "sleep", "99"]).ok();
    }
    let pid = d.inspect("outside", "{{.State.Pid}}");
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    d.run(&["wait", "outside"]).ok();
    said(&d, "outside", &["killed by SIGKILL (exit code 137)", "did not come through this daemon"]);
    d.run(&["kill", "user"]).ok();
    said(&d, "user", &["killed by SIGKILL", "A user killed it."]);
    d.run(&["stop", "-t", "1", "stopped"]).ok();
    said(&d, "stopped", &["A user stopped it. It did not end by SIGTERM in time, so it was killed."]);
    let fill = ["run", "--name", "oom", "-m", "16m", "busybox", "sh", "-c", "exec tail /dev/zero"];
    d.run(&fill).status(137);
    said(&d, "oom", &["killed by SIGKILL", "for want of memory (OOM). It has held 1", "its limit is 16MiB (--memory)"]);
}

#[test]
fn what_the_policy_does_next() {
    let d = Daemon::with_images(&["busybox"]);
    let failing = |name: &str, policy: &str| {
        d.run(&["run", "-d", "--name", name, "--restart", policy, "busybox", "sh", "-c", "exit 4"]).ok();
    };
    failing("again", "always");
    eventually("it waits", || why(&d, "again").contains("It is started again in "));
    said(&d, "again", &["code 4"]);
    d.run(&["stop", "again"]).ok();
    said(&d, "again", &["or a new start of the daemon, starts it (restart policy always)"]);
    failing("tired", "on-failure:1");
    eventually("it gives up", || why(&d, "tired").contains("restart policy on-failure:1 gave up after 1 restart."));
}

#[test]
fn it_is_unhealthy() {
    let d = Daemon::with_images(&["busybox"]);
    let check = ["--health-cmd", "echo no route; exit 7", "--health-interval", "50ms", "--health-retries", "2"];
    let run = |name: &str, more: &[&str]| {
        d.run(&[&["run", "-d", "--name", name][..], &check, more, &["busybox", "sleep", "99"]].concat()).ok();
    };
    run("ill", &[]);
    run("killed", &["--health-on-failure", "kill"]);
    run("stopped", &["--health-on-failure", "stop", "--stop-timeout", "0"]);
    eventually("it is told", || why(&d, "ill").contains("It is unhealthy: "));
    said(&d, "ill", &["(2 make it unhealthy)", "The last health check exited with 7", "saying: no route"]);
    d.run(&["wait", "killed"]).ok();
    said(&d, "killed", &["It was killed because it was unhealthy", "saying: no route"]);
    d.run(&["wait", "stopped"]).ok();
    said(&d, "stopped", &["It was stopped because it was unhealthy"]);
}

#[test]
fn the_reason_outlives_the_daemon() {
    let mut d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "web", "busybox", "sleep", "99"]).ok();
    let pid = d.inspect("web", "{{.State.Pid}}");
    d.kill();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    d.start_again();
    eventually("its end is known", || d.inspect("web", "{{.State.Status}}") == "exited");
    said(&d, "web", &["killed by SIGKILL", "did not come through this daemon"]);
    d.kill();
    d.start_again();
    said(&d, "web", &["killed by SIGKILL", "did not come through this daemon"]);
}

#[test]
fn stop_says_who_does_not_listen() {
    let d = Daemon::with_images(&["busybox"]);
    let deaf = "its first process (sleep) has no handler for SIGTERM";
    d.run(&["run", "-d", "--name", "deaf", "busybox", "sleep", "99"]).ok();
    d.run(&["stop", "-t", "1", "deaf"]).ok().stdout("deaf\n").stderr_has(&format!("deaf: {deaf}"));
    d.run(&["start", "deaf"]).ok();
    d.run(&["restart", "-t", "1", "deaf"]).ok().stdout("deaf\n").stderr_has(deaf);
    let stop =
        "POST /v1.47/containers/deaf/stop?t=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let reply = d.raw(stop).to_lowercase();
    assert!(
        reply.contains("204 no content") && reply.contains(&format!("lighter-warning: {}", deaf.to_lowercase())),
        "{reply}"
    );
    d.run(&["run", "-d", "--init", "--name", "init", "busybox", "sleep", "99"]).ok();
    d.run(&["stop", "init"]).ok().stdout("init\n").stderr("");
    d.run(&["run", "-d", "--name", "kill", "--stop-signal", "KILL", "busybox", "sleep", "99"]).ok();
    d.run(&["stop", "kill"]).ok().stdout("kill\n").stderr("");
}

#[test]
fn dockers_client_does_not_mind() {
    let Some(docker) = testkit::real_docker() else { return };
    let d = Daemon::with_images(&["busybox"]).through(Cli::Docker(docker));
    d.run(&["run", "-d", "--name", "deaf", "busybox", "sleep", "99"]).ok();
    d.run(&["stop", "-t", "1", "deaf"]).ok().stdout("deaf\n").stderr("");
    d.run(&["restart", "-t", "0", "deaf"]).ok().stdout("deaf\n").stderr("");
}

#[test]
fn many_are_stopped_restarted_killed_and_removed_at_once() {
    let d = Daemon::with_images(&["busybox"]);
    let names: Vec<String> = (0..8).map(|i| format!("many{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.iter().for_each(|name| drop(d.run(&["run", "-d", "--name", name, "busybox", "sleep", "99"]).ok()));
    let all = |words: &[&str]| d.run(&[words, &names].concat()).ok().stdout(&(names.join("\n") + "\n"));
    let begin = std::time::Instant::now();
    // none of them listens: one after the other would take 32 seconds
    all(&["restart", "-t", "2"]);
    all(&["stop", "-t", "2"]);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    all(&["start"]);
    all(&["kill"]);
    all(&["rm"]);
}
