//! The command line on the real kernel; needs root and a static `/bin/busybox`.

mod support;

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};
use support::{Bundle, text};

#[test]
fn run_tells_the_programs_status() {
    let bundle = Bundle::new(&["sh", "-c", "echo out; echo err >&2; exit 4"]);
    let output = bundle.output(&["run", &bundle.id]);
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(4), "out\n".to_owned(), "err\n".to_owned())
    );
    assert_eq!(bundle.state(), Value::Null);
    assert_eq!(std::fs::read_dir(bundle.path.join("state")).unwrap().count(), 0);
}

#[test]
fn a_life() {
    let bundle = Bundle::new(&["sleep", "1000"]);
    let id = bundle.id.as_str();
    bundle.ok(&["create", "--pid-file", "pid", id]);
    let state = bundle.state();
    assert_eq!(state["status"], "created");
    assert_eq!(state["pid"].to_string(), std::fs::read_to_string(bundle.path.join("pid")).unwrap());
    assert_eq!(state["bundle"], bundle.path.to_str().unwrap());
    let again = bundle.output(&["create", id]);
    assert_eq!(text(&again.stderr), format!("container with given ID already exists: {id}\n"));
    bundle.ok(&["start", id]);
    assert_eq!(bundle.state()["status"], "running");
    assert_eq!(text(&bundle.output(&["start", id]).stderr), "cannot start an already running container\n");
    let exec = bundle.output(&["exec", "-e", "X=7", "--cwd", "/bin", id, "sh", "-c", "echo $X $PWD; exit 5"]);
    assert_eq!((exec.status.code(), text(&exec.stdout)), (Some(5), "7 /bin\n".to_owned()));
    let pids: Vec<u64> = serde_json::from_slice(&bundle.output(&["ps", "--format", "json", id]).stdout).unwrap();
    assert_eq!(pids, [bundle.state()["pid"].as_u64().unwrap()]);
    bundle.ok(&["pause", id]);
    assert_eq!(bundle.state()["status"], "paused");
    assert!(!bundle.output(&["exec", id, "true"]).status.success());
    bundle.ok(&["resume", id]);
    assert!(text(&bundle.output(&["delete", id]).stderr).contains("that is not stopped: running"));
    bundle.ok(&["kill", id, "KILL"]);
    bundle.wait_for("stopped");
    assert_eq!(text(&bundle.output(&["kill", id]).stderr), "container not running\n");
    bundle.ok(&["delete", id]);
    assert_eq!(text(&bundle.output(&["state", id]).stderr), "container does not exist\n");
    assert_eq!(text(&bundle.output(&["list", "-q"]).stdout), "");
}

#[test]
fn failures_leave_nothing_and_are_logged() {
    let bundle = Bundle::new(&["nothere"]);
    let output = bundle.output(&["--log", "log", "--log-format", "json", "run", &bundle.id]);
    let message = "unable to start container process: exec: \"nothere\": executable file not found in $PATH";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), format!("{message}\n")));
    let line: Value = serde_json::from_slice(&std::fs::read(bundle.path.join("log")).unwrap()).unwrap();
    assert_eq!((&line["level"], &line["msg"]), (&json!("error"), &json!(message)));
    assert_eq!(bundle.state(), Value::Null);
    for (args, expected) in [
        (&["run", "../x"][..], "invalid container ID format"),
        (&["fly"], "unknown command"),
        (&["run", "--no-pivot", "x"], "--no-pivot is not supported"),
        (&["delete", "x"], "container does not exist"),
    ] {
        let output = bundle.output(args);
        assert!(!output.status.success() && text(&output.stderr).contains(expected), "{args:?}: {output:?}");
    }
}

#[test]
fn hooks_run_at_their_seams() {
    let bundle = Bundle::new(&["true"]);
    let trace = bundle.path.join("trace");
    let hook = |name: &str| {
        let script = format!(
            "read -r state; echo {name} $(echo \"$state\" | grep -o '\"status\":\"[a-z]*\"') >> {}",
            trace.display()
        );
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"], "timeout": 10}])
    };
    bundle.change(|config| {
        config["hooks"] = json!({
            "prestart": hook("prestart"),
            "createRuntime": hook("createRuntime"),
            "createContainer": hook("createContainer"),
            "poststart": hook("poststart"),
            "poststop": hook("poststop"),
            "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "test -e /bin/busybox"]}],
        });
    });
    bundle.ok(&["run", &bundle.id]);
    let found = std::fs::read_to_string(&trace).unwrap();
    let names: Vec<&str> = found.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["prestart", "createRuntime", "createContainer", "poststart", "poststop"], "{found}");
    assert!(found.contains("prestart \"status\":\"creating\""), "{found}");
    bundle.change(|config| config["hooks"] = json!({"prestart": [{"path": "/bin/false"}]}));
    let output = bundle.output(&["run", &bundle.id]);
    assert!(text(&output.stderr).contains("error running hook #0 (/bin/false): exit status 1"), "{output:?}");
    bundle.change(|config| {
        config["hooks"] = json!({"prestart": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]})
    });
    let output = bundle.output(&["run", &bundle.id]);
    assert!(text(&output.stderr).contains("timed out"), "{output:?}");
}

#[test]
fn the_console_socket_gets_the_terminal() {
    let bundle = Bundle::new(&["sh", "-c", "tty"]);
    bundle.change(|config| {
        config["process"]["terminal"] = json!(true);
        config["process"]["consoleSize"] = json!({"height": 9, "width": 8});
    });
    let path = bundle.path.join("console");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.ok(&["create", "--console-socket", path.to_str().unwrap(), &bundle.id]);
    let (socket, _) = listener.accept().unwrap();
    let (mut name, mut fds) = ([0u8; 64], Vec::new());
    assert!(sys::scm::receive(&socket, &mut name, &mut fds).unwrap() > 0);
    let master = fds.pop().unwrap();
    assert_eq!(rustix::termios::tcgetwinsize(master.as_fd()).unwrap().ws_row, 9);
    bundle.ok(&["start", &bundle.id]);
    let mut out = Vec::new();
    let _ = std::fs::File::from(master).read_to_end(&mut out);
    assert_eq!(text(&out), "/dev/pts/0\r\n");
    assert!(!bundle.output(&["run", "-d", &format!("{}x", bundle.id)]).stderr.is_empty());
}

#[test]
fn features_and_version() {
    let bundle = Bundle::new(&["true"]);
    let features: Value = serde_json::from_slice(&bundle.output(&["features"]).stdout).unwrap();
    assert!(features["linux"]["namespaces"].as_array().unwrap().contains(&json!("user")));
    assert!(features["mountOptions"].as_array().unwrap().contains(&json!("rro")));
    assert!(text(&bundle.output(&["--version"]).stdout).starts_with("lighter-runtime version "));
    assert!(Path::new(&bundle.path).join("config.json").exists());
    assert!(!bundle.output(&["spec"]).status.success(), "an existing configuration is not overwritten");
}
