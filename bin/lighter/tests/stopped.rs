//! Shims that do not answer: whoever asks them hears of it in time, what they do and since when; everybody else goes on.

use std::time::{Duration, Instant};

use testkit::{Daemon, eventually};

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

use rustix::process::Signal;

#[track_caller]
fn within<T>(seconds: u64, act: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = act();
    assert!(begin.elapsed() < Duration::from_secs(seconds), "it took {:?}", begin.elapsed());
    result
}

fn start(d: &Daemon, name: &str) -> u32 {
    d.run(&["run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1000"]).ok();
    d.shim(name)
}

/// What a command that fails says; an exec's error comes on its stream, as Docker's.
#[track_caller]
fn said(done: testkit::Finished) -> String {
    assert_ne!(done.status, 0, "{done:#?}");
    done.stdout + &done.stderr
}

#[test]
fn one_stopped_shim_keeps_nobody_else_waiting() {
    let d = Daemon::with_images(&["busybox"]);
    let stopped = start(&d, "stopped");
    start(&d, "other");
    signal(stopped, Signal::STOP);
    std::thread::scope(|scope| {
        let asks: Vec<_> = [&["exec", "stopped", "true"][..], &["attach", "--no-stdin", "stopped"]]
            .into_iter()
            .map(|args| scope.spawn(|| within(40, || said(d.run(args)))))
            .collect();
        let many = scope.spawn(|| {
            for _ in 0..12 {
                within(5, || d.run(&["exec", "other", "echo", "x"]).ok().stdout("x\n"));
                within(5, || d.run(&["run", "--rm", "--network", "none", "busybox", "true"]).ok());
                within(5, || d.run(&["ps", "-a"]).ok().stdout_has("stopped"));
                within(5, || d.run(&["top", "stopped"]).ok().stdout_has("sleep 1000"));
                within(5, || d.run(&["logs", "stopped"]).ok());
                assert_eq!(within(5, || d.inspect("stopped", "{{.State.Status}}")), "running");
            }
        });
        many.join().unwrap();
        for ask in asks {
            let why = ask.join().unwrap();
            assert!(why.contains("its shim has not answered since"), "{why}");
            assert!(why.contains(&format!("process {stopped} is stopped (SIGSTOP")), "{why}");
        }
    });
    let why = d.inspect("stopped", "{{.State.Error}}");
    assert!(why.contains("its shim has not answered since") && why.contains("is stopped"), "{why}");
    let listed = || d.run(&["ps", "--filter", "name=stopped", "--format", "{{.Status}}"]).ok().stdout;
    assert!(listed().contains(" (its shim has not answered for "), "{}", listed());
    signal(stopped, Signal::CONT);
    d.run(&["exec", "stopped", "echo", "again"]).ok().stdout("again\n");
    assert_eq!(d.inspect("stopped", "{{.State.Error}}"), "");
    assert!(!listed().contains("shim"), "{}", listed());
}

#[test]
fn who_is_to_end_ends_whatever_his_shim_does() {
    let d = Daemon::with_images(&["busybox"]);
    for (name, verb) in
        [("k", &["kill"][..]), ("s", &["stop", "-t", "1"]), ("r", &["rm", "-f"]), ("t", &["restart", "-t", "1"])]
    {
        let name = format!("to-{name}");
        signal(start(&d, &name), Signal::STOP);
        within(20, || d.run(&[verb, &[&name]].concat()).ok());
    }
    let states = d.run(&["ps", "-a", "--format", "{{.Names}} {{.State}}"]).ok().stdout;
    let mut states: Vec<&str> = states.lines().collect();
    states.sort_unstable();
    assert_eq!(states, ["to-k exited", "to-s exited", "to-t running"]);
    // a paused one is no different
    let paused = start(&d, "paused");
    d.run(&["pause", "paused"]).ok();
    signal(paused, Signal::STOP);
    within(20, || d.run(&["rm", "-f", "paused"]).ok());
}

#[test]
fn a_daemons_start_waits_for_no_shim() {
    let mut d = Daemon::with_images(&["busybox"]);
    let script = "trap 'echo bye; exit 7' TERM; while :; do sleep 0.1; done";
    d.run(&["run", "-d", "--name", "told", "--network", "none", "busybox", "sh", "-c", script]).ok();
    let told = d.shim("told");
    let given_up = start(&d, "given-up");
    start(&d, "paused");
    d.run(&["pause", "paused"]).ok();
    signal(told, Signal::STOP);
    signal(given_up, Signal::STOP);
    d.kill();
    within(8, || d.start_again());
    assert_eq!(within(5, || d.inspect("told", "{{.State.Status}}")), "running");
    let why = within(5, || said(d.run(&["exec", "told", "true"])));
    assert!(why.contains("its shim has not answered since"), "{why}");
    assert!(d.inspect("told", "{{.State.Error}}").contains("is stopped"));
    // what can be done without it is done, and what it saw is heard once it goes on
    d.run(&["kill", "-s", "TERM", "told"]).ok();
    signal(told, Signal::CONT);
    eventually("the end is told", || d.inspect("told", "{{.State.Status}} {{.State.ExitCode}}") == "exited 7");
    d.run(&["logs", "told"]).ok().stdout("bye\n");
    within(20, || d.run(&["rm", "-f", "given-up"]).ok());
    assert_eq!(d.inspect("paused", "{{.State.Status}}"), "paused");
    d.run(&["unpause", "paused"]).ok();
    d.run(&["exec", "paused", "echo", "awake"]).ok().stdout("awake\n");
}

/// What a killed shim leaves behind is ended by the daemon.
#[test]
fn killed_shims_leave_nothing_running() {
    let d = Daemon::with_images(&["busybox"]);
    for name in ["one", "two"] {
        let victim = start(&d, name);
        let pid: u32 = d.inspect(name, "{{.State.Pid}}").parse().unwrap();
        signal(victim, Signal::KILL);
        eventually("it is known to have ended", || d.inspect(name, "{{.State.Status}}") == "exited");
        assert_eq!(d.inspect(name, "{{.State.ExitCode}}"), "137");
        assert!(!std::path::Path::new(&format!("/proc/{pid}/root/bin")).exists(), "its process lives on");
        d.run(&["start", name]).ok();
    }
}

/// Its process has ended, and its shim cannot say so yet: who asks for its files gets them all the same.
#[test]
fn files_of_one_whose_end_is_still_to_be_told() {
    let d = Daemon::with_images(&["busybox"]);
    for n in 0..3 {
        let (d, name) = (&d, format!("ending{n}"));
        let shim = start(d, &name);
        let pid = d.inspect(&name, "{{.State.Pid}}").parse().unwrap();
        signal(shim, Signal::STOP);
        signal(pid, Signal::KILL);
        eventually("it has ended", || std::fs::read_link(format!("/proc/{pid}/root")).is_err());
        std::thread::scope(|scope| {
            let asks = [&["cp", &format!("{name}:/etc/passwd"), "-"][..], &["export", &name]]
                .map(|args| args.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
                .map(|args| scope.spawn(move || d.command(&args).output().unwrap()));
            std::thread::sleep(Duration::from_millis(300));
            signal(shim, Signal::CONT);
            for ask in asks {
                let done = within(20, || ask.join().unwrap());
                assert!(done.status.success() && !done.stdout.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
            }
        });
    }
}
