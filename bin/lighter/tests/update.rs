//! `update`, by our client and by Docker's; what the kernel says is the referee.

use testkit::{Cli, Daemon, eventually, real_docker};

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

/// A file of the container's control group (v1's name, v2's name).
fn limit(daemon: &Daemon, name: &str, v1: (&str, &str), v2: &str) -> String {
    let id = daemon.inspect(name, "{{.Id}}");
    let (controller, file) = v1;
    let v1 = format!("/sys/fs/cgroup/{controller}");
    let (root, file) = if std::path::Path::new(&v1).is_dir() { (v1, file) } else { ("/sys/fs/cgroup".into(), v2) };
    let parents = std::fs::read_dir(root).expect("hierarchy").flatten();
    let mut paths = parents.map(|parent| parent.path().join(&id).join(file));
    let path = paths.find(|path| path.exists()).expect("the container's group");
    std::fs::read_to_string(path).expect("limit").trim().to_owned()
}

const MEMORY: ((&str, &str), &str) = (("memory", "memory.limit_in_bytes"), "memory.max");
const PIDS: ((&str, &str), &str) = (("pids", "pids.max"), "pids.max");
const SHARES: ((&str, &str), &str) = (("cpu", "cpu.shares"), "cpu.weight");

#[test]
fn a_running_container() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "50", "busybox", "sleep", "1000"]).ok();
        daemon
            .run(&["update", "-m", "256m", "--memory-swap", "512m", "--pids-limit", "-1", "web"])
            .ok()
            .stdout("web\n");
        assert_eq!(limit(&daemon, "web", MEMORY.0, MEMORY.1), (256 << 20).to_string());
        assert_eq!(limit(&daemon, "web", PIDS.0, PIDS.1), "max");
        daemon.run(&["update", "-m", "32m", "--memory-swap", "64m", "-c", "512", "--cpus", ".5", "web"]).ok();
        assert_eq!(limit(&daemon, "web", MEMORY.0, MEMORY.1), (32 << 20).to_string());
        let shares = limit(&daemon, "web", SHARES.0, SHARES.1);
        assert!(["512", "59"].contains(&shares.as_str()), "{shares}");
        let format =
            "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{json .HostConfig.PidsLimit}}";
        assert_eq!(daemon.inspect("web", format), "33554432 67108864 500000000 0");
        daemon.run(&["rm", "-f", "web"]).ok();
    }
}

#[test]
fn a_stopped_container_has_them_when_it_starts() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["create", "--name", "web", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["update", "-m", "32m", "--memory-swap", "-1", "--cpuset-cpus", "0", "web"]).ok();
    daemon.kill();
    daemon.start_again();
    daemon.run(&["start", "web"]).ok();
    assert_eq!(limit(&daemon, "web", MEMORY.0, MEMORY.1), (32 << 20).to_string());
    assert_eq!(daemon.inspect("web", "{{.HostConfig.CpusetCpus}}"), "0");
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn refusals_change_nothing() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "-m", "64m", "--cpus", "1", "busybox", "sleep", "1000"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        for (flags, message) in [
            (
                &["-m", "200m"][..],
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap",
            ),
            (&["--cpu-quota", "5000"], "CPU Quota cannot be updated as NanoCPUs has already been set"),
            (&["-m", "1m"], "Minimum memory limit allowed is 6MB"),
            (&["-m", "32m", "--memory-swap", "16m"], "Minimum memoryswap limit should be larger than memory limit"),
            (&["--cpuset-cpus", "4000"], "Requested CPUs are not available"),
            (&["-c", "1"], "the minimum allowed cpu-shares is 2"),
            (&["--restart", "often"], "invalid restart policy: unknown policy 'often'"),
            (&[], "you must provide one or more flags when using this command"),
        ] {
            daemon.run(&[&["update"], flags, &["web"]].concat()).status(1).stderr_has(message);
        }
        assert_eq!(limit(&daemon, "web", MEMORY.0, MEMORY.1), (64 << 20).to_string());
    }
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn a_later_write_that_fails_takes_the_earlier_ones_back() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "web", "-m", "64m", "busybox", "sh", "-c", "sleep 1000 & wait"]).ok();
    // memory in use cannot be taken away: the kernel refuses the second write, or kills, which v2 does
    let fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null";
    daemon.run(&["exec", "web", "sh", "-c", fill]).ok();
    let update = daemon.run(&["update", "-c", "700", "-m", "8m", "--memory-swap", "8m", "web"]);
    if update.status != 0 {
        assert_eq!(limit(&daemon, "web", MEMORY.0, MEMORY.1), (64 << 20).to_string());
        assert_eq!(daemon.inspect("web", "{{.HostConfig.Memory}} {{.HostConfig.CpuShares}}"), "67108864 0");
        assert!(["1024", "100"].contains(&limit(&daemon, "web", SHARES.0, SHARES.1).as_str()));
    }
    daemon.run(&["rm", "-f", "web"]).ok();
}

#[test]
fn the_restart_policy_counts_at_the_next_end() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["run", "-d", "--name", "web", "busybox", "sleep", "1000"]).ok();
        daemon.run(&["update", "--restart", "on-failure:3", "web"]).ok();
        let pid = daemon.inspect("web", "{{.State.Pid}}");
        std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill");
        eventually("a restart", || daemon.inspect("web", "{{.RestartCount}}") == "1");
        assert_eq!(
            daemon.inspect("web", "{{json .HostConfig.RestartPolicy}}"),
            r#"{"Name":"on-failure","MaximumRetryCount":3}"#
        );
        daemon.run(&["rm", "-f", "web"]).ok();
        daemon.run(&["run", "-d", "--rm", "--name", "brief", "busybox", "sleep", "1000"]).ok();
        let why = "Restart policy cannot be updated because AutoRemove is enabled for the container";
        daemon.run(&["update", "--restart", "always", "brief"]).status(1).stderr_has(why);
        daemon.run(&["rm", "-f", "brief"]).ok();
    }
}

/// Each waits for another: the update for the start, the start for who changes the networks, who does for the record.
#[test]
fn beside_a_start_and_a_connection() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "place"]).ok();
    for round in 0..30 {
        daemon.run(&["create", "--name", "web", "busybox", "sleep", "1000"]).ok();
        std::thread::scope(|scope| {
            scope.spawn(|| daemon.run(&["network", "connect", "place", "web"]).ok());
            scope.spawn(|| daemon.run(&["start", "web"]).ok());
            scope.spawn(|| daemon.run(&["update", "-c", "100", "web"]).ok());
        });
        assert_eq!(
            daemon.inspect("web", "{{.HostConfig.CpuShares}} {{len .NetworkSettings.Networks}}"),
            "100 2",
            "{round}"
        );
        daemon.run(&["rm", "-f", "web"]).ok();
    }
}

/// A list with sizes goes on although what it lists goes.
#[test]
fn sizes_beside_removals() {
    let daemon = Daemon::with_images(&["busybox"]);
    std::thread::scope(|scope| {
        let listing = scope.spawn(|| (0..100).for_each(|_| drop(daemon.run(&["ps", "-as"]).ok())));
        while !listing.is_finished() {
            daemon.run(&["create", "--name", "web", "busybox", "true"]).ok();
            daemon.run(&["rm", "web"]).ok();
        }
    });
}
