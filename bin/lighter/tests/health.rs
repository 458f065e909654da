//! Health checks: probes, what they say, what follows; by our client and by Docker's.

use testkit::{Cli, Daemon, eventually};

/// The daemon behind each client there is.
fn by_each_client(check: impl Fn(&Daemon)) {
    check(&Daemon::with_images(&["busybox"]));
    if let Some(docker) = testkit::real_docker() {
        check(&Daemon::with_images(&["busybox"]).through(Cli::Docker(docker)));
    }
}

/// A container whose check is `probe`, every 100 ms.
fn checked(d: &Daemon, name: &str, probe: &str, more: &[&str]) {
    let check = ["run", "-d", "--name", name, "--health-cmd", probe, "--health-interval", "100ms"];
    d.run(&[&check, more, &["busybox", "sleep", "1000"]].concat()).ok();
}

fn health(d: &Daemon, name: &str) -> String {
    d.inspect(name, "{{.State.Health.Status}}")
}

fn becomes(d: &Daemon, name: &str, status: &str) {
    eventually(&format!("{name} is {status}"), || health(d, name) == status);
}

/// What happened until now.
fn events(d: &Daemon, filters: &[&str], format: &str) -> Vec<String> {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    let until = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
    let mut args = vec!["events", "--since", "1", "--until", &until, "--format", format];
    filters.iter().for_each(|filter| args.extend(["--filter", filter]));
    d.run(&args).ok().text().lines().map(str::to_owned).collect()
}

#[test]
fn starting_healthy_unhealthy_and_back() {
    by_each_client(|d| {
        checked(d, "web", "echo out; echo err >&2; cat /ok", &["--health-retries", "2"]);
        d.run(&["ps"]).ok().stdout_has("(health: starting)");
        d.run(&["ps", "-q", "--filter", "health=starting"]).ok();
        becomes(d, "web", "unhealthy");
        d.run(&["ps"]).ok().stdout_has("(unhealthy)");
        let last = d.inspect("web", "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}");
        assert_eq!(last, "1 out\nerr\ncat: can't open '/ok': No such file or directory");
        d.run(&["exec", "web", "touch", "/ok"]).ok();
        becomes(d, "web", "healthy");
        d.run(&["ps", "--filter", "health=healthy", "--format", "{{.Names}}"]).ok().stdout("web\n");
        d.run(&["ps", "-q", "--filter", "health=unhealthy"]).ok().stdout("");
        // what probes say is not the container's output
        d.run(&["logs", "web"]).ok().stdout("").stderr("");
    });
}

#[test]
fn events_are_dockers() {
    by_each_client(|d| {
        checked(d, "web", "true", &[]);
        becomes(d, "web", "healthy");
        let seen = events(d, &["container=web"], "{{.Action}}");
        let probe =
            ["exec_create: /bin/sh -c true", "exec_start: /bin/sh -c true", "exec_die", "health_status: healthy"];
        assert_eq!(seen[..6], [&["create", "start"], &probe[..]].concat(), "{seen:?}");
    });
}

#[test]
fn probes_can_be_looked_at_as_execs() {
    let d = Daemon::with_images(&["busybox"]);
    checked(&d, "web", "sleep 0.3; exit 3", &[]);
    let look = |id: &str| d.raw(&format!("GET /v1.47/exec/{id}/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    let started = || events(&d, &["event=exec_start: /bin/sh -c sleep 0.3; exit 3"], "{{.Actor.Attributes.execID}}");
    eventually("one runs, and is among the container's", || {
        let ids = d.inspect("web", "{{.ExecIDs}}");
        started().iter().any(|id| ids.contains(id) && look(id).contains(r#""Running":true"#))
    });
    let first = started().remove(0);
    eventually("it ended", || look(&first).contains(r#""Running":false,"ExitCode":3"#));
    let seen = look(&first);
    let process = r#""entrypoint":"/bin/sh","arguments":["-c","sleep 0.3; exit 3"]"#;
    assert!(seen.contains(process) && !seen.contains(r#""Pid":0"#), "{seen}");
    // as many as the health log holds
    eventually("the oldest is forgotten", || look(&first).contains("404 Not Found"));
}

#[test]
fn late_probes_are_killed_with_what_they_started() {
    let d = Daemon::with_images(&["busybox"]);
    checked(&d, "slow", "echo begun; sleep 77; true", &["--health-timeout", "200ms", "--health-retries", "1"]);
    becomes(&d, "slow", "unhealthy");
    let first = d.inspect("slow", "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}");
    assert_eq!(first, "-1 Health check exceeded timeout (200ms): begun");
    d.run(&["pause", "slow"]).ok();
    d.run(&["unpause", "slow"]).ok();
    let alive = |d: &Daemon| d.run(&["top", "slow", "-eo", "pid,args"]).ok().stdout.matches("sleep 77").count();
    eventually("only the newest probe is left", || alive(&d) <= 2);
    let ends = events(&d, &["event=exec_die"], "{{.Actor.Attributes.exitCode}}");
    assert!(ends.contains(&"137".to_owned()), "{ends:?}");
}

#[test]
fn what_cannot_be_started_says_why() {
    let d = Daemon::with_images(&["busybox"]);
    let body = r#"{"Image":"busybox","Cmd":["sleep","9"],"Healthcheck":{"Test":["CMD","/nope"],"Interval":100000000}}"#;
    let create = |body: &str| {
        let length = body.len();
        d.raw(&format!(
            "POST /v1.47/containers/create?name=web HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    let refused = create(&body.replace("\"CMD\",\"/nope\"", "\"CMD\""));
    assert!(refused.contains("400 Bad Request") && refused.contains("Test in Healthcheck has no command"), "{refused}");
    assert!(create(body).contains("201 Created"));
    assert_eq!(d.inspect("web", "{{json .State.Health}}"), "null");
    d.run(&["start", "web"]).ok();
    becomes(&d, "web", "unhealthy");
    let log = d.inspect("web", "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}");
    let words = "-1 OCI runtime exec failed: exec failed: unable to start container process: exec: \"/nope\": stat /nope: no such file or directory";
    assert_eq!(log, words);
}

#[test]
fn five_outcomes_of_at_most_4096_bytes_are_kept() {
    let d = Daemon::with_images(&["busybox"]);
    checked(&d, "loud", "head -c 9000 /dev/zero | tr '\\0' x; exit 1", &["--health-retries", "6"]);
    becomes(&d, "loud", "unhealthy");
    assert_eq!(d.inspect("loud", "{{len .State.Health.Log}} {{len (index .State.Health.Log 0).Output}}"), "5 4099");
    assert!(d.inspect("loud", "{{(index .State.Health.Log 4).Output}}").ends_with("xxx..."));
}

#[test]
fn start_period_start_interval_and_none() {
    let d = Daemon::with_images(&["busybox"]);
    let begin = ["--health-start-period", "30s", "--health-start-interval", "50ms", "--health-retries", "1"];
    checked(&d, "young", "echo x >> /n; exit 1", &begin);
    eventually("ten probes", || d.run(&["exec", "young", "cat", "/n"]).stdout.lines().count() > 10);
    assert_eq!(d.inspect("young", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}"), "starting 0");
    d.run(&["run", "-d", "--name", "none", "--no-healthcheck", "busybox", "sleep", "9"]).ok();
    assert_eq!(d.inspect("none", "{{json .State.Health}}"), "null");
    d.run(&["ps", "--filter", "health=none", "--format", "{{.Names}}"]).ok().stdout("none\n");
    d.run(&["ps", "--filter", "health=ill"]).status(1).stderr_has("must be one of none, starting, healthy, unhealthy");
    d.run(&["run", "--health-cmd", "x", "--no-healthcheck", "busybox"])
        .status(125)
        .stderr_has("--no-healthcheck conflicts");
    let short = ["run", "--health-cmd", "x", "--health-interval", "1us", "busybox"];
    d.run(&short).status(125).stderr_has("Interval in Healthcheck cannot be less than 1ms");
}

#[test]
fn the_images_check_runs_as_its_user_in_its_directory() {
    let d = Daemon::with_images(&[]);
    let check = "HEALTHCHECK --interval=100ms CMD id -u; pwd; echo $COLOUR";
    let archive = "/var/cache/lighter-tests/busybox.tar";
    let changes = ["-c", check, "-c", "USER 7", "-c", "WORKDIR /tmp", "-c", "ENV COLOUR=red", "-c", "CMD sleep 99"];
    d.run(&[&["import"], &changes[..], &[archive, "checked"]].concat()).ok();
    d.run(&["run", "-d", "--name", "web", "checked"]).ok();
    becomes(&d, "web", "healthy");
    assert_eq!(d.inspect("web", "{{(index .State.Health.Log 0).Output}}"), "7\n/tmp\nred");
    d.run(&["run", "-d", "--name", "off", "--no-healthcheck", "checked"]).ok();
    assert_eq!(d.inspect("off", "{{json .State.Health}} {{json .Config.Healthcheck.Test}}"), r#"null ["NONE"]"#);
}

#[test]
fn a_pause_and_an_end_stop_the_probes() {
    let d = Daemon::with_images(&["busybox"]);
    checked(&d, "web", "echo x >> /n", &[]);
    becomes(&d, "web", "healthy");
    d.run(&["pause", "web"]).ok();
    // as Docker: not watched is not healthy
    assert_eq!(health(&d, "web"), "unhealthy");
    let log = d.inspect("web", "{{json .State.Health.Log}}");
    std::thread::sleep(std::time::Duration::from_millis(350));
    assert_eq!(d.inspect("web", "{{json .State.Health.Log}}"), log);
    d.run(&["unpause", "web"]).ok();
    becomes(&d, "web", "healthy");
    d.run(&["stop", "-t", "0", "web"]).ok();
    assert_eq!(health(&d, "web"), "unhealthy");
    d.run(&["start", "web"]).ok();
    assert_eq!(d.inspect("web", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}"), "starting 0");
}

#[test]
fn a_daemon_that_was_killed_goes_on() {
    let mut d = Daemon::with_images(&["busybox"]);
    checked(&d, "web", "echo x >> /n; sleep 0.2; cat /n | wc -l; test ! -e /bad", &["--health-retries", "2"]);
    becomes(&d, "web", "healthy");
    d.kill();
    d.start_again();
    assert_eq!(health(&d, "web"), "healthy");
    let probes = |d: &Daemon| d.run(&["exec", "web", "wc", "-l", "/n"]).stdout;
    let before = probes(&d);
    eventually("probes go on", || probes(&d) != before);
    d.run(&["exec", "web", "touch", "/bad"]).ok();
    becomes(&d, "web", "unhealthy");
    // a graceful end writes the log down, too
    let known = |d: &Daemon| d.inspect("web", "{{len .State.Health.Log}}").parse::<u32>().unwrap();
    eventually("five outcomes", || known(&d) == 5);
    d.stop();
    d.start_again();
    assert_eq!((health(&d, "web").as_str(), known(&d)), ("unhealthy", 5));
}

#[test]
fn an_unhealthy_container_is_killed_or_stopped() {
    let d = Daemon::with_images(&["busybox"]);
    let sick = |name: &str, action: &str, more: &[&str]| {
        checked(&d, name, "exit 1", &[&["--health-retries", "2", "--health-on-failure", action], more].concat());
    };
    sick("none", "none", &[]);
    sick("kill", "kill", &[]);
    sick("stop", "stop", &["--stop-timeout", "0", "--restart", "always"]);
    sick("policy", "kill", &["--restart", "on-failure:2"]);
    eventually("killed", || d.inspect("kill", "{{.State.Status}} {{.State.ExitCode}}") == "exited 137");
    // stopped is stopped, whatever the policy
    eventually("stopped", || d.inspect("stop", "{{.State.Status}} {{.RestartCount}}") == "exited 0");
    eventually("the policy", || d.inspect("policy", "{{.State.Status}} {{.RestartCount}}") == "exited 2");
    assert_eq!(d.inspect("none", "{{.State.Status}}"), "running");
    let two = ["run", "--health-cmd", "x", "--health-on-failure", "reboot", "busybox"];
    d.run(&two).status(125).stderr_has("must be one of none, kill, restart, stop");
    d.run(&["run", "--health-on-failure", "kill", "busybox"])
        .status(125)
        .stderr_has("has a health check (--health-cmd)");
}

#[test]
fn restarts_of_an_unhealthy_container_come_slower_and_slower() {
    let d = Daemon::with_images(&["busybox"]);
    let more = ["--health-retries", "1", "--health-on-failure", "restart", "--stop-timeout", "0"];
    checked(&d, "web", "test -e /cured", &more);
    eventually("three restarts", || d.inspect("web", "{{.RestartCount}}") == "3");
    let times = events(&d, &["event=die", "event=start"], "{{.TimeNano}}");
    let at: Vec<i64> = times.iter().map(|t| t.parse().unwrap()).collect();
    // start die start die start die: the pauses between are 100 ms, 200 ms, …
    let pauses: Vec<i64> = at[1..].chunks(2).filter(|c| c.len() == 2).map(|c| (c[1] - c[0]) / 1_000_000).collect();
    assert!(pauses[0] >= 100 && pauses[1] >= 200, "{pauses:?}");
    eventually("it runs", || d.run(&["exec", "web", "touch", "/cured"]).status == 0);
    becomes(&d, "web", "healthy");
    d.run(&["stop", "web"]).ok();
    assert_eq!(d.inspect("web", "{{.State.Status}}"), "exited");
}

#[test]
fn an_external_runtime_runs_the_probes_of_its_containers() {
    let d = Daemon::with_flags(&["--add-runtime=debian=/usr/sbin/runc"]);
    d.import("busybox");
    let check = "echo fine; test ! -e /slow || sleep 77; true";
    checked(&d, "web", check, &["--runtime", "debian", "--health-timeout", "300ms", "--health-retries", "1"]);
    becomes(&d, "web", "healthy");
    assert_eq!(d.inspect("web", "{{(index .State.Health.Log 0).Output}}"), "fine");
    d.run(&["exec", "web", "touch", "/slow"]).ok();
    becomes(&d, "web", "unhealthy");
    d.run(&["exec", "web", "rm", "/slow"]).ok();
    becomes(&d, "web", "healthy");
    let left = d.run(&["top", "web", "-eo", "pid,args"]).ok().stdout;
    assert!(!left.contains("sleep 77"), "{left}");
}
