//! `run`: what the process gets, and what comes back from it.

use testkit::{Cli, Daemon, real_docker};

fn clients() -> Vec<Cli> {
    let mut all = vec![Cli::Lighter, Cli::AsDocker];
    all.extend(real_docker().map(Cli::Docker));
    all
}

#[test]
fn output_and_status_come_back_whatever_the_client() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        daemon
            .run(&["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"])
            .ok()
            .stdout("out\n")
            .stderr("err\n");
        for code in [0, 1, 3, 125, 255] {
            daemon.run(&["run", "--rm", "busybox", "sh", "-c", &format!("exit {code}")]).status(code);
        }
        daemon.run_with_input(&["run", "--rm", "-i", "busybox", "cat"], b"to cat\n").ok().stdout("to cat\n");
        daemon.run(&["run", "--rm", "busybox", "cat"]).ok().stdout("");
    }
    daemon.run(&["ps", "-aq"]).ok().stdout("");
}

#[test]
fn hello_world_is_there() {
    let daemon = Daemon::start();
    daemon.run(&["run", "--rm", "hello-world"]).ok().stdout_has("Hello from Lighter!");
}

#[test]
fn programs_that_cannot_run() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        daemon
            .run(&["run", "--rm", "busybox", "nonsense"])
            .status(127)
            .stderr_has("executable file not found in $PATH");
        daemon.run(&["run", "--rm", "busybox", "/no/such"]).status(127).stderr_has("no such file or directory");
        daemon.run(&["run", "--rm", "busybox", "/etc"]).status(126);
        daemon.run(&["run", "--rm", "busybox", "/etc/passwd"]).status(126).stderr_has("permission denied");
        daemon
            .run(&["run", "--rm", "-u", "nobodyknows", "busybox", "true"])
            .status(125)
            .stderr_has("unable to find user nobodyknows");
        daemon
            .run(&["run", "--rm", "no-such-image", "true"])
            .status(125)
            .stderr_has("Unable to find image 'no-such-image:latest' locally");
        daemon.run(&["run", "--rm", "Busybox", "true"]).status(125).stderr_has("must be lowercase");
    }
    daemon.run(&["ps", "-aq"]).ok().stdout("");
}

#[test]
fn below_an_init_a_missing_program_is_the_end_of_a_running_container() {
    let daemon = Daemon::with_images(&["busybox"]);
    for (program, code, why) in
        [("nonsense", 127, "No such file or directory"), ("/etc/passwd", 126, "Permission denied"), ("/etc", 126, "")]
    {
        let told = daemon.run(&["run", "--rm", "--init", "busybox", program]).status(code);
        told.stderr_has("[FATAL tini (").stderr_has(&format!(")] exec {program} failed: {why}"));
    }
    daemon.run(&["run", "-d", "--name", "ii", "--init", "busybox", "nonsense"]).ok();
    daemon.run(&["wait", "ii"]).ok().stdout("127\n");
    assert_eq!(daemon.inspect("ii", "{{.State.Status}} {{.State.ExitCode}}{{.State.Error}}"), "exited 127");
}

#[test]
fn identity_and_environment() {
    let daemon = Daemon::with_images(&["busybox"]);
    let sh = |args: &[&str], script: &str| {
        let all = [&["run", "--rm"][..], args, &["busybox", "sh", "-c", script]].concat();
        daemon.run(&all).ok().stdout
    };
    assert_eq!(sh(&["-u", "web"], "id"), "uid=33(web) gid=33(web) groups=29(audio),33(web)\n");
    assert_eq!(sh(&["-u", "1000:50"], "id -u; id -g"), "1000\n50\n");
    assert_eq!(sh(&["-e", "A=1", "-e", "B=two words"], "echo $A-$B"), "1-two words\n");
    assert_eq!(sh(&["-w", "/a/b"], "pwd"), "/a/b\n");
    assert_eq!(sh(&["-h", "web"], "hostname; cat /etc/hostname; grep -c web /etc/hosts"), "web\nweb\n1\n");
    assert_eq!(sh(&["--add-host", "db:10.1.2.3"], "grep -w db /etc/hosts"), "10.1.2.3\tdb\n");
    assert_eq!(
        sh(&[], "echo $$; echo $HOME; echo $PATH"),
        "1\n/root\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    );
    assert_eq!(sh(&["--init"], "echo $$ | grep -vx 1 | wc -l"), "1\n");
    assert_eq!(sh(&["--entrypoint", "echo"], "x"), "sh -c x\n");
}

#[test]
fn walls() {
    let daemon = Daemon::with_images(&["busybox"]);
    let sh = |args: &[&str], script: &str| {
        let all = [&["run", "--rm"][..], args, &["busybox", "sh", "-c", script]].concat();
        daemon.run(&all)
    };
    sh(&[], "unshare -m true").status(1).stderr_has("Operation not permitted");
    sh(&[], "mount -t tmpfs t /tmp").status(1);
    sh(&["--privileged"], "mount -t tmpfs t /tmp").ok();
    sh(&[], "grep CapEff /proc/self/status").ok().stdout("CapEff:\t00000000a80425fb\n");
    sh(&["--cap-drop", "ALL", "--cap-add", "CHOWN"], "grep CapEff /proc/self/status")
        .ok()
        .stdout("CapEff:\t0000000000000001\n");
    sh(&["-u", "web"], "grep -E 'CapEff|CapInh' /proc/self/status")
        .ok()
        .stdout("CapInh:\t0000000000000000\nCapEff:\t0000000000000000\n");
    sh(&["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status").ok().stdout("NoNewPrivs:\t1\n");
    sh(&[], "grep Seccomp: /proc/self/status").ok().stdout("Seccomp:\t2\n");
    sh(&["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status").ok().stdout("Seccomp:\t0\n");
    sh(&["--read-only"], "touch /x").status(1).stderr_has("Read-only file system");
    sh(&["--read-only", "--tmpfs", "/tmp"], "touch /tmp/x").ok();
    sh(&[], "echo 1 > /proc/sys/kernel/panic").status(1).stderr_has("Read-only file system");
    sh(&[], "cat /proc/kcore | wc -c; ls /sys/firmware | wc -l").ok().stdout("0\n0\n");
    sh(&[], "ls /proc/self/fd | wc -l").ok().stdout("4\n");
    sh(&[], "cat /proc/1/cgroup | head -1 | cut -d: -f3").ok();
}

#[test]
fn limits() {
    let daemon = Daemon::with_images(&["busybox"]);
    let sh = |args: &[&str], script: &str| {
        let all = [&["run", "--rm"][..], args, &["busybox", "sh", "-c", script]].concat();
        daemon.run(&all)
    };
    sh(&["--ulimit", "nofile=100:200"], "ulimit -n; ulimit -Hn").ok().stdout("100\n200\n");
    sh(&["--shm-size", "1m"], "df -k /dev/shm | tail -1 | awk '{print $2}'").ok().stdout("1024\n");
    sh(&["--sysctl", "net.ipv4.ip_forward=0"], "cat /proc/sys/net/ipv4/ip_forward").ok().stdout("0\n");
    sh(&["--sysctl", "kernel.panic=1"], "true").status(125).stderr_has("kernel.panic");
    sh(&["-m", "1m"], "true").status(125).stderr_has("Minimum memory limit allowed is 6MB");
    sh(&["--pids-limit", "3"], "for i in 1 2 3 4 5 6; do sleep 1 & done; wait").stderr_has("fork");
    sh(&["-m", "20m", "--memory-swap", "20m"], "head -c 60m /dev/zero | tail").status(137);
}

#[test]
fn an_oom_kill_is_told() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon
        .run(&[
            "run",
            "--name",
            "hog",
            "-m",
            "20m",
            "--memory-swap",
            "20m",
            "busybox",
            "sh",
            "-c",
            "exec tail /dev/zero",
        ])
        .status(137);
    assert_eq!(daemon.inspect("hog", "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}"), "true 137 exited");
}

#[test]
fn binds() {
    let daemon = Daemon::with_images(&["busybox"]);
    let shared = daemon.directory.join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("file"), "content\n").unwrap();
    let path = shared.display().to_string();
    daemon
        .run(&["run", "--rm", "-v", &format!("{path}:/in"), "busybox", "sh", "-c", "cat /in/file; echo new > /in/new"])
        .ok()
        .stdout("content\n");
    assert_eq!(std::fs::read_to_string(shared.join("new")).unwrap(), "new\n");
    daemon
        .run(&["run", "--rm", "-v", &format!("{path}:/in:ro"), "busybox", "touch", "/in/x"])
        .status(1)
        .stderr_has("Read-only file system");
    daemon
        .run(&[
            "run",
            "--rm",
            "--mount",
            &format!("type=bind,src={path},dst=/in,readonly"),
            "busybox",
            "touch",
            "/in/x",
        ])
        .status(1);
    daemon.run(&["run", "--rm", "-v", &format!("{path}/made:/in"), "busybox", "true"]).ok();
    assert!(shared.join("made").is_dir(), "-v makes a missing source");
    let missing = format!("type=bind,src={path}/missing,dst=/in");
    daemon
        .run(&["run", "--rm", "--mount", &missing, "busybox", "true"])
        .status(125)
        .stderr_has("bind source path does not exist");
    daemon.run(&["ps", "-aq"]).ok().stdout("");
}

#[test]
fn what_is_not_there_yet_is_refused() {
    let daemon = Daemon::with_images(&["busybox"]);
    for flags in [
        &["--mount", "type=cluster,src=name,dst=/data"][..],
        &["--network", "mine"],
        &["--link", "a:b"],
        &["--gpus", "all"],
        &["--volumes-from", "x"],
        &["--log-driver", "syslog"],
        &["--runtime", "kata"],
        &["--userns", "host"],
    ] {
        let all = [&["run", "--rm"][..], flags, &["busybox", "true"]].concat();
        let got = daemon.run(&all);
        let fine = flags == ["--userns", "host"];
        assert_eq!(got.status, if fine { 0 } else { 125 }, "{got:?}");
    }
    daemon.run(&["ps", "-aq"]).ok().stdout("");
}
