//! Log drivers and their options, by our client and by Docker's.

use testkit::{Cli, Daemon, eventually, real_docker};

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

#[test]
fn details_are_labels_and_variables() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        let options =
            ["--label", "team=a b", "--label", "x.y=1", "-e", "OS_A=2", "-e", "B=3", "--log-opt", "labels=team,none"];
        let more = [
            "--log-opt",
            "labels-regex=^x\\.",
            "--log-opt",
            "env=B",
            "--log-opt",
            "env-regex=^OS_",
            "--log-opt",
            "tag={{.Name}}",
        ];
        daemon.run(&[&["run", "--name", "web"][..], &options, &more, &["busybox", "echo", "hi"]].concat()).ok();
        daemon.run(&["logs", "--details", "web"]).ok().stdout("B=3,OS_A=2,tag=web,team=a+b,x.y=1 hi\n");
        daemon.run(&["logs", "web"]).ok().stdout("hi\n");
        daemon.run(&["rm", "web"]).ok();
        daemon.run(&["run", "--name", "web", "busybox", "echo", "hi"]).ok();
        daemon.run(&["logs", "--details", "web"]).ok().stdout(" hi\n");
        daemon.run(&["rm", "web"]).ok();
    }
}

#[test]
fn local_logs() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        let local =
            ["run", "--name", "web", "--log-driver", "local", "--log-opt", "max-size=10k", "--log-opt", "max-file=3"];
        daemon.run(&[&local[..], &["busybox", "sh", "-c", "echo out; echo err >&2"]].concat()).ok();
        daemon.run(&["logs", "web"]).ok().stdout("out\n").stderr("err\n");
        assert_eq!(daemon.inspect("web", "{{.HostConfig.LogConfig.Type}}<{{.LogPath}}>"), "local<>");
        daemon.run(&["rm", "web"]).ok();
    }
}

#[test]
fn none_is_refused_to_readers() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["run", "--name", "web", "--log-driver", "none", "busybox", "echo", "hi"]).ok().stdout("hi\n");
        daemon.run(&["logs", "web"]).status(1).stderr_has("configured logging driver does not support reading");
        daemon.run(&["rm", "web"]).ok();
    }
}

#[test]
fn options_are_checked() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        for (driver, option, message) in [
            ("json-file", "colour=red", "unknown log opt 'colour' for json-file log driver"),
            ("json-file", "max-size=x", "invalid size: 'x'"),
            ("json-file", "max-file=0", "max-file cannot be less than 1"),
            ("json-file", "compress=x", "strconv.ParseBool: parsing \"x\": invalid syntax"),
            (
                "json-file",
                "max-buffer-size=1m",
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
            ),
            ("json-file", "mode=fast", "logger: logging mode not supported: fast"),
            ("local", "labels=a", "unknown log opt 'labels' for log driver local"),
            ("local", "max-file=1", "compression cannot be enabled when max file count is 1"),
            ("loki", "a=b", "error looking up logging plugin loki: plugin \"loki\" not found"),
        ] {
            let run = ["run", "--rm", "--log-driver", driver, "--log-opt", option, "busybox", "true"];
            daemon.run(&run).status(125).stderr_has(message);
        }
        assert_eq!(daemon.run(&["ps", "-aq"]).ok().stdout, "");
    }
}

/// Names and sizes of a container's log files.
fn files(daemon: &Daemon, name: &str) -> Vec<String> {
    let directory = daemon.directory.join("data/containers").join(daemon.inspect(name, "{{.Id}}"));
    let below = |directory: std::path::PathBuf| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let all = below(directory.join("local-logs")).chain(below(directory));
    let mut names: Vec<String> = all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.contains("log.") || name.ends_with(".gz"));
    names.sort();
    names
}

#[test]
fn rotated_files_are_compressed_and_read_back() {
    let daemon = Daemon::with_images(&["busybox"]);
    let options = ["--log-opt", "max-size=100k", "--log-opt", "max-file=4", "--log-opt", "compress=true"];
    for driver in ["json-file", "local"] {
        let script = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000";
        let run = ["run", "-d", "--name", "web", "--log-driver", driver];
        daemon.run(&[&run[..], &options, &["busybox", "sh", "-c", script]].concat()).ok();
        eventually("the last line", || daemon.run(&["logs", "-n", "1", "web"]).stdout == "line 4999\n");
        eventually("compressed generations", || {
            let names = files(&daemon, "web");
            names.len() == 3 && names.iter().all(|name| name.ends_with(".gz"))
        });
        let expected: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        daemon.run(&["logs", "web"]).ok().stdout(&expected);
        daemon.run(&["logs", "-n", "4500", "web"]).ok().stdout(&expected[expected.find("line 500\n").expect("line")..]);
        daemon.run(&["rm", "-f", "web"]).ok();
    }
}

#[test]
fn a_log_that_holds_nobody_up() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        let options = [
            "--log-opt",
            "mode=non-blocking",
            "--log-opt",
            "max-buffer-size=1m",
            "--log-opt",
            "max-size=50k",
            "--log-opt",
            "max-file=9",
        ];
        let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done";
        daemon.run(&[&["run", "--name", "web"][..], &options, &["busybox", "sh", "-c", script]].concat()).ok();
        let expected: String = (0..3000).map(|n| format!("line {n}\n")).collect();
        daemon.run(&["logs", "web"]).ok().stdout(&expected);
        daemon.run(&["rm", "web"]).ok();
    }
}

#[test]
fn defaults_of_the_daemon() {
    let daemon = Daemon::with_flags(&["--log-driver", "local", "--log-opt", "max-size=5k", "--log-opt", "max-file=2"]);
    daemon.import("busybox");
    daemon.run(&["create", "--name", "web", "busybox"]).ok();
    let format = "{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}";
    assert_eq!(daemon.inspect("web", format), r#"local {"max-file":"2","max-size":"5k"}"#);
    daemon.run(&["create", "--name", "own", "--log-driver", "json-file", "busybox"]).ok();
    assert_eq!(daemon.inspect("own", format), "json-file {}");
    daemon.run(&["rm", "web", "own"]).ok();
}

#[test]
fn annotations_are_kept() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["run", "-d", "--name", "web", "--annotation", "a.b/c=d", "busybox", "sleep", "1000"]).ok();
        assert_eq!(daemon.inspect("web", "{{json .HostConfig.Annotations}}"), r#"{"a.b/c":"d"}"#);
        daemon.run(&["rm", "-f", "web"]).ok();
        daemon.run(&["run", "--rm", "--annotation", "=d", "busybox", "true"]).status(125).stderr_has("annotation");
    }
}
