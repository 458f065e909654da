//! The command line on the real kernel; needs root and a static `/bin/busybox`.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A bundle with a busybox root and a state directory of its own.
struct Bundle {
    path: PathBuf,
    id: String,
}

impl Bundle {
    fn new(args: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("lighter-cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(&id);
        std::fs::create_dir_all(path.join("rootfs/bin")).unwrap();
        std::fs::copy("/bin/busybox", path.join("rootfs/bin/busybox")).unwrap();
        for name in ["sh", "sleep", "cat", "tty", "true", "ls", "stty", "env"] {
            std::os::unix::fs::symlink("busybox", path.join("rootfs/bin").join(name)).unwrap();
        }
        let bundle = Self { path, id };
        assert!(bundle.command(&["spec", "--bundle", bundle.path.to_str().unwrap()]).status().unwrap().success());
        bundle.change(|config| {
            config["process"]["terminal"] = json!(false);
            config["process"]["args"] = json!(args);
        });
        bundle
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path.join("config.json");
        let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut config);
        std::fs::write(path, config.to_string()).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lighter-runtime"));
        command.arg("--root").arg(self.path.join("state")).args(args).current_dir(&self.path).stdin(Stdio::null());
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Must succeed silently.
    #[track_caller]
    fn ok(&self, args: &[&str]) {
        let output = self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(output.success(), "{args:?}: {output}");
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&self.output(&["state", &self.id]).stdout).unwrap_or(Value::Null)
    }

    /// Waits until the container has this status.
    #[track_caller]
    fn wait_for(&self, status: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.state()["status"] != status {
            assert!(Instant::now() < until, "still {}", self.state());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.output(&["delete", "--force", &self.id]);
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

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
        (&["--systemd-cgroup", "run", "x"][..], "--systemd-cgroup is not supported"),
        (&["run", "../x"], "invalid container ID format"),
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
        config["hooks"] = json!({"prestart": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 0}]})
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
    assert_eq!(features["linux"]["cgroup"]["systemd"], false);
    assert!(features["mountOptions"].as_array().unwrap().contains(&json!("rro")));
    assert!(text(&bundle.output(&["--version"]).stdout).starts_with("lighter-runtime version "));
    assert!(Path::new(&bundle.path).join("config.json").exists());
    assert!(!bundle.output(&["spec"]).status.success(), "an existing configuration is not overwritten");
}
