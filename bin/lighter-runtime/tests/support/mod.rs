//! Bundles for the command line's tests.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A bundle with a busybox root and a state directory of its own.
pub struct Bundle {
    pub path: PathBuf,
    pub id: String,
}

impl Bundle {
    pub fn new(args: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("lighter-cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(&id);
        std::fs::create_dir_all(path.join("rootfs/bin")).unwrap();
        std::fs::copy("/bin/busybox", path.join("rootfs/bin/busybox")).unwrap();
        for name in [
            "sh", "sleep", "cat", "tty", "true", "ls", "stty", "env", "touch", "stat", "mkdir", "grep", "id",
            "hostname", "uname", "mount", "echo", "ionice", "kill", "rm", "dd", "mknod",
        ] {
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

    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path.join("config.json");
        let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut config);
        std::fs::write(path, config.to_string()).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lighter-runtime"));
        command.arg("--root").arg(self.path.join("state")).args(args).current_dir(&self.path).stdin(Stdio::null());
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Must succeed silently.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) {
        let output = self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(output.success(), "{args:?}: {output}");
    }

    pub fn state(&self) -> Value {
        serde_json::from_slice(&self.output(&["state", &self.id]).stdout).unwrap_or(Value::Null)
    }

    /// Changes the configuration at a path such as `process.user.uid`.
    pub fn set(&self, path: &str, value: Value) -> &Self {
        self.change(|config| {
            let place = path.split('.').fold(config, |place, key| &mut place[key]);
            *place = value;
        });
        self
    }

    /// What a shell script in it prints; it must succeed.
    #[track_caller]
    pub fn says(&self, script: &str) -> String {
        self.set("process.args", json!(["sh", "-c", script]));
        let output = self.output(&["run", &self.id]);
        assert!(output.status.success(), "{script}: {output:?}");
        text(&output.stdout).trim_end().to_owned()
    }

    /// It is not created, by this reason, and nothing is left.
    #[track_caller]
    pub fn is_refused(&self, reason: &str) {
        let output = self.output(&["create", &self.id]);
        assert!(!output.status.success(), "created");
        assert!(text(&output.stderr).contains(reason), "{output:?}");
        assert_eq!(self.state(), Value::Null);
    }

    /// Waits until the container has this status.
    #[track_caller]
    pub fn wait_for(&self, status: &str) {
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

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for it, at most twenty seconds.
#[track_caller]
pub fn eventually(mut ready: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !ready() {
        assert!(Instant::now() < until, "not within twenty seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The directories of a control group in all hierarchies.
pub fn groups(path: &str) -> Vec<PathBuf> {
    let below = path.trim_start_matches('/');
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = mounts.lines().filter(|line| line.contains(" - cgroup"));
    let places = mounts.filter_map(|line| line.split(' ').nth(4));
    let mut found: Vec<PathBuf> = places
        .filter(|place| place.starts_with("/sys/fs/cgroup"))
        .map(|place| PathBuf::from(place).join(below))
        .filter(|group| group.is_dir())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
