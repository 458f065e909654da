//! Containers which the kernel, or a runtime, does not let get on: `ps` and `inspect` say what they wait for and since when, and
//! everybody else goes on. A file system whose server stops answering makes the uninterruptible waits.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags};
use testkit::{Daemon, eventually};

/// A FUSE file system with an empty root, in which whoever looks for `stuck` waits, uninterruptibly, until it is dropped.
/// <https://man7.org/linux/man-pages/man4/fuse.4.html>
struct Deaf {
    place: PathBuf,
    /// How many wait.
    waiting: Arc<AtomicUsize>,
    server: Option<std::thread::JoinHandle<()>>,
}

const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const INIT: u32 = 26;
/// FORGET, INTERRUPT, BATCH_FORGET
const NO_ANSWER: [u32; 3] = [2, 36, 42];

impl Deaf {
    fn on(d: &Daemon) -> Self {
        let place = d.directory.join("deaf");
        std::fs::create_dir(&place).unwrap();
        let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other\0", device.as_raw_fd());
        let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).unwrap();
        rustix::mount::mount("deaf", &place, "fuse", MountFlags::empty(), options).unwrap();
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = waiting.clone();
        let server = std::thread::spawn(move || serve(device, &count));
        Self { place, waiting, server: Some(server) }
    }

    fn until_somebody_waits(&self) {
        eventually("somebody waits for it", || self.waiting.load(Ordering::Relaxed) > 0);
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // ends the connection, and with it all that wait
        let _ = rustix::mount::unmount(&self.place, UnmountFlags::FORCE);
        let _ = rustix::mount::unmount(&self.place, UnmountFlags::DETACH);
        let _ = self.server.take().map(std::thread::JoinHandle::join);
    }
}

fn serve(mut device: File, waiting: &AtomicUsize) {
    let mut request = vec![0; 1 << 17];
    while let Ok(length) = device.read(&mut request) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let (operation, body) = (word(4), &request[40..length]);
        if operation == LOOKUP && body == b"stuck\0" {
            waiting.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let (error, answer) = match operation {
            _ if NO_ANSWER.contains(&operation) => continue,
            // version 7.31; nothing else matters
            INIT => (0, [&7u32.to_ne_bytes()[..], &31u32.to_ne_bytes(), &[0; 56]].concat()),
            GETATTR => {
                let mut attributes = [0; 104];
                attributes[16] = 1;
                attributes[76..80].copy_from_slice(&0o40755u32.to_ne_bytes());
                attributes[80] = 2;
                (0, attributes.to_vec())
            }
            LOOKUP => (-2, vec![]),
            _ => (-38, vec![]),
        };
        let length = (16 + answer.len()) as u32;
        let head = [&length.to_ne_bytes()[..], &i32::to_ne_bytes(error), &request[8..16]].concat();
        let _ = device.write_all(&[head, answer].concat());
    }
}

/// Its state and error; nothing while it is not there.
fn state(d: &Daemon, name: &str) -> String {
    d.run(&["inspect", "--format", "{{.State.Status}} {{.State.Error}}", name]).stdout
}

fn line(d: &Daemon, name: &str) -> String {
    d.run(&["ps", "-a", "--filter", &format!("name={name}"), "--format", "{{.Status}}"]).ok().stdout
}

/// Control groups of the daemon's containers.
fn groups(d: &Daemon) -> usize {
    let parent = format!("lighter-{}", testkit::instance(&d.directory.join("data")));
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|h| h.path().join(&parent));
    let places = hierarchies.chain([PathBuf::from("/sys/fs/cgroup").join(&parent)]);
    let entries = places.flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten());
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).count()
}

/// Whatever one container does.
fn others_go_on(d: &Daemon) {
    let begin = Instant::now();
    d.run(&["run", "--rm", "--network", "none", "busybox", "echo", "fine"]).ok().stdout("fine\n");
    d.run(&["ps", "-a"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(8), "it took {:?}", begin.elapsed());
}

#[test]
fn one_that_is_killed_and_cannot_end() {
    let d = Daemon::with_images(&["busybox"]);
    let deaf = Deaf::on(&d);
    let volume = format!("{}:/f", deaf.place.display());
    d.run(&["run", "-d", "--name", "held", "--network", "none", "-v", &volume, "busybox", "cat", "/f/stuck"]).ok();
    deaf.until_somebody_waits();
    d.run(&["kill", "held"])
        .status(1)
        .stderr_has("it has not ended for 10 seconds after SIGKILL")
        .stderr_has("uninterruptible");
    eventually("inspect says it", || {
        let why = state(&d, "held");
        why.starts_with("running it was killed and has not ended since 20")
            && why.contains("is in an uninterruptible wait")
    });
    let listed = line(&d, "held");
    assert!(listed.starts_with("Up ") && listed.contains(" (killed and not ended for "), "{listed}");
    d.run(&["why", "held"]).ok().stdout_has("it was killed and has not ended since");
    others_go_on(&d);
    drop(deaf);
    eventually("it ends", || {
        d.inspect("held", "{{.State.Status}} {{.State.ExitCode}}{{.State.Error}}") == "exited 137"
    });
    assert!(line(&d, "held").starts_with("Exited (137)"));
}

#[test]
fn one_that_cannot_be_set_up() {
    let d = Daemon::with_images(&["busybox"]);
    let deaf = Deaf::on(&d);
    let volume = format!("{}:/f", deaf.place.display());
    let words = ["run", "--name", "held", "--network", "none", "-v", &volume, "-w", "/f/stuck", "busybox", "true"];
    std::thread::scope(|scope| {
        let run = scope.spawn(|| d.run(&words));
        deaf.until_somebody_waits();
        eventually("inspect says it", || {
            let why = state(&d, "held");
            why.starts_with("created its start has waited for its runtime since 20")
                && why.contains("(lighter-shim) is waiting")
        });
        let listed = line(&d, "held");
        assert!(listed.starts_with("Created (waits for its runtime for "), "{listed}");
        others_go_on(&d);
        let failed =
            run.join().unwrap().stderr_has("has not come up within 15 seconds").stderr_has("(request_wait_answer)");
        assert_ne!(failed.status, 0);
    });
    assert!(d.inspect("held", "{{.State.Error}}").contains("has not come up within 15 seconds"));
    drop(deaf);
    d.run(&["rm", "-f", "held"]).ok();
    eventually("no group is left", || groups(&d) == 0);
}

#[test]
fn one_whose_runtime_hangs() {
    let program = PathBuf::from(format!("/tmp/lighter-hung-{}", std::process::id()));
    std::fs::write(&program, "#!/bin/sh\nkill -STOP $$\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let d = Daemon::with_flags(&[&format!("--add-runtime=hung={}", program.display())]);
    d.import("busybox");
    std::thread::scope(|scope| {
        let run = scope
            .spawn(|| d.run(&["run", "--name", "held", "--runtime", "hung", "--network", "none", "busybox", "true"]));
        eventually("inspect says it", || {
            let why = state(&d, "held");
            why.starts_with("created its start has waited for its runtime since 20")
                && why.contains("(lighter-hung-")
                && why.contains(") is stopped (SIGSTOP; ")
        });
        let listed = line(&d, "held");
        assert!(listed.starts_with("Created (waits for its runtime for "), "{listed}");
        others_go_on(&d);
        run.join().unwrap().status(125).stderr_has("has not finished `create` for 10 seconds and was killed");
    });
    assert_eq!(line(&d, "held"), "Created\n");
    std::fs::remove_file(&program).unwrap();
}

/// A daemon with a runtime `hung` whose `verb` hangs, and where the processes that do so are written down.
fn hangs_at(verb: &str) -> (Daemon, PathBuf) {
    let mut d = Daemon::with_images(&["busybox"]);
    let (program, hung) = (d.directory.join("runtime"), d.directory.join("hung"));
    let own = testkit::binaries().join("lighter-runtime");
    let wait = format!("echo $$ >>{}; exec sleep 1000", hung.display());
    let text =
        format!("#!/bin/sh\nfor a; do [ \"$a\" = {verb} ] && {{ {wait}; }}; done\nexec {} \"$@\"\n", own.display());
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    d.stop();
    d.set_flags(&[&format!("--add-runtime=hung={}", program.display())]);
    d.start_again();
    (d, hung)
}

fn those_that_hang(file: &std::path::Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|pid| PathBuf::from("/proc").join(pid)).filter(|place| place.exists()).collect()
}

#[test]
fn one_whose_runtime_hangs_at_signals() {
    let (d, hung) = hangs_at("kill");
    d.run(&["run", "-d", "--name", "held", "--runtime", "hung", "--network", "none", "busybox", "sleep", "1000"]).ok();
    d.run(&["kill", "-s", "USR1", "held"]).ok();
    d.run(&["kill", "-s", "USR2", "held"]).ok();
    others_go_on(&d);
    d.run(&["stop", "-t", "1", "held"]).ok();
    let shims = std::fs::read_to_string(d.directory.join("run/shim.log")).unwrap();
    for seconds in ["3 seconds", "1 second"] {
        assert!(shims.contains(&format!("has not finished `kill` for {seconds} and was killed")), "{shims}");
    }
    assert_eq!(d.inspect("held", "{{.State.Status}} {{.State.ExitCode}}{{.State.Error}}"), "exited 137");
    assert!(!d.log().contains("does not answer"), "its shim is as good as ever:\n{}", d.log());
    d.run(&["rm", "held"]).ok();
    eventually("no call is left", || those_that_hang(&hung).is_empty());
}

#[test]
fn a_call_of_a_runtime_ends_with_its_shim() {
    let (d, hung) = hangs_at("create");
    std::thread::scope(|scope| {
        let words = ["run", "--name", "held", "--runtime", "hung", "--network", "none", "busybox", "true"];
        let run = scope.spawn(move || d.run(&words).status(125));
        eventually("it hangs", || !those_that_hang(&hung).is_empty());
        let call = those_that_hang(&hung)[0].file_name().unwrap().to_str().unwrap().parse().unwrap();
        let shim = rustix::process::Pid::from_raw(sys::stat::Stat::of(call).unwrap().ppid).unwrap();
        rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
        eventually("its call ends with it", || those_that_hang(&hung).is_empty());
        run.join().unwrap();
    });
}

#[test]
fn sources_of_mounts_that_do_not_answer() {
    let d = Daemon::with_images(&["busybox"]);
    let deaf = Deaf::on(&d);
    let stuck = deaf.place.join("stuck");
    let (volume, mount) =
        (format!("{}:/f", stuck.display()), format!("type=bind,source={},target=/f", stuck.display()));
    let run = |how: [&str; 2]| d.run(&[&["run", "--rm", "--network", "none"][..], &how, &["busybox", "true"]].concat());
    std::thread::scope(|scope| {
        let asks = [["-v", &volume], ["--mount", &mount], ["--mount", &mount]].map(|how| scope.spawn(move || run(how)));
        deaf.until_somebody_waits();
        for _ in 0..4 {
            others_go_on(&d);
        }
        for ask in asks {
            ask.join().unwrap().status(125).stderr_has("its file system does not answer");
        }
    });
    // those who wait are enough: nobody else is sent there
    let waiting = deaf.waiting.load(Ordering::Relaxed);
    run(["-v", &volume]).status(125).stderr_has("its file system does not answer");
    assert_eq!(deaf.waiting.load(Ordering::Relaxed), waiting);
    d.run(&["ps", "-aq"]).ok().stdout("");
}

/// More of them than the daemon has threads for what blocks.
#[test]
fn clients_that_neither_take_nor_send() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "--network", "none", "busybox", "sleep", "1000"]).ok();
    let ask = |request: &str, header: &str| {
        let mut client = std::os::unix::net::UnixStream::connect(d.socket()).unwrap();
        client.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\n{header}\r\n").as_bytes()).unwrap();
        client
    };
    let mut clients = vec![];
    for _ in 0..20 {
        for taking in ["/containers/cc/export", "/containers/cc/archive?path=/bin", "/images/busybox/get"] {
            let mut client = ask(&format!("GET {taking}"), "");
            let mut begin = [0; 12];
            client.read_exact(&mut begin).unwrap();
            assert_eq!(&begin, b"HTTP/1.1 200");
            clients.push(client);
        }
        for sending in ["POST /images/load", "POST /images/create?fromSrc=-", "PUT /containers/cc/archive?path=/tmp"] {
            clients.push(ask(sending, "Transfer-Encoding: chunked\r\n"));
        }
    }
    for _ in 0..4 {
        others_go_on(&d);
    }
}
