//! The daemon is killed at random instants under load; afterwards it and the kernel agree.
//!
//! `LIGHTER_CRASHES` says how many times (default 8; the figures in docs/ are of 50).

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use testkit::{AtEnd, Daemon, eventually};

fn crashes() -> u32 {
    std::env::var("LIGHTER_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(8)
}

/// A cheap source of instants; no need for good randomness.
fn jitter(seed: u32) -> Duration {
    let x = (seed.wrapping_mul(2_654_435_761) >> 7) % 900;
    Duration::from_millis(u64::from(x))
}

/// A user at work: whatever happens to the daemon, each command ends, well or not.
fn user(mut command: impl FnMut(&[&str]) -> Command, number: u32, stop: &AtomicBool) {
    let name = format!("load{number}");
    let mut run = |args: &[&str]| {
        let mut child = command(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait(&mut child);
    };
    while !stop.load(Ordering::Relaxed) {
        run(&["run", "-d", "--name", &name, "busybox", "sh", "-c", "echo begin; sleep 0.2; echo end; sleep 100"]);
        run(&["exec", &name, "true"]);
        run(&["run", "--rm", "busybox", "true"]);
        run(&["stop", "-t", "0", &name]);
        run(&["start", &name]);
        run(&["rm", "-f", &name]);
    }
}

fn wait(child: &mut Child) {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "a client hangs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_is_lost_and_nothing_leaks() {
    let mut d = Daemon::with_images(&["busybox"]);
    let ticks = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done";
    d.run(&["run", "-d", "--name", "ticks", "busybox", "sh", "-c", ticks]).ok();
    let pid = d.inspect("ticks", "{{.State.Pid}}");
    let stop = AtomicBool::new(false);
    let (host, config) = (d.host(), d.directory.join("config"));
    let program = testkit::binaries().join("lighter");
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (host, config, program, stop) = (&host, &config, &program, &stop);
            let command = move |args: &[&str]| {
                let mut command = Command::new(program);
                command.args(args).env("DOCKER_HOST", host).env("DOCKER_CONFIG", config);
                command
            };
            scope.spawn(move || user(command, number, stop));
        }
        let _end = AtEnd(&stop);
        for crash in 0..crashes() {
            std::thread::sleep(jitter(crash + 1));
            d.kill();
            d.start_again();
            assert_eq!(d.inspect("ticks", "{{.State.Status}} {{.State.Pid}}"), format!("running {pid}"));
        }
    });
    agrees_with_the_kernel(&d);
    d.run(&["stop", "-t", "0", "ticks"]).ok();
    let log = d.run(&["logs", "ticks"]).ok().stdout;
    for (line, expected) in log.lines().zip(0..) {
        assert_eq!(line, format!("{expected}"), "a hole in the log");
    }
}

/// What `ps` says runs, runs; what runs, `ps` says.
fn agrees_with_the_kernel(d: &Daemon) {
    eventually("states settle", || {
        let all = d.run(&["ps", "-a", "--format", "{{.State}}"]).ok().stdout;
        all.lines().all(|s| matches!(s, "running" | "exited" | "created"))
    });
    let ids = d.run(&["ps", "-q", "--no-trunc"]).ok().stdout;
    for id in ids.lines() {
        let pid = d.inspect(id, "{{.State.Pid}}");
        let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        assert!(cgroup.contains(id), "container {id} has no process {pid}: {cgroup}");
    }
    // shims of removed containers end by themselves, soon
    eventually("as many shims as running containers", || {
        let shims = std::fs::read_dir(d.directory.join("run/shims")).map_or(0, Iterator::count);
        shims == d.run(&["ps", "-q"]).ok().stdout.lines().count()
    });
}
