//! Images, volumes and processes that try to get out, or to hang or swell whoever looks at them.
//!
//! Each test has a canary on the host: a directory that the attack is aimed at. What it holds must be as it was in the end, and
//! its text must never be seen from inside. docs/security.md says which test stands for which class.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use testkit::{AtEnd, Daemon, binaries};

const SECRET: &str = "the-hosts-own-secret";

/// A directory of the host that nobody in a container may see or change.
struct Canary {
    path: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Canary {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/tmp/lighter-canary-{}-{number}", std::process::id()));
        std::fs::create_dir_all(path.join("dir")).unwrap();
        std::fs::write(path.join("secret"), SECRET).unwrap();
        std::fs::write(path.join("passwd"), "evil:x:0:0::/:/bin/sh\n").unwrap();
        // a program that runs anywhere
        let cache = std::env::var("LIGHTER_TEST_CACHE").unwrap_or_else(|_| "/var/cache/lighter-tests".into());
        let tar = ["-xf", &format!("{cache}/busybox.tar"), "-C", path.to_str().unwrap(), "./bin/busybox"];
        assert!(Command::new("tar").args(tar).status().unwrap().success());
        std::fs::rename(path.join("bin/busybox"), path.join("cat")).unwrap();
        std::fs::remove_dir(path.join("bin")).unwrap();
        let before = fingerprint(&path);
        Self { path, before }
    }

    fn at(&self, name: &str) -> String {
        self.path.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let after = fingerprint(&self.path);
        let _ = std::fs::remove_dir_all(&self.path);
        if !std::thread::panicking() {
            assert_eq!(self.before, after, "the canary was touched");
        }
    }
}

/// Everything below a directory with what a change of it would change.
fn fingerprint(path: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let fact = format!("{:o} {}:{} {} {}", meta.mode(), meta.uid(), meta.gid(), meta.len(), meta.mtime_nsec());
        if meta.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
        all.insert(path, fact);
    }
    all
}

/// An image made of busybox's and what `change` does to the unpacked root.
fn image(d: &Daemon, name: &str, change: impl FnOnce(&Path)) {
    let root = d.directory.join(format!("image-{name}"));
    std::fs::create_dir_all(&root).unwrap();
    let cache = std::env::var("LIGHTER_TEST_CACHE").unwrap_or_else(|_| "/var/cache/lighter-tests".into());
    let tar = |args: &[&str]| assert!(Command::new("tar").arg("-C").arg(&root).args(args).status().unwrap().success());
    tar(&["-xf", &format!("{cache}/busybox.tar")]);
    change(&root);
    let archive = d.directory.join(format!("{name}.tar"));
    tar(&["--sparse", "-cf", archive.to_str().unwrap(), "."]);
    d.run(&["import", archive.to_str().unwrap(), name]).ok();
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::remove_file(&archive).unwrap();
}

/// Replaces what an image has at `path` by a link.
fn link(root: &Path, path: &str, target: &str) {
    let place = root.join(path);
    let _ = std::fs::remove_dir_all(&place).or_else(|_| std::fs::remove_file(&place));
    symlink(target, place).unwrap();
}

/// Nothing of the canary came out.
#[track_caller]
fn keeps_the_secret(done: testkit::Finished) -> testkit::Finished {
    assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "the host's secret is out: {done:#?}");
    done
}

#[track_caller]
fn quickly<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = act();
    assert!(begin.elapsed() < Duration::from_secs(8), "{what} took {:?}", begin.elapsed());
    result
}

// ---- descriptors (CVE-2024-21626, CVE-2016-9962) ----

#[test]
fn descriptors_lead_nowhere() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let up = "../".repeat(12);
    d.run(&["run", "-d", "--name", "cc", "--network", "none", "busybox", "sleep", "1000"]).ok();
    for number in 3..28 {
        let dir = format!("/proc/self/fd/{number}");
        let host = format!("{dir}/{up}{}", &canary.path.to_str().unwrap()[1..]);
        let program = format!("{host}/cat");
        // as the program, of a container and of an exec
        let run = ["run", "--rm", "--network", "none", "--entrypoint", &program, "busybox", "/etc/passwd"];
        let done = d.run(&run);
        assert!((126..=127).contains(&done.status), "{done:#?}");
        let done = d.run(&["exec", "cc", &program, "/etc/passwd"]);
        assert!((126..=127).contains(&done.status), "{done:#?}");
        // as the working directory
        for w in [&dir, &host] {
            let done = d.run(&["run", "--rm", "--network", "none", "-w", w, "busybox", "cat", "secret"]);
            assert_ne!(keeps_the_secret(done).status, 0);
            let done = d.run(&["exec", "-w", w, "cc", "cat", "secret", "../secret"]);
            assert_ne!(keeps_the_secret(done).status, 0);
        }
    }
    // a program has three; the fourth is that of `ls`
    d.run(&["exec", "cc", "ls", "/proc/1/fd"]).ok().stdout("0\n1\n2\n");
    d.run(&["exec", "cc", "ls", "/proc/self/fd"]).ok().stdout("0\n1\n2\n3\n");
    d.run(&["run", "-d", "--name", "init", "--init", "busybox", "sleep", "1000"]).ok();
    d.run(&["exec", "init", "ls", "/proc/1/fd"]).ok().stdout("0\n1\n2\n");
}

/// Somebody inside who may trace everything looks through each process that comes to be there.
#[test]
fn who_enters_cannot_be_looked_through() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let path = &canary.path.to_str().unwrap()[1..];
    let spy = format!(
        "while :; do for p in /proc/[0-9]*; do \
           [ -e $p/root/{path}/secret ] && cat $p/root/{path}/secret; \
           for f in $p/fd/*; do [ -e $f/{up}{path}/secret ] && cat $f/{up}{path}/secret; done; \
         done; done 2>/dev/null",
        up = "../".repeat(8)
    );
    let run =
        ["run", "-d", "--name", "spy", "--cap-add", "SYS_PTRACE", "--network", "none", "busybox", "sh", "-c", &spy];
    d.run(&run).ok();
    for _ in 0..40 {
        d.run(&["exec", "spy", "true"]).ok();
    }
    keeps_the_secret(d.run(&["logs", "spy"]).ok()).stdout("");
    // nor is there more to trace in it than the container has itself
    let seen = d.run(&["exec", "spy", "grep", "-h", "CapPrm", "/proc/1/status", "/proc/self/status"]).ok().stdout;
    let sets: Vec<&str> = seen.lines().collect();
    assert_eq!(sets[0], sets[1]);
}

/// A profile which forbids the calls by which an exec enters: it enters before its filter then.
#[test]
fn profiles_may_forbid_what_entering_takes() {
    let d = Daemon::with_images(&["busybox"]);
    for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
        let path = d.directory.join(action);
        let names = r#"["clone","clone3","fork","vfork","setsid"]"#;
        let rule = format!(r#"{{"names":{names},"action":"{action}"}}"#);
        std::fs::write(&path, format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#)).unwrap();
        let profile = format!("seccomp={}", path.display());
        let run = ["run", "-d", "--name", action, "--network", "none", "--security-opt", &profile, "busybox"];
        d.run(&[&run[..], &["sleep", "1000"]].concat()).ok();
        d.run(&["exec", action, "echo", "in"]).ok().stdout("in\n");
        d.run(&["exec", action, "grep", "Seccomp:", "/proc/self/status"]).ok().stdout("Seccomp:\t2\n");
        assert_ne!(d.run(&["exec", action, "sh", "-c", "true; true | true; echo $?"]).stdout, "0\n");
    }
}

// ---- our own programs (CVE-2019-5736) ----

#[test]
fn our_programs_cannot_be_overwritten() {
    let (d, _canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let shim = binaries().join("lighter-shim");
    let before = std::fs::read(&shim).unwrap();
    let attack = "while :; do for p in /proc/[0-9]*; do \
        (echo overwritten >>$p/exe) && echo opened $p; done; done 2>/dev/null";
    // with what lets one change mounts, too
    let caps = ["--cap-add", "SYS_PTRACE", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"];
    let run = [&["run", "-d", "--name", "aa"][..], &caps, &["busybox", "sh", "-c", attack]].concat();
    d.run(&run).ok();
    for _ in 0..20 {
        d.run(&["exec", "aa", "true"]).ok();
        // the attacker's classic: a program which is ourselves
        let done = d.run(&["exec", "aa", "/proc/self/exe"]);
        assert_ne!(done.status, 0, "{done:#?}");
    }
    let done = d.run(&["run", "--rm", "--entrypoint", "/proc/self/exe", "busybox"]);
    assert_ne!(done.status, 0, "{done:#?}");
    d.run(&["rm", "-f", "aa"]).ok();
    assert!(std::fs::read(&shim).unwrap() == before, "the shim's program was changed");
}

// ---- links in the image (CVE-2019-16884, CVE-2023-27561, CVE-2021-30465, CVE-2025-52565) ----

#[test]
fn links_in_the_image_stay_inside() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let dir = canary.at("dir");
    for (place, target) in [
        ("proc", dir.as_str()),
        ("proc", "/etc"),
        ("sys", dir.as_str()),
        ("dev", dir.as_str()),
        ("dev", "/proc"),
        ("dev", "/proc/self"),
        ("dev", "/"),
        ("etc", dir.as_str()),
        ("mnt", dir.as_str()),
        ("work", dir.as_str()),
        ("tmp", "/proc/self/fd"),
    ] {
        let name = format!("l-{place}{}x", target.replace('/', "-").to_lowercase());
        image(&d, &name, |root| link(root, place, target));
        let volume = d.directory.join("volume");
        std::fs::create_dir_all(&volume).unwrap();
        let v = format!("{}:/mnt/deep/er", volume.display());
        let args = ["run", "--rm", "-v", &v, "--tmpfs", "/tmp/x", "-w", "/work/dir", &name, "cat"];
        let done = quickly(&name, || d.run(&[&args[..], &["secret", &canary.at("secret"), "/mnt/../secret"]].concat()));
        keeps_the_secret(done);
        // whatever was made of the links, the container has a procfs where a procfs is
        let done = d.run(&["run", "--rm", &name, "sh", "-c", "cat /proc/self/mountinfo"]);
        if done.status == 0 {
            assert!(done.stdout.lines().any(|l| l.contains(" /proc ") && l.contains(" - proc ")), "{done:#?}");
            // none shows a part of the host which is not its own
            let source = |line: &str| line.split(' ').nth(3).unwrap().to_owned();
            assert!(!done.stdout.lines().any(|l| source(l).contains("lighter-canary")), "{done:#?}");
        }
    }
}

/// Files of users as links, FIFOs, devices, and too large to be read.
#[test]
fn files_of_users_are_only_read_as_files() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    image(&d, "u-link", |root| {
        link(root, "etc/passwd", &canary.at("passwd"));
        link(root, "etc/group", &canary.at("passwd"));
    });
    d.run(&["run", "--rm", "-u", "evil", "u-link", "id"]).status(125).stderr_has("unable to find user evil");
    for (name, file) in [("u-fifo", "fifo"), ("u-sparse", "sparse"), ("u-dir", "dir"), ("u-null", "null")] {
        image(&d, name, |root| {
            let path = root.join("etc/passwd");
            std::fs::remove_file(&path).unwrap();
            match file {
                "fifo" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "dir" => std::fs::create_dir(&path).unwrap(),
                "null" => link(root, "etc/passwd", "/dev/zero"),
                _ => std::fs::File::create(&path).unwrap().set_len(4 << 30).unwrap(),
            }
        });
        let done = quickly(name, || d.run(&["run", "--rm", "-u", "web", "--network", "none", name, "id"]));
        assert_ne!(done.status, 0, "{done:#?}");
        assert!(done.stderr.contains("/etc/passwd") || done.stderr.contains("unable to find user"), "{done:#?}");
        // by number and without a home nobody needs the file, or it says why not: but never hangs
        quickly(name, || d.run(&["run", "-d", "--name", name, "--network", "none", name, "sleep", "100"]));
        quickly(name, || d.run(&["exec", "-u", "web", name, "id"]));
        quickly(name, || d.run(&["exec", "-u", "7", name, "id"]));
    }
    assert!(peak(d.pid()) < 300_000, "the daemon swelled to {} KiB", peak(d.pid()));
}

/// Highest resident size of a process, KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

// ---- races in a shared volume (CVE-2021-30465, CVE-2025-31133, CVE-2025-52881) ----

/// Exchanges two names as fast as it can while `act` works.
fn while_exchanging<T>(one: &Path, other: &Path, act: impl FnOnce() -> T) -> T {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _end = AtEnd(&stop);
        act()
    })
}

#[test]
fn mount_targets_swapped_in_a_volume() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let volume = d.directory.join("volume");
    std::fs::create_dir_all(volume.join("a/target")).unwrap();
    symlink(&canary.path, volume.join("b")).unwrap();
    let inner = d.directory.join("inner");
    std::fs::create_dir_all(&inner).unwrap();
    let outer = format!("{}:/vol", volume.display());
    let inner = format!("{}:/vol/a/target", inner.display());
    while_exchanging(&volume.join("a"), &volume.join("b"), || {
        for _ in 0..30 {
            let secret = canary.at("secret");
            let look = ["cat", "/vol/a/secret", "/vol/b/secret", &secret, "/vol/a/target/../secret"];
            let run =
                [&["run", "--rm", "--network", "none", "-v", &outer, "-v", &inner, "busybox"][..], &look].concat();
            keeps_the_secret(d.run(&run));
        }
    });
}

#[test]
fn masks_hold_when_dev_is_a_volume() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let dev = d.directory.join("dev");
    std::fs::create_dir_all(&dev).unwrap();
    let v = format!("{}:/dev", dev.display());
    let show = "for f in kcore keys timer_list; do [ -e /proc/$f ] && stat -c '%n %t:%T' /proc/$f; done; true";
    // `null` is a file, a link to the host's secret, a link into procfs: then nothing can be masked, and nothing runs
    let secret = canary.at("secret");
    for target in ["/etc/passwd", &secret, "/proc/self/attr/current", "/proc/sys/kernel/core_pattern"] {
        link(&dev, "null", target);
        let done = d.run(&["run", "--rm", "--network", "none", "-v", &v, "busybox", "sh", "-c", show]);
        assert_ne!(keeps_the_secret(done).status, 0);
    }
    // and swapped while it is used
    std::fs::remove_file(dev.join("null")).unwrap();
    assert!(Command::new("mknod").arg(dev.join("null")).args(["c", "1", "3"]).status().unwrap().success());
    link(&dev, "other", "/proc/self/attr/current");
    while_exchanging(&dev.join("null"), &dev.join("other"), || {
        for _ in 0..25 {
            let done = d.run(&["run", "--rm", "--network", "none", "-v", &v, "busybox", "sh", "-c", show]);
            assert!(done.stdout.lines().all(|l| l.ends_with(" 1:3")), "an unmasked file: {done:#?}");
        }
    });
    // the terminal is put on a file only, never over a part of procfs
    let _ = std::fs::remove_file(dev.join("console"));
    for target in ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", &secret] {
        link(&dev, "console", target);
        let done =
            d.run(&["run", "--rm", "-t", "--network", "none", "-v", &v, "busybox", "cat", "/proc/self/mountinfo"]);
        assert!(!done.stdout.lines().any(|l| l.contains("- devpts") && l.contains(" /proc/")), "{done:#?}");
    }
}

/// A procfs, or a file of it, that is not the kernel's would take in our labels and sysctls.
#[test]
fn procfs_cannot_be_replaced() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let fake = d.directory.join("fake");
    std::fs::create_dir_all(fake.join("sys/net/ipv4")).unwrap();
    std::fs::create_dir_all(fake.join("self/attr")).unwrap();
    std::fs::write(fake.join("sys/net/ipv4/ip_forward"), "x").unwrap();
    std::fs::write(fake.join("self/attr/exec"), "x").unwrap();
    let before = fingerprint(&fake);
    let path = |p: &str| fake.join(p).to_str().unwrap().to_owned();
    for (source, target) in [
        (path(""), "/proc"),
        (path("sys"), "/proc/sys"),
        (path("self"), "/proc/self"),
        (path("self/attr"), "/proc/self/attr"),
        (path("self/attr/exec"), "/proc/thread-self/attr/exec"),
        (path("sys/net/ipv4/ip_forward"), "/proc/sys/net/ipv4/ip_forward"),
        (canary.at("dir"), "/proc/1/root/mnt"),
    ] {
        let v = format!("{source}:{target}");
        let run = ["run", "--rm", "--sysctl", "net.ipv4.ip_forward=1", "-v", &v, "busybox", "true"];
        let done = d.run(&run);
        assert_ne!(done.status, 0, "{done:#?}");
    }
    // by way of a link in the image
    image(&d, "p-link", |root| link(root, "mnt", "/proc/self/attr"));
    let v = format!("{}:/mnt", path("self/attr"));
    assert_ne!(d.run(&["run", "--rm", "-v", &v, "p-link", "true"]).status, 0);
    assert_eq!(before, fingerprint(&fake));
    let run = ["run", "--rm", "--sysctl", "net.ipv4.ip_forward=1", "busybox", "cat", "/proc/sys/net/ipv4/ip_forward"];
    d.run(&run).ok().stdout("1\n");
    for key in [
        "kernel.core_pattern",
        "net/../kernel/core_pattern",
        "net.ipv4/../../kernel/core_pattern",
        "vm.overcommit_memory",
    ] {
        let done = d.run(&["run", "--rm", "--sysctl", &format!("{key}=|/bin/x"), "busybox", "true"]);
        assert_ne!(done.status, 0, "{done:#?}");
    }
}

// ---- credentials (CVE-2022-24769, CVE-2022-29162, CVE-2022-36109, CVE-2024-40635) ----

#[test]
fn no_capability_is_inheritable() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "--cap-add", "NET_ADMIN", "busybox", "sleep", "1000"]).ok();
    d.run(&["run", "-d", "--name", "pp", "--privileged", "busybox", "sleep", "1000"]).ok();
    let sets = ["grep", "-hE", "Cap(Inh|Amb)", "/proc/1/status", "/proc/self/status"];
    for args in [&["exec", "cc"][..], &["exec", "--privileged", "cc"], &["exec", "-u", "web", "cc"], &["exec", "pp"]] {
        let done = d.run(&[args, &sets].concat()).ok();
        assert!(done.stdout.lines().count() == 4, "{done:#?}");
        assert!(done.stdout.lines().all(|l| l.ends_with("\t0000000000000000")), "{done:#?}");
    }
    // who is not root has none at all
    d.run(&["run", "--rm", "-u", "web", "busybox", "grep", "CapEff", "/proc/self/status"])
        .ok()
        .stdout("CapEff:\t0000000000000000\n");
    // no privilege comes with a new program
    let run =
        ["run", "--rm", "--security-opt", "no-new-privileges", "busybox", "grep", "NoNewPrivs", "/proc/self/status"];
    d.run(&run).ok().stdout("NoNewPrivs:\t1\n");
}

#[test]
fn groups_are_the_images_and_no_others() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"]).ok();
    for (user, expected) in
        [("root", "0\n"), ("web", "33 29\n"), ("web:50", "50\n"), ("1234", "0\n"), ("1234:77", "77\n")]
    {
        d.run(&["run", "--rm", "-u", user, "busybox", "id", "-G"]).ok().stdout(expected);
        d.run(&["exec", "-u", user, "cc", "id", "-G"]).ok().stdout(expected);
    }
}

#[test]
fn odd_users() {
    let d = Daemon::with_images(&["busybox"]);
    image(&d, "users", |root| {
        let text = "root:x:0:0::/root:/bin/sh\n1000:x:77:77::/:/bin/sh\nbob:x:1000:1000::/:/bin/sh\n\
                    huge:x:4294967296:0::/:/bin/sh\nminus:x:-1:0::/:/bin/sh\nempty:x:::/:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), text).unwrap();
    });
    d.run(&["run", "-d", "--name", "cc", "users", "sleep", "1000"]).ok();
    // Docker: the first entry which has the word as its name or as its number
    d.run(&["exec", "-u", "1000", "cc", "id", "-u"]).ok().stdout("77\n");
    d.run(&["run", "--rm", "-u", "1000", "users", "id", "-u"]).ok().stdout("77\n");
    d.run(&["exec", "-u", "bob", "cc", "id", "-u"]).ok().stdout("1000\n");
    for user in [
        "2147483648",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "-1",
        "-0x1",
        "0x0",
        "1e3",
        "huge",
        "minus",
        "empty",
        "root:4294967296",
        "0:-1",
        "nobody-there",
        "roo\u{0442}",
    ] {
        for args in [&["exec", "-u", user, "cc", "id"][..], &["run", "--rm", "-u", user, "users", "id"]] {
            let done = d.run(args);
            assert!(done.status != 0 && !done.stdout.contains("uid="), "{done:#?}");
        }
    }
}

// ---- the kernel's other doors ----

#[test]
fn system_calls_that_are_refused() {
    let d = Daemon::with_images(&["debian"]);
    // <https://docs.docker.com/engine/security/seccomp/>; numbers of x86_64
    let script = r#"
        my %calls = (
          "socket AF_ALG" => [41, 38, 5, 0], "socket AF_VSOCK" => [41, 40, 1, 0],
          "open_by_handle_at" => [304, 3, 0, 0], "keyctl" => [250, 0, 0, 0], "add_key" => [248, 0, 0, 0, 0, 0],
          "bpf" => [321, 0, 0, 0], "kexec_load" => [246, 0, 0, 0, 0], "init_module" => [175, 0, 0, 0],
          "unshare" => [272, 0x10000000], "mount" => [165, 0, 0, 0, 0, 0], "pivot_root" => [155, 0, 0],
          "setns" => [308, 0, 0], "perf_event_open" => [298, 0, 0, 0, 0, 0], "userfaultfd" => [323, 0],
          "io_uring_setup" => [425, 1, 0], "fsopen" => [430, 0, 0], "move_mount" => [429, 0, 0, 0, 0, 0],
          "clone NEWUSER" => [56, 0x10000000, 0, 0, 0, 0], "iopl" => [172, 3], "reboot" => [169, 0, 0, 0, 0],
          "swapon" => [167, 0, 0], "acct" => [163, 0], "settimeofday" => [164, 0, 0],
        );
        for my $name (sort keys %calls) {
          my ($number, @args) = @{$calls{$name}};
          my $result = syscall($number, @args, (0) x (6 - @args));
          print "$name: ", $result == -1 ? $!+0 : "allowed", "\n";
        }"#;
    let done = d.run(&["run", "--rm", "--network", "none", "debian", "perl", "-e", script]).ok();
    for line in done.stdout.lines() {
        assert!(line.ends_with(": 1") || line.ends_with(": 38"), "{line} in {done:#?}");
    }
    assert_eq!(done.stdout.lines().count(), 23);
    // clone3 looks absent, so that nobody makes a user namespace by a structure which no filter can read
    let clone3 = r#"print syscall(435, 0, 0), " ", $!+0"#;
    d.run(&["run", "--rm", "--network", "none", "debian", "perl", "-e", clone3]).ok().stdout("-1 38");
}

#[test]
fn control_groups_are_out_of_reach() {
    let (d, canary) = (Daemon::with_images(&["busybox"]), Canary::new());
    let attack = format!(
        "for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name cgroup.procs); do \
           (echo {} > $f) 2>/dev/null && echo wrote $f; done; \
         mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null && echo made; \
         mkdir /tmp/m; mount -t cgroup -o memory x /tmp/m 2>/dev/null && echo mounted; \
         unshare -U true 2>/dev/null && echo unshared; \
         find /sys/fs/cgroup -name release_agent; true",
        canary.at("cat")
    );
    d.run(&["run", "--rm", "--network", "none", "busybox", "sh", "-c", &attack]).ok().stdout("");
    // nor is there a device that the rules do not name
    let devices = "mknod /tmp/sda b 8 0 && cat /tmp/sda; mknod /tmp/mem c 1 1 && cat /tmp/mem; mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg";
    let done = d.run(&["run", "--rm", "--network", "none", "busybox", "sh", "-c", devices]);
    assert!(
        done.status != 0 && done.stdout.is_empty() && done.stderr.matches("not permitted").count() == 3,
        "{done:#?}"
    );
}

/// A socket with an abstract name would be reachable from every container with the host's network (CVE-2020-15257).
#[test]
fn we_have_no_abstract_sockets() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["run", "-d", "--name", "cc", "--network", "host", "busybox", "sleep", "1000"]).ok();
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let shim = d.shim("cc");
    let mut own = 0;
    for pid in [d.pid(), shim] {
        for fd in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let Ok(target) = std::fs::read_link(fd.path()) else { continue };
            let Some(inode) = target.to_str().and_then(|t| t.strip_prefix("socket:[")) else { continue };
            let inode = inode.trim_end_matches(']');
            let line = table.lines().find(|l| l.split_whitespace().nth(6) == Some(inode));
            let name = line.and_then(|l| l.split_whitespace().nth(7)).unwrap_or("");
            assert!(!name.starts_with('@'), "process {pid} has the abstract socket {name}");
            own += 1;
        }
    }
    assert!(own > 2, "{own} sockets seen");
    let sockets =
        std::fs::read_dir(d.directory.join("run/shims")).unwrap().flatten().map(|e| e.path().join("shim.sock"));
    for socket in sockets {
        assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600, "{}", socket.display());
    }
}

// ---- words of an image that look like ours ----

#[test]
fn labels_named_like_ours_change_nothing() {
    let d = Daemon::start();
    let cache = std::env::var("LIGHTER_TEST_CACHE").unwrap_or_else(|_| "/var/cache/lighter-tests".into());
    let labels = "LABEL name=evil image=evil exitCode=0 signal=9 execID=1 container=evil execDuration=99 \
                  com.docker.official=true io.lighter.root=/ id=0";
    d.run(&["import", "-c", labels, &format!("{cache}/busybox.tar"), "labels"]).ok();
    d.run(&["run", "--name", "ll", "labels", "sh", "-c", "exit 3"]).status(3);
    // `until` counts whole seconds
    std::thread::sleep(Duration::from_millis(1100));
    let die =
        d.run(&["events", "--since", "1m", "--until", "0s", "--filter", "event=die", "--format", "{{json .}}"]).ok();
    let die: serde_json::Value = serde_json::from_str(die.text()).unwrap();
    let attributes = &die["Actor"]["Attributes"];
    assert_eq!((&attributes["name"], &attributes["image"]), (&"ll".into(), &"labels".into()), "{die}");
    assert_eq!(attributes["exitCode"], "3", "{die}");
    let state = d.inspect("ll", "{{.State.ExitCode}} {{.Name}} {{.Config.Image}}");
    assert_eq!(state, "3 /ll labels");
    d.run(&["rm", "ll"]).ok();
}

// ---- output without end ----

#[test]
fn a_flood_of_output_is_bounded() {
    let d = Daemon::with_images(&["busybox"]);
    let flood = ["run", "-d", "--name", "ff", "--log-opt", "max-size=1m", "--log-opt", "max-file=2", "busybox", "yes"];
    d.run(&flood).ok();
    // one who attaches and never reads holds up neither `ps` nor the end
    let mut stalled =
        d.command(&["attach", "--no-stdin", "ff"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    quickly("ps", || d.run(&["ps"]).ok());
    let shim = d.shim("ff");
    assert!(peak(shim) < 40_000, "the shim swelled to {} KiB", peak(shim));
    quickly("stop", || d.run(&["stop", "-t", "0", "ff"]).ok());
    let path = d.inspect("ff", "{{.LogPath}}");
    let size: u64 =
        ["", ".1", ".2"].iter().filter_map(|n| std::fs::metadata(format!("{path}{n}")).ok()).map(|m| m.len()).sum();
    assert!(size < 2_500_000, "{size} bytes of log");
    stalled.kill().unwrap();
    stalled.wait().unwrap();
}
