use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;

use crate::disk::Disk;
use crate::{Finished, Leftovers};

/// The directory with the built programs: that of the running test.
pub fn binaries() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let directory = test.parent().and_then(Path::parent).expect("target directory");
    assert!(
        directory.join("lighter-shim").exists(),
        "no programs in {}: run `cargo build --workspace` first (scripts/test.sh does)",
        directory.display()
    );
    directory.to_owned()
}

/// The real Docker client, where there is one.
pub fn real_docker() -> Option<PathBuf> {
    ["/usr/local/bin/docker", "/usr/bin/docker"].iter().map(PathBuf::from).find(|p| p.exists())
}

/// Which client talks to the daemon.
#[derive(Clone, Debug)]
pub enum Cli {
    Lighter,
    /// Our client under the name `docker`.
    AsDocker,
    Docker(PathBuf),
}

/// A private daemon.
pub struct Daemon {
    pub directory: PathBuf,
    process: Option<Child>,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    before: Leftovers,
    cli: Cli,
    /// What its data root is on, where that is a file system of its own.
    disk: Option<Disk>,
    /// In a session of its own, as service managers start it.
    service: bool,
    /// What may be an error in its log.
    forgiven: Vec<String>,
}

/// Names the storage driver of all daemons, for a run of the tests with another one than the default.
const STORAGE_DRIVER: &str = "LIGHTER_TEST_STORAGE_DRIVER";

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Daemon {
    pub fn start() -> Self {
        Self::with_flags(&[])
    }

    /// A daemon with `busybox` and/or `debian` in its store.
    pub fn with_images(images: &[&str]) -> Self {
        let daemon = Self::start();
        images.iter().for_each(|i| daemon.import(i));
        daemon
    }

    pub fn with_flags(flags: &[&str]) -> Self {
        let mut daemon = Self::unborn(flags);
        daemon.spawn();
        daemon
    }

    /// One that has not been started yet.
    fn unborn(flags: &[&str]) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = PathBuf::from(format!("/tmp/lighter-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("test directory");
        Self {
            before: Leftovers::now(&directory),
            directory,
            process: None,
            environment: Vec::new(),
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            cli: Cli::Lighter,
            disk: None,
            service: false,
            forgiven: vec![],
        }
    }

    /// A daemon in a session of its own, as service managers start it: a terminal's Ctrl-C does not reach it.
    pub fn as_service() -> Self {
        let mut daemon = Self::unborn(&[]);
        daemon.service = true;
        daemon.spawn();
        daemon
    }

    /// A daemon whose data root is a disk of so many megabytes.
    pub fn on_small_disk(megabytes: u32) -> Self {
        Self::on_small_disk_with(megabytes, &[])
    }

    /// The same with flags.
    pub fn on_small_disk_with(megabytes: u32, flags: &[&str]) -> Self {
        let mut daemon = Self::unborn(flags);
        daemon.disk = Some(Disk::tmpfs(&daemon.directory.join("data"), megabytes));
        daemon.spawn();
        daemon
    }

    /// A daemon whose data root is an ext4 of so many megabytes, which [`Daemon::cut_power`] needs.
    ///
    /// # Errors
    /// Why such a file system cannot be had here.
    pub fn on_ext4(megabytes: u32, flags: &[&str]) -> Result<Self, String> {
        let mut daemon = Self::unborn(flags);
        daemon.disk = Some(Disk::ext4(&daemon.directory.join("disk"), &daemon.directory.join("data"), megabytes)?);
        daemon.spawn();
        Ok(daemon)
    }

    /// The power fails: the daemon, if it is alive, dies, and what its disk had not been given yet is lost. Then the power is
    /// there again, and the daemon is not started.
    pub fn cut_power(&mut self) {
        self.kill();
        self.disk.as_mut().expect("a disk").cut_power();
    }

    /// An error of this text in its log is none of the test.
    pub fn forgive(&mut self, text: &str) {
        self.forgiven.push(text.to_owned());
    }

    /// The same daemon through another client.
    pub fn through(mut self, cli: Cli) -> Self {
        self.cli = cli;
        self
    }

    pub fn set_cli(&mut self, cli: Cli) {
        self.cli = cli;
    }

    /// Other flags for the next start.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|f| (*f).to_owned()).collect();
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("sock")
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Process id of the daemon.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").id()
    }

    fn spawn(&mut self) {
        let ended = self.try_spawn();
        assert!(ended.is_ok(), "the daemon did not start ({ended:?}):\n{}", self.log());
    }

    /// Started, and listening; else how it ended, or that it does not.
    fn try_spawn(&mut self) -> Result<(), Unborn> {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.directory.join("log")).expect("log file");
        let mut command = Command::new(binaries().join("lighter"));
        if self.service {
            sys::session::in_new_session(&mut command);
        }
        let child = command
            .arg("daemon")
            .arg("--data-root")
            .arg(self.directory.join("data"))
            .arg("--exec-root")
            .arg(self.directory.join("run"))
            .arg("-H")
            .arg(self.host())
            .args(&self.flags)
            .args(std::env::var(STORAGE_DRIVER).iter().map(|name| format!("--storage-driver={name}")))
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .spawn()
            .expect("start the daemon");
        let own = rustix::process::Pid::from_child(&child);
        self.process = Some(child);
        let socket = self.socket();
        // One that was killed may listen for a moment yet: a child that it had just begun to make has its descriptors.
        let is_there = || {
            let peer = UnixStream::connect(&socket).ok().and_then(|stream| socket_peercred(stream).ok());
            peer.is_some_and(|peer| peer.pid == own)
        };
        let begin = std::time::Instant::now();
        while !is_there() {
            if let Some(ended) = self.process.as_mut().and_then(|p| p.try_wait().ok().flatten()) {
                self.process = None;
                return Err(Unborn::Ended(ended));
            }
            if begin.elapsed() > Duration::from_secs(20) {
                self.kill();
                return Err(Unborn::Silent);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What the daemon wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// `kill -9`, and nothing else.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            child.kill().expect("kill the daemon");
            child.wait().expect("wait for the daemon");
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) {
        let Some(mut child) = self.process.take() else { return };
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("stop the daemon");
        child.wait().expect("wait for the daemon");
    }

    /// SIGHUP: it reads its file again.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(self.process.as_ref().expect("a running daemon"));
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("signal the daemon");
    }

    /// A variable for the next start.
    pub fn set_env(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    pub fn clear_env(&mut self) {
        self.environment.clear();
    }

    /// Started once more on the same roots.
    pub fn start_again(&mut self) {
        self.spawn();
    }

    /// The same where it may die before it listens; whether it does listen.
    pub fn start_again_or_die(&mut self) -> bool {
        let started = self.try_spawn();
        assert_ne!(started, Err(Unborn::Silent), "the daemon does not listen:\n{}", self.log());
        started.is_ok()
    }

    /// What there is on the disk of images, layers, downloads, root filesystems and containers, and of what is on its way to be
    /// one or to be deleted; sorted.
    pub fn stored(&self) -> Vec<String> {
        const PLACES: [&str; 12] = [
            "images/blobs/sha256",
            "images/ingest",
            "images/partial",
            "images/trash",
            "snapshots/layers",
            "snapshots/erofs",
            "snapshots/staging",
            "snapshots/roots",
            "snapshots/init",
            "snapshots/views",
            "snapshots/trash",
            "containers",
        ];
        let list = |place: &str| {
            let entries = std::fs::read_dir(self.directory.join("data").join(place)).into_iter().flatten().flatten();
            entries.map(|entry| format!("{place}/{}", entry.file_name().display())).collect::<Vec<_>>()
        };
        let mut all: Vec<String> = PLACES.into_iter().flat_map(list).collect();
        all.sort_unstable();
        all
    }

    /// A client's command, not yet started.
    pub fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = match &self.cli {
            Cli::Lighter => Command::new(binaries().join("lighter")),
            Cli::AsDocker => {
                use std::os::unix::process::CommandExt;
                let mut command = Command::new(binaries().join("lighter"));
                command.arg0("docker");
                command
            }
            Cli::Docker(path) => Command::new(path),
        };
        command.args(args).env("DOCKER_HOST", self.host()).env("DOCKER_CONFIG", self.directory.join("config"));
        command.env_remove("DOCKER_CONTEXT").env_remove("DOCKER_API_VERSION").stdin(Stdio::null());
        command
    }

    /// Runs a client's command to its end.
    pub fn run(&self, args: &[impl AsRef<OsStr>]) -> Finished {
        let mut command = self.command(args);
        let output = command.output().expect("run the client");
        Finished::new(format!("{command:?}"), output)
    }

    /// The same with something on its stdin.
    pub fn run_with_input(&self, args: &[impl AsRef<OsStr>], input: &[u8]) -> Finished {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the client");
        let mut stdin = child.stdin.take().expect("stdin");
        let input = input.to_vec();
        // a client may end without reading it all
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("run the client");
        writer.join().expect("writer");
        Finished::new(format!("{command:?}"), output)
    }

    /// Imports one of the test images (scripts/test-setup.sh) under its own name.
    pub fn import(&self, image: &str) {
        let cache = std::env::var("LIGHTER_TEST_CACHE").unwrap_or_else(|_| "/var/cache/lighter-tests".into());
        let tar = format!("{cache}/{image}.tar");
        assert!(Path::new(&tar).exists(), "no {tar}: run scripts/test-setup.sh");
        let shell = if image == "debian" { "CMD [\"/bin/bash\"]" } else { "CMD [\"/bin/sh\"]" };
        self.run(&["import", "-c", shell, &tar, &format!("{image}:latest")]).ok();
    }

    /// `inspect --format`.
    pub fn inspect(&self, container: &str, format: &str) -> String {
        self.run(&["inspect", "--format", format, container]).ok().text().to_owned()
    }

    /// The shim of a running container.
    pub fn shim(&self, container: &str) -> u32 {
        let process = self.inspect(container, "{{.State.Pid}}").parse().expect("a process id");
        sys::stat::Stat::of(process).expect("it runs").ppid.cast_unsigned()
    }

    /// A raw HTTP exchange over the socket: what comes back until the end.
    pub fn raw(&self, request: &str) -> String {
        use std::io::Read;
        let mut stream = UnixStream::connect(self.socket()).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
        stream.write_all(request.as_bytes()).expect("request");
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn remove_all(&self) {
        let ids = self.run(&["ps", "-aq"]);
        let ids: Vec<&str> = ids.stdout.split_whitespace().collect();
        if !ids.is_empty() {
            self.run(&[&["rm", "-f"][..], &ids].concat());
        }
    }
}

/// The same checks by each client there is: ours, and the real `docker`.
pub fn through_both(daemon: &mut Daemon, check: impl Fn(&Daemon)) {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        daemon.set_cli(cli);
        check(daemon);
    }
}

/// Why a daemon cannot be used.
#[derive(Debug, PartialEq, Eq)]
enum Unborn {
    /// Its process ended before it listened.
    Ended(ExitStatus),
    /// It does not listen, and was killed.
    Silent,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        self.cli = Cli::Lighter;
        let started = if self.process.is_some() { Ok(()) } else { self.try_spawn() };
        // the panic under way has said why it does not start: one in here would hide it
        assert!(failing || started.is_ok(), "the daemon did not start ({started:?}):\n{}", self.log());
        if started.is_ok() {
            self.remove_all();
            self.stop();
        }
        let log = self.log();
        if failing {
            eprintln!("== the daemon's log\n{log}");
        }
        self.disk = None;
        let own = |l: &Leftovers| l.since(&self.before);
        if !failing {
            // the last shims and namespaces end by themselves
            eventually_clean(|| own(&Leftovers::now(&self.directory)));
        }
        let _ = std::fs::remove_dir_all(&self.directory);
        if !failing {
            let forgiven = |line: &&str| !self.forgiven.iter().any(|text| line.contains(text.as_str()));
            for line in log.lines().filter(forgiven) {
                let bad = line.contains("panicked") || line.contains("level=error");
                assert!(!bad, "{line}\nin the daemon's log:\n{log}");
            }
        }
    }
}

fn eventually_clean(left: impl Fn() -> Vec<String>) {
    let mut last = vec![];
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        last = left();
        if last.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("left behind:\n{}", last.join("\n"));
}
