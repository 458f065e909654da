//! A daemon in the test's hands: it spawns the real `lighter-shim`, talks the protocol to it, and leaves nothing behind.
#![allow(dead_code, reason = "each test program uses a part")]

use oci::runtime::{Linux, Namespace, NamespaceKind, Process, Resources, Spec};
use shim::frame;
use shim::protocol::*;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio as ChildStdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use values::RootMount;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the container is to be.
pub struct Plan {
    pub args: Vec<String>,
    pub stdio: Stdio,
    pub attached: Vec<Attach>,
    pub log: bool,
    pub memory: Option<i64>,
    pub host_pids: bool,
}

pub fn sh(script: &str) -> Plan {
    plan(&["/bin/sh", "-c", script])
}

pub fn plan(args: &[&str]) -> Plan {
    Plan {
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        stdio: Stdio::default(),
        attached: Vec::new(),
        log: true,
        memory: None,
        host_pids: false,
    }
}

pub const OUT: Attach = Attach { stdin: false, stdout: true, stderr: true };
pub const ALL: Attach = Attach { stdin: true, stdout: true, stderr: true };

/// A shim, its directory and container.
pub struct Shim {
    pub id: String,
    pub base: PathBuf,
    pub child: Child,
    pub control: Option<Control>,
    pub clients: Vec<UnixStream>,
}

/// A control connection.
pub struct Control {
    pub stream: UnixStream,
    received: Vec<u8>,
    /// Facts which came while a reply was awaited.
    facts: Vec<(u64, Fact)>,
}

impl Shim {
    /// Spawns the shim and sends the launch request; the answer is still to be read.
    pub fn spawn(plan: Plan) -> Self {
        let mut shim = Self::spawn_only();
        shim.send_launch(&plan);
        shim
    }

    pub fn send_launch(&mut self, plan: &Plan) {
        let launch = self.launch_request(plan);
        let mut fds: Vec<OwnedFd> = Vec::new();
        for _ in &plan.attached {
            let (ours, theirs) = UnixStream::pair().unwrap();
            ours.set_read_timeout(Some(PATIENCE)).unwrap();
            self.clients.push(ours);
            fds.push(theirs.into());
        }
        let frame = frame::encode(&Request::Launch(Box::new(launch))).unwrap();
        let control = self.control.as_mut().unwrap();
        let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let sent = sys::scm::send(&control.stream, &frame, &borrowed).unwrap();
        control.stream.write_all(&frame[sent..]).unwrap();
    }

    /// Spawns the shim and waits for its container to run.
    pub fn start(plan: Plan) -> (Self, Started) {
        let mut shim = Self::spawn(plan);
        match shim.control().reply() {
            Reply::Started(started) => (shim, started),
            other => panic!("not started: {other:?}"),
        }
    }

    /// A shim that was told nothing yet.
    pub fn spawn_only() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let id = format!("shimtest-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let base = std::env::temp_dir().join(&id);
        fs::create_dir_all(base.join("run")).unwrap();
        make_root(&base.join("root"));
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_lighter-shim"))
            .stdin(ChildStdio::from(OwnedFd::from(theirs)))
            .stdout(ChildStdio::null())
            .spawn()
            .unwrap();
        let control = Control { stream: ours, received: Vec::new(), facts: Vec::new() };
        Self { id, base, child, control: Some(control), clients: Vec::new() }
    }

    pub fn control(&mut self) -> &mut Control {
        self.control.as_mut().unwrap()
    }

    pub fn directory(&self) -> PathBuf {
        self.base.join("run")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.base.join("x-json.log")).unwrap_or_default()
    }

    /// The texts of the log's entries, put together.
    pub fn logged(&self) -> String {
        let lines = self.log();
        lines
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["log"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.logged().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} never comes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn launch_request(&self, plan: &Plan) -> Launch {
        let process = Process {
            terminal: plan.stdio.terminal,
            args: plan.args.clone(),
            env: vec!["PATH=/bin".to_owned()],
            cwd: "/".to_owned(),
            ..Process::default()
        };
        use NamespaceKind::{Ipc, Mount, Network, Pid, Uts};
        let kinds = [Pid, Mount, Ipc, Uts, Network].into_iter().filter(|k| !(plan.host_pids && *k == Pid));
        let linux = Linux {
            namespaces: kinds.map(|kind| Namespace { kind, path: String::new() }).collect(),
            cgroups_path: format!("/{}", self.id),
            resources: plan.memory.map(resources),
            ..Linux::default()
        };
        let spec = Spec {
            oci_version: oci::runtime::VERSION.to_owned(),
            process: Some(process),
            mounts: runtime::default_mounts(),
            linux: Some(linux),
            ..Spec::default()
        };
        let container = serde_json::json!({
            "id": self.id,
            "spec": spec,
            "rootfs": RootMount::Directory { path: self.base.join("root") },
        });
        Launch {
            container: serde_json::from_value(container).unwrap(),
            directory: self.directory(),
            stdio: plan.stdio.clone(),
            log: Log {
                path: plan.log.then(|| self.base.join("x-json.log")),
                max_size: 20_000_000,
                max_files: 5,
                ..Log::default()
            },
            external: None,
            fds: Fds { netns: false, userns: false, lowest: false, attached: plan.attached.clone() },
        }
    }

    /// A new connection to the shim's socket.
    pub fn connect(&self) -> Control {
        let stream = UnixStream::connect(self.directory().join(SOCKET)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Control { stream, received: Vec::new(), facts: Vec::new() }
    }

    pub fn attach(&self, wants: Attach) -> Stream {
        let mut control = self.connect();
        assert!(matches!(control.ask(Request::Attach(wants)), Reply::Done));
        control.into_stream()
    }

    /// An exec with its stream.
    pub fn exec(&self, id: &str, args: &[&str], terminal: bool, attach: Attach) -> (Reply, Stream) {
        let process = process(args, terminal);
        let mut control = self.connect();
        let exec = Exec { id: id.to_owned(), process, attach, terminal, rows: 0, cols: 0 };
        let reply = control.ask(Request::Exec(Box::new(exec)));
        (reply, control.into_stream())
    }

    /// A health probe; its end is a fact.
    pub fn probe(&mut self, args: &[&str], timeout_millis: u64) -> Reply {
        let probe = Probe { id: "probe".to_owned(), process: process(args, false), timeout_millis };
        self.control().ask(Request::Probe(Box::new(probe)))
    }

    /// Waits for the container's exit.
    pub fn exited(&mut self) -> Exited {
        loop {
            if let Fact::Exited(exited) = self.control().fact().1 {
                return exited;
            }
        }
    }

    /// Releases the shim and checks that nothing is left.
    pub fn release(mut self) {
        assert!(matches!(self.control().ask(Request::Release), Reply::Done));
        assert!(self.control().stream.read(&mut [0]).is_ok_and(|n| n == 0), "the connection is closed");
        self.expect_gone();
    }

    /// The shim is gone and has left nothing.
    pub fn expect_gone(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the shim does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        let left: Vec<_> = fs::read_dir(self.directory()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(cgroups(&self.id), Vec::<PathBuf>::new());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&self.id));
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        if let Ok(group) = cgroup::Cgroup::open(&format!("/{}", self.id)) {
            let _ = group.kill_all();
            let _ = self.child.kill();
            let _ = self.child.wait();
            let _ = group.remove();
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}

impl Control {
    pub fn send(&mut self, request: &Request) {
        self.stream.write_all(&frame::encode(request).unwrap()).unwrap();
    }

    pub fn ask(&mut self, request: Request) -> Reply {
        self.send(&request);
        self.reply()
    }

    pub fn reply(&mut self) -> Reply {
        loop {
            match self.message() {
                Message::Reply(reply) => return reply,
                Message::Fact { number, fact } => self.facts.push((number, fact)),
            }
        }
    }

    pub fn fact(&mut self) -> (u64, Fact) {
        if !self.facts.is_empty() {
            return self.facts.remove(0);
        }
        match self.message() {
            Message::Fact { number, fact } => (number, fact),
            Message::Reply(reply) => panic!("{reply:?} instead of a fact"),
        }
    }

    fn message(&mut self) -> Message {
        loop {
            if let Some(message) = frame::take(&mut self.received).unwrap() {
                return message;
            }
            let mut buffer = [0; 4096];
            let n = self.stream.read(&mut buffer).expect("a message in time");
            assert!(n > 0, "the shim closed the connection");
            self.received.extend_from_slice(&buffer[..n]);
        }
    }

    /// The byte stream this connection has become.
    pub fn into_stream(self) -> Stream {
        Stream { early: self.received, stream: self.stream }
    }
}

/// A byte stream of which some bytes may have come with the reply.
pub struct Stream {
    early: Vec<u8>,
    stream: UnixStream,
}

impl Stream {
    pub fn shutdown(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.early.is_empty() {
            return self.stream.read(buffer);
        }
        let n = self.early.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.early[..n]);
        self.early.drain(..n);
        Ok(n)
    }
}

impl Write for Stream {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.stream.write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn process(args: &[&str], terminal: bool) -> runtime::Exec {
    let process = Process {
        terminal,
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        env: vec!["PATH=/bin".to_owned()],
        cwd: "/".to_owned(),
        ..Process::default()
    };
    runtime::Exec { process, ..runtime::Exec::default() }
}

fn resources(limit: i64) -> Resources {
    serde_json::from_value(serde_json::json!({"memory": {"limit": limit, "swap": limit}})).unwrap()
}

/// A root file system of busybox.
fn make_root(root: &Path) {
    for directory in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
    for name in
        ["sh", "cat", "echo", "head", "yes", "sleep", "stty", "true", "false", "tail", "kill", "grep", "seq", "dd"]
    {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
    }
}

/// The directories of a cgroup in all hierarchies.
pub fn cgroups(id: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap();
    hierarchies.map(|h| h.unwrap().path().join(id)).filter(|p| p.exists()).collect()
}

/// Reads to the end.
pub fn drain(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("the end in time");
    all
}

/// The payloads of stdout and stderr in Docker's frames.
pub fn unframe(mut bytes: &[u8]) -> (String, String) {
    let mut texts = [Vec::new(), Vec::new()];
    while let Some((header, rest)) = bytes.split_at_checked(8) {
        assert_eq!(header[1..4], [0, 0, 0]);
        let len = u32::from_be_bytes(header[4..].try_into().unwrap()) as usize;
        texts[usize::from(header[0]) - 1].extend_from_slice(&rest[..len]);
        bytes = &rest[len..];
    }
    assert!(bytes.is_empty(), "a torn frame");
    texts.map(|t| String::from_utf8(t).unwrap()).into()
}

/// Reads frames of stdout until the text so far satisfies `enough`.
pub fn read_until(stream: &mut impl Read, framed: bool, enough: impl Fn(&str) -> bool) -> String {
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).expect("output in time");
        all.extend_from_slice(&buffer[..n]);
        let text = if framed { unframe(&all).0 } else { String::from_utf8_lossy(&all).into_owned() };
        if enough(&text) {
            return text;
        }
        assert!(n > 0, "the end after {text:?}");
    }
}
