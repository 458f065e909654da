//! The flags of `run`, `create` and `exec` that no other scenario is about: what becomes of each in the end.

use testkit::{Daemon, through_both};

#[test]
fn files_and_labels() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let file = |daemon: &Daemon, name: &str, text: &str| {
        let path = daemon.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    through_both(&mut daemon, |daemon| {
        let (env, labels) = (file(daemon, "env", "A=1\n# no\nB=2\n"), file(daemon, "labels", "x=file\ny=file\n"));
        let cid = daemon.directory.join("cid");
        let flags = ["--name", "box", "--env-file", &env, "-e", "B=3", "--label-file", &labels, "-l", "y=flag"];
        let more = ["--cidfile", cid.to_str().unwrap(), "--annotation", "note=kept", "--expose", "8080/udp"];
        let args = [&["run"], &flags[..], &more, &["busybox", "sh", "-c", "echo $A $B"]].concat();
        daemon.run(&args).ok().stdout("1 3\n");
        assert_eq!(daemon.inspect("box", "{{.Id}}"), std::fs::read_to_string(&cid).unwrap());
        let shown =
            "{{.Config.Labels.x}} {{.Config.Labels.y}} {{.HostConfig.Annotations.note}} {{json .Config.ExposedPorts}}";
        assert_eq!(daemon.inspect("box", shown), r#"file flag kept {"8080/udp":{}}"#);
        daemon.run(&args).status(125).stderr_has("container ID file found");
        daemon.run(&["rm", "box"]).ok();
        std::fs::remove_file(cid).unwrap();
    });
}

#[test]
fn programs_and_their_ends() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "--rm", "--entrypoint", "echo", "busybox", "said"]).ok().stdout("said\n");
        daemon.run(&["run", "--rm", "--init", "busybox", "sh", "-c", "echo $$"]).ok().stdout("2\n");
        daemon
            .run(&["run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo o; echo e >&2"])
            .ok()
            .stdout("")
            .stderr("e\n");
        daemon
            .run(&["run", "--rm", "-w", "/made/here", "-u", "7:8", "busybox", "sh", "-c", "pwd; id -u; id -g"])
            .ok()
            .stdout("/made/here\n7\n8\n");
        let script = "trap 'exit 44' INT; echo ready; while :; do sleep 0.1; done";
        let flags = ["run", "-d", "--name", "ends", "--stop-signal", "INT", "--stop-timeout", "20", "--no-healthcheck"];
        daemon.run(&[&flags[..], &["busybox", "sh", "-c", script]].concat()).ok();
        testkit::eventually("the handler", || daemon.run(&["logs", "ends"]).stdout == "ready\n");
        daemon.run(&["stop", "ends"]).ok();
        assert_eq!(daemon.inspect("ends", "{{.State.ExitCode}} {{.Config.StopTimeout}}"), "44 20");
        daemon.run(&["rm", "ends"]).ok();
    });
}

#[test]
fn names_on_the_network() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let flags =
            ["--add-host", "db:10.9.8.7", "--dns", "10.1.1.1", "--dns-search", "corp", "--dns-option", "ndots:2"];
        let script =
            "grep db /etc/hosts | tr '\\t' ' '; grep -v '^#' /etc/resolv.conf; cat /sys/class/net/eth0/address";
        let args =
            [&["run", "--rm", "--mac-address", "02:42:0a:00:00:07"][..], &flags, &["busybox", "sh", "-c", script]]
                .concat();
        let got = daemon.run(&args).ok();
        for part in
            ["10.9.8.7 db\n", "nameserver 10.1.1.1\n", "search corp\n", "options ndots:2\n", "02:42:0a:00:00:07\n"]
        {
            assert!(got.stdout.contains(part), "{part:?} in {}", got.stdout);
        }
    });
}

#[test]
fn images_and_platforms() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let quietly = ["run", "--rm", "--pull", "never", "-q", "--disable-content-trust", "--platform", "linux/amd64"];
        if cfg!(target_arch = "x86_64") {
            daemon.run(&[&quietly[..], &["busybox", "true"]].concat()).ok();
        }
        let missing = daemon.run(&["run", "--rm", "--pull", "never", "not-there:1", "true"]).status(125);
        assert!(missing.stderr.contains("No such image: not-there:1"), "{}", missing.stderr);
    });
}

#[test]
fn what_linux_does_not_have() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (flags, status, words) in [
            ("--cpu-count 1", 1, "is only supported on a Docker daemon running on windows"),
            ("--cpu-percent 10", 1, "is only supported on a Docker daemon running on windows"),
            ("--io-maxiops 5", 1, "is only supported on a Docker daemon running on windows"),
            ("--io-maxbandwidth 5m", 1, "is only supported on a Docker daemon running on windows"),
            ("--kernel-memory 10m", 0, ""),
            ("--isolation default", 0, ""),
        ] {
            let mut args = vec!["run", "--rm"];
            args.extend(flags.split(' '));
            args.extend(["busybox", "true"]);
            let got = daemon.run(&args).status(status);
            assert!(got.stderr.contains(words), "{flags}: {}", got.stderr);
        }
    });
}

#[test]
fn programs_users_and_groups_that_are_none() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let range = "Error response from daemon: uids and gids must be in range 0-2147483647";
    through_both(&mut daemon, |daemon| {
        for (flags, program, status, words) in [
            (&[][..], "", 127, "exec: \"\": executable file not found in $PATH"),
            (&["-u", "-1"], "true", 125, range),
            (&["-u", "4294967296"], "true", 125, range),
            (&["--group-add", "99999999999"], "true", 125, range),
            (&["--group-add", "nobody-here"], "true", 125, "unable to find group nobody-here"),
            (&["-v", "relative", "-w", "/relative"], "ls", 0, ""),
        ] {
            let args = [&["run", "--rm"], flags, &["busybox", program]].concat();
            daemon.run(&args).status(status).stderr_has(words);
        }
    });
}

#[test]
fn the_daemons_socket_with_credentials() {
    let daemon = Daemon::with_images(&["busybox"]);
    std::fs::create_dir_all(daemon.directory.join("config")).unwrap();
    std::fs::write(daemon.directory.join("config/config.json"), r#"{"auths":{"r.example:5000":{"auth":"dTpw"}}}"#)
        .unwrap();
    let script =
        "stat -c %i /var/run/docker.sock; stat -c %a $DOCKER_CONFIG/config.json; cat $DOCKER_CONFIG/config.json";
    let socket = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(daemon.socket()).unwrap());
    let run = |flags: &[&str], script: &str| {
        let args = [&["run", "--rm", "--use-api-socket"], flags, &["busybox", "sh", "-c", script]].concat();
        daemon.run(&args).ok().stdout
    };
    let expected = format!("{socket}\n600\n{{\"auths\":{{\"r.example:5000\":{{\"auth\":\"dTpw\"}}}}}}");
    assert_eq!(run(&[], script), expected);
    assert_eq!(run(&["-e", "DOCKER_CONFIG=/own"], "ls /run/secrets /own 2>&1 | grep -c No"), "2\n");
}

/// A request by the API alone.
fn create(daemon: &Daemon, body: &str) -> String {
    daemon.raw(&format!(
        "POST /v1.51/containers/create?name=box HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn fields_without_a_flag() {
    let daemon = Daemon::with_images(&["busybox"]);
    let refused = create(&daemon, r#"{"Image":"busybox","HostConfig":{"Cgroup":"container:x"}}"#);
    assert!(refused.contains(" 501 ") && refused.contains("sharing another container's cgroup"), "{refused}");
    let made = create(&daemon, r#"{"Image":"busybox","Cmd":"true","ArgsEscaped":true,"OnBuild":["RUN x"]}"#);
    assert!(made.contains(" 201 "), "{made}");
    assert_eq!(daemon.inspect("box", "{{json .Config.ArgsEscaped}} {{json .Config.OnBuild}}"), "true [\"RUN x\"]");
    daemon.run(&["start", "-a", "box"]).ok();
}

#[test]
fn execs() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let env = daemon.directory.join("env");
        std::fs::write(&env, "FROM=file\nB=file\n").unwrap();
        daemon.run(&["run", "-d", "--name", "box", "-e", "A=own", "busybox", "sleep", "1000"]).ok();
        let flags = ["--env-file", env.to_str().unwrap(), "-e", "B=flag", "-w", "/tmp", "-u", "12:13"];
        let script = "echo $A $FROM $B; pwd; id -u; id -g";
        daemon
            .run(&[&["exec"], &flags[..], &["box", "sh", "-c", script]].concat())
            .ok()
            .stdout("own file flag\n/tmp\n12\n13\n");
        let all = "grep -c 'CapEff:.*ffff' /proc/self/status; grep Seccomp: /proc/self/status | cut -f 2";
        daemon.run(&["exec", "--privileged", "box", "sh", "-c", all]).ok().stdout("1\n0\n");
        daemon.run(&["exec", "box", "grep", "Seccomp:", "/proc/self/status"]).ok().stdout("Seccomp:\t2\n");
        daemon.run(&["exec", "-w", "/nowhere", "box", "true"]).status(127);
        daemon.run(&["exec", "--detach-keys", "ctrl-x,x", "box", "true"]).ok();
        daemon.run(&["exec", "--detach-keys", "nonsense", "box", "true"]).status(1);
        daemon.run(&["rm", "-f", "box"]).ok();
    });
}
