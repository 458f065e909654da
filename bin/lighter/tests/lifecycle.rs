//! States and their verbs.

use testkit::{Daemon, eventually};

#[test]
fn create_start_stop_start_rm() {
    let d = Daemon::with_images(&["busybox"]);
    let id = d.run(&["create", "--name", "web", "busybox", "sleep", "1000"]).ok().text().to_owned();
    assert_eq!(id.len(), 64);
    assert_eq!(d.inspect("web", "{{.State.Status}} {{.State.Pid}}"), "created 0");
    d.run(&["start", "web"]).ok().stdout("web\n");
    d.run(&["start", "web"]).ok().stdout("web\n");
    assert_eq!(d.inspect(&id[..12], "{{.State.Status}} {{.Name}}"), "running /web");
    d.run(&["rm", "web"])
        .status(1)
        .stderr_has("container is running: stop the container before removing or force remove");
    d.run(&["stop", "-t", "0", "web"]).ok().stdout("web\n");
    d.run(&["stop", "web"]).ok();
    assert_eq!(d.inspect("web", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137");
    d.run(&["restart", "-t", "0", "web"]).ok();
    assert_eq!(d.inspect("web", "{{.State.Status}} {{.RestartCount}}"), "running 0");
    d.run(&["rm", "-f", "web"]).ok().stdout("web\n");
    d.run(&["inspect", "web"]).status(1).stderr_has("No such object: web").stdout("[]\n");
}

#[test]
fn signals_and_codes() {
    let d = Daemon::with_images(&["busybox"]);
    let trap = "trap 'exit 5' TERM; trap 'exit 6' HUP; while :; do sleep 0.05; done";
    for (verb, code) in
        [(&["stop"][..], "5"), (&["kill", "-s", "HUP"], "6"), (&["kill"], "137"), (&["stop", "-s", "HUP"], "6")]
    {
        d.run(&["run", "-d", "--name", "tt", "busybox", "sh", "-c", trap]).ok();
        std::thread::sleep(std::time::Duration::from_millis(150));
        d.run(&[verb, &["tt"]].concat()).ok();
        d.run(&["wait", "tt"]).ok().stdout(&format!("{code}\n"));
        d.run(&["rm", "tt"]).ok();
    }
    d.run(&["run", "-d", "--name", "tt", "busybox", "sleep", "9"]).ok();
    d.run(&["kill", "-s", "NONSENSE", "tt"]).status(1).stderr_has("invalid signal: NONSENSE");
    d.run(&["kill", "tt"]).ok();
    d.run(&["kill", "tt"]).status(1).stderr_has("is not running");
}

#[test]
fn pause_and_unpause() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "pp", "busybox", "sleep", "1000"]).ok();
    d.run(&["pause", "pp"]).ok().stdout("pp\n");
    assert_eq!(d.inspect("pp", "{{.State.Status}}"), "paused");
    d.run(&["ps"]).ok().stdout_has("(Paused)");
    d.run(&["pause", "pp"]).status(1).stderr_has("is already paused");
    d.run(&["exec", "pp", "true"]).status(1).stderr_has("is paused");
    d.run(&["unpause", "pp"]).ok();
    d.run(&["unpause", "pp"]).status(1).stderr_has("is not paused");
    // who has taken a signal, for a reload say, can be paused all the same
    d.run(&["kill", "-s", "WINCH", "pp"]).ok();
    d.run(&["pause", "pp"]).ok();
    d.run(&["exec", "pp", "true"]).status(1).stderr_has("is paused");
    d.run(&["stop", "-t", "1", "pp"]).ok();
}

#[test]
fn names_and_prefixes() {
    let d = Daemon::with_images(&["busybox"]);
    let id = d.run(&["create", "--name", "a.b-c_1", "busybox"]).ok().text().to_owned();
    d.run(&["create", "--name", "a.b-c_1", "busybox"]).status(1).stderr_has("is already in use by container");
    d.run(&["create", "--name", "-bad", "busybox"]).status(1).stderr_has("Invalid container name (-bad)");
    d.run(&["rename", "a.b-c_1", "other"]).ok();
    d.run(&["inspect", "a.b-c_1"]).status(1);
    d.run(&["create", "--name", "a.b-c_1", "busybox"]).ok();
    assert_eq!(d.inspect(&id[..3], "{{.Name}}"), "/other");
    d.run(&["rm", "nope"]).status(1).stderr_has("No such container: nope");
    for _ in 0..17 {
        d.run(&["create", "busybox"]).ok();
    }
    // 19 ids: two begin with the same digit
    let ids = d.run(&["ps", "-aq", "--no-trunc"]).ok().stdout;
    let firsts: Vec<char> = ids.lines().filter_map(|l| l.chars().next()).collect();
    let twice = firsts.iter().find(|c| firsts.iter().filter(|d| d == c).count() > 1).unwrap().to_string();
    d.run(&["inspect", "--type", "container", &twice]).status(1).stderr_has("multiple IDs found with provided prefix");
}

#[test]
fn restart_policies() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "three", "--restart", "on-failure:3", "busybox", "false"]).ok();
    eventually("three restarts", || d.inspect("three", "{{.RestartCount}} {{.State.Status}}") == "3 exited");
    d.run(&["run", "-d", "--name", "always", "--restart", "always", "busybox", "true"]).ok();
    eventually("restarted twice", || d.inspect("always", "{{.RestartCount}}").parse::<u32>().unwrap() >= 2);
    d.run(&["stop", "always"]).ok();
    let count = d.inspect("always", "{{.RestartCount}}");
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(d.inspect("always", "{{.RestartCount}} {{.State.Status}}"), format!("{count} exited"));
    d.run(&["run", "--rm", "--restart", "always", "busybox"]).status(125);
}

#[test]
fn events_tell_the_story() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "--rm", "--name", "ee", "busybox", "sh", "-c", "exit 7"]).status(7);
    // whole seconds are sent
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let until = "--until=0s";
    let events = d
        .run(&[
            "events",
            "--since",
            "1h",
            until,
            "--format",
            "{{.Type}} {{.Action}} {{index .Actor.Attributes \"exitCode\"}}",
            "-f",
            "container=ee",
        ])
        .ok();
    let expected = ["container create", "container attach", "container start", "container die 7", "container destroy"];
    let lines: Vec<&str> = events.stdout.lines().map(|l| l.trim_end_matches(" <no value>").trim()).collect();
    assert_eq!(lines, expected);
}

#[test]
fn wait_conditions_and_lists() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "w1", "-l", "k=v", "busybox", "sh", "-c", "sleep 0.3; exit 4"]).ok();
    d.run(&["wait", "w1"]).ok().stdout("4\n");
    d.run(&["create", "--name", "w2", "busybox"]).ok();
    let names = |filter: &[&str]| d.run(&[&["ps", "-a", "--format", "{{.Names}}"][..], filter].concat()).ok().stdout;
    assert_eq!(names(&[]), "w2\nw1\n");
    assert_eq!(names(&["-f", "status=created"]), "w2\n");
    assert_eq!(names(&["-f", "exited=4"]), "w1\n");
    assert_eq!(names(&["-f", "label=k=v"]), "w1\n");
    assert_eq!(names(&["-f", "name=w"]), "w2\nw1\n");
    assert_eq!(names(&["-f", "ancestor=busybox", "-n", "1"]), "w2\n");
    d.run(&["ps", "-f", "nonsense=1"]).status(1).stderr_has("invalid filter 'nonsense'");
}

#[test]
fn wrong_words_are_named() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "ww", "busybox", "sleep", "1000"]).ok();
    for (args, message) in [
        (&["kill", "-s", "99", "ww"][..], "cannot kill container: ww: the linux daemon does not support signal 99"),
        (&["kill", "-s", "NO", "ww"], "cannot kill container: ww: invalid signal: NO"),
        (&["stop", "-s", "NO", "ww"], "cannot stop container: ww: invalid signal: NO"),
        (&["restart", "-s", "NO", "ww"], "Cannot restart container ww: invalid signal: NO"),
        (
            &["ps", "--filter", "status=no"],
            "invalid filter 'status=no': invalid value for state (no): must be one of created, running, paused, restarting, removing, exited, dead",
        ),
        (&["ps", "--filter", "exited=no"], "invalid filter 'exited=no': strconv.Atoi: parsing \"no\": invalid syntax"),
        (&["ps", "--filter", "is-task=no"], "invalid filter 'is-task=[no]'"),
    ] {
        d.run(args).status(1).stderr_has(&format!("Error response from daemon: {message}\n"));
    }
    assert_eq!(d.inspect("ww", "{{.State.Status}}"), "running");
}

/// Libraries ask for the end after the start: one that went with its process is known for a moment.
#[test]
fn an_end_is_told_to_who_asks_just_too_late() {
    let d = Daemon::with_images(&["busybox"]);
    let id = d.run(&["run", "-d", "--rm", "--network", "none", "busybox", "sh", "-c", "exit 3"]).ok().stdout;
    let id = id.trim();
    eventually("it is gone", || d.run(&["ps", "-aq", "--no-trunc"]).stdout.is_empty());
    d.run(&["wait", id]).ok().stdout("3\n");
    d.run(&["wait", &id[..12]]).status(1).stderr_has("No such container");
}

#[test]
fn a_rename_beside_a_removal_brings_nothing_back() {
    let mut d = Daemon::with_images(&["busybox"]);
    for _ in 0..20 {
        let id = d.run(&["create", "--name", "old", "busybox", "true"]).ok().text().to_owned();
        std::thread::scope(|scope| {
            scope.spawn(|| d.run(&["rename", &id, "new"]));
            scope.spawn(|| d.run(&["rm", &id]).ok());
        });
        // both names are free again
        d.run(&["create", "--name", "new", "busybox", "true"]).ok();
        d.run(&["rm", "new"]).ok();
    }
    d.kill();
    d.start_again();
    d.run(&["ps", "-aq"]).ok().stdout("");
}
