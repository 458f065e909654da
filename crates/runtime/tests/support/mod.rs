//! A busybox image and containers of it, for tests on the real kernel (root and `/bin/busybox`, static, are needed).

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use oci::runtime::{Capabilities, Linux, Namespace, NamespaceKind, Process, Resources, Root, Spec};
use runtime::{Exec, ExecRunning, Launch, Running, StartError, Stdio};
use rustix::process::{WaitId, WaitIdOptions};
use values::RootMount;

/// A scratch directory with an image and one container's layers; removed at the end.
pub struct Scratch {
    pub path: PathBuf,
    pub id: String,
}

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("rt-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("lighter-{id}"));
        let image = path.join("image");
        for directory in ["bin", "etc", "tmp", "root", "home/app", "data", "upper", "work"] {
            let base = if matches!(directory, "upper" | "work") { &path } else { &image };
            std::fs::create_dir_all(base.join(directory)).unwrap();
        }
        std::fs::copy("/bin/busybox", image.join("bin/busybox")).unwrap();
        for name in [
            "sh", "true", "cat", "id", "ls", "sleep", "tty", "ps", "mount", "unshare", "hostname", "stty", "stat",
            "grep", "env", "pwd", "touch", "mknod", "dmesg", "kill", "readlink", "dd", "mkdir", "wc", "chmod", "df",
            "head",
        ] {
            std::os::unix::fs::symlink("busybox", image.join("bin").join(name)).unwrap();
        }
        write(&image.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n");
        write(&image.join("etc/group"), "root:x:0:root\nwheel:x:10:root,app\nvideo:x:44:\n");
        Self { path, id }
    }

    pub fn image(&self) -> PathBuf {
        self.path.join("image")
    }

    /// A launch with Docker's defaults.
    pub fn launch(&self, args: &[&str]) -> Launch {
        Launch {
            id: self.id.clone(),
            spec: spec(args, &self.id),
            rootfs: RootMount::Overlay {
                lower: vec![self.image().into()],
                upper: self.path.join("upper"),
                work: self.path.join("work"),
                volatile: true,
            },
            seccomp: None,
            init: false,
            user: Some(String::new()),
            additional_groups: Vec::new(),
            map_root: false,
            sources: Vec::new(),
            bundle: None,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(group) = cgroup::Cgroup::open(&cgroup_path(&self.id)) {
            let _ = group.thaw();
            let _ = group.kill_all();
            let _ = group.remove();
        }
        if let Ok(group) = cgroup::Cgroup::open(&format!("/lighter-test-{}", self.id)) {
            let _ = group.remove();
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn cgroup_path(id: &str) -> String {
    format!("/lighter-test-{id}/c")
}

pub fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn spec(args: &[&str], id: &str) -> Spec {
    let kinds = [
        NamespaceKind::Pid,
        NamespaceKind::Mount,
        NamespaceKind::Ipc,
        NamespaceKind::Uts,
        NamespaceKind::Network,
        NamespaceKind::Cgroup,
    ];
    let names = runtime::default_capabilities();
    let seccomp = runtime::seccomp::default_profile(&names);
    Spec {
        process: Some(Process {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec!["PATH=/usr/local/bin:/bin".to_owned(), "A=1".to_owned()],
            cwd: "/".to_owned(),
            capabilities: Some(Capabilities {
                bounding: names.clone(),
                effective: names.clone(),
                permitted: names,
                ..Capabilities::default()
            }),
            ..Process::default()
        }),
        root: Some(Root::default()),
        hostname: "box".to_owned(),
        mounts: runtime::default_mounts(),
        linux: Some(Linux {
            namespaces: kinds.map(|kind| Namespace { kind, path: String::new() }).into(),
            masked_paths: runtime::masked_paths(),
            readonly_paths: runtime::readonly_paths(),
            cgroups_path: cgroup_path(id),
            resources: Some(Resources { devices: runtime::device_rules(), ..Resources::default() }),
            seccomp: Some(seccomp),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}

/// Pipes for a process: what it gets, and our ends.
pub struct Streams {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

pub fn pipes() -> (Stdio, Streams) {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let ((out, stdout), (err, stderr)) = (pipe(), pipe());
    (Stdio::Pipes { stdin: None, stdout, stderr }, Streams { stdout: out, stderr: err })
}

pub fn read_all(fd: OwnedFd) -> String {
    let mut text = String::new();
    // A terminal whose last user is gone answers EIO.
    let _ = std::fs::File::from(fd).read_to_string(&mut text);
    text
}

/// Exit status, 128 + signal when killed.
pub fn wait(pidfd: &OwnedFd) -> i32 {
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap())
}

/// Status, standard output, standard error.
pub type Outcome = (i32, String, String);

/// Runs a container to its end; its cgroup must be removable then.
pub fn run(launch: &Launch) -> Result<Outcome, StartError> {
    let (stdio, streams) = pipes();
    let running = runtime::create(launch, stdio.into())?.start()?;
    let (out, err) = (read_all(streams.stdout), read_all(streams.stderr));
    let status = wait(&running.pidfd);
    running.cgroup.remove().unwrap();
    Ok((status, out, err))
}

/// Runs a shell script in a default container; its standard output, and standard error must be empty.
#[track_caller]
pub fn sh(script: &str) -> String {
    let scratch = Scratch::new();
    let (status, out, err) = run(&scratch.launch(&["sh", "-c", script])).unwrap();
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    out
}

/// A container that waits until it is dropped.
pub struct Live {
    pub running: Running,
    // Held until the end: the container's pipes and its files.
    _streams: Streams,
    _scratch: Scratch,
}

impl Live {
    pub fn new(change: impl FnOnce(&mut Launch)) -> Self {
        let scratch = Scratch::new();
        let mut launch = scratch.launch(&["sleep", "1000"]);
        change(&mut launch);
        let (stdio, streams) = pipes();
        let running = runtime::create(&launch, stdio.into()).unwrap().start().unwrap();
        Self { running, _streams: streams, _scratch: scratch }
    }

    pub fn exec(&self, change: impl FnOnce(&mut Exec), args: &[&str]) -> Result<Outcome, StartError> {
        let (stdio, streams) = pipes();
        let started = self.start(change, args, stdio)?;
        let (out, err) = (read_all(streams.stdout), read_all(streams.stderr));
        Ok((wait(&started.pidfd), out, err))
    }

    pub fn start(
        &self,
        change: impl FnOnce(&mut Exec),
        args: &[&str],
        stdio: Stdio,
    ) -> Result<ExecRunning, StartError> {
        let process = spec(args, "").process.unwrap();
        let mut exec = Exec { process, user: Some(String::new()), ..Exec::default() };
        change(&mut exec);
        runtime::exec(&self.running, &exec, stdio)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = rustix::process::pidfd_send_signal(&self.running.pidfd, rustix::process::Signal::KILL);
        let _ = rustix::process::waitid(WaitId::PidFd(self.running.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}
