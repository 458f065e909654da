//! Binds and file systems in memory, with all their options.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Cli, Daemon, through_both};

/// A directory that is a mount of its own, with one more below it (`sub`); unmounted at the end.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, propagation: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/lighter-mounts-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let tree = Self(path);
        mount(&["-t", "tmpfs", "tree"], &tree.0);
        mount(&[&format!("--make-{propagation}")], &tree.0);
        std::fs::create_dir(tree.0.join("sub")).unwrap();
        mount(&["-t", "tmpfs", "sub"], &tree.0.join("sub"));
        std::fs::write(tree.0.join("sub/file"), "x").unwrap();
        tree
    }

    fn at(&self, options: &str) -> String {
        format!("type=bind,src={},dst=/tree{options}", self.0.display())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-R", "-l"]).arg(&self.0).status();
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn mount(words: &[&str], place: &Path) {
    assert!(Command::new("mount").args(words).arg(place).status().unwrap().success(), "mount {words:?}");
}

fn run(daemon: &Daemon, flags: &[&str], script: &str) -> String {
    daemon.run(&[&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat()).ok().stdout.clone()
}

#[test]
fn read_only_reaches_what_is_below() {
    let tree = Tree::new("ro", "private");
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = "touch /tree/x 2> /dev/null && echo top; touch /tree/sub/x 2> /dev/null && echo below; ls /tree/sub | grep -c file";
        let volume = format!("{}:/tree:ro", tree.0.display());
        assert_eq!(run(daemon, &["-v", &volume], script), "1\n");
        for (options, expected) in [
            ("", "top\nbelow\n1\n"),
            (",readonly", "1\n"),
            (",ro=true,bind-recursive=enabled", "1\n"),
            (",readonly,bind-recursive=writable", "below\n1\n"),
            (",readonly,bind-recursive=readonly,bind-propagation=rprivate", "1\n"),
            (",bind-recursive=disabled", "top\nbelow\n0\n"),
            (",bind-nonrecursive,consistency=cached", "top\nbelow\n0\n"),
        ] {
            let mount = tree.at(options);
            let got = daemon.run(&["run", "--rm", "--mount", &mount, "busybox", "sh", "-c", script]);
            assert_eq!(got.stdout, expected, "{mount}: {}", got.stderr);
        }
    });
}

#[test]
fn mounts_travel_as_asked() {
    let tree = Tree::new("shared", "shared");
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = "mkdir -p /tree/in && mount -t tmpfs x /tree/in && touch /tree/in/made";
        let volume = |mode: &str| format!("{}:/tree:{mode}", tree.0.display());
        for (mode, seen) in [("rshared", true), ("rslave", false), ("rprivate", false)] {
            run(daemon, &["--cap-add", "SYS_ADMIN", "-v", &volume(mode)], script);
            assert_eq!(tree.0.join("in/made").exists(), seen, "{mode}");
            let _ = Command::new("umount").arg(tree.0.join("in")).output();
        }
        daemon.run(&["run", "-d", "--name", "slave", "-v", &volume("rslave"), "busybox", "sleep", "1000"]).ok();
        std::fs::create_dir_all(tree.0.join("late")).unwrap();
        mount(&["-t", "tmpfs", "late"], &tree.0.join("late"));
        daemon.run(&["exec", "slave", "grep", "-c", "/tree/late", "/proc/mounts"]).ok().stdout("1\n");
        daemon.run(&["rm", "-f", "slave"]).ok();
        let _ = Command::new("umount").arg(tree.0.join("late")).output();
    });
}

#[test]
fn what_does_not_propagate_is_refused() {
    let tree = Tree::new("private", "private");
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        for (mode, words) in [("shared", "it is not a shared mount"), ("rslave", "it is not a shared or slave mount")] {
            let volume = format!("{}:/tree:{mode}", tree.0.display());
            let refused = daemon.run(&["run", "--rm", "-v", &volume, "busybox", "true"]).status(125);
            let path = tree.0.display();
            let expected = format!("path {path} is mounted on {path} but {words}");
            assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
        }
    });
}

#[test]
fn sources_that_are_not_there() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let source = daemon.directory.join("made");
        let mount = format!("type=bind,src={},dst=/x", source.display());
        let refused = daemon.run(&["run", "--rm", "--mount", &mount, "busybox", "true"]).status(125);
        assert!(refused.stderr.contains("bind source path does not exist"), "{}", refused.stderr);
        assert!(!source.exists());
        let first = daemon.run(&["create", "--pull", "never", "--mount", &mount, "nowhere:1", "true"]).status(1);
        assert!(first.stderr.contains("bind source path does not exist"), "{}", first.stderr);
        run(daemon, &["-v", &format!("{}:/x", source.display())], "touch /x/here");
        assert!(source.join("here").exists());
        std::fs::remove_dir_all(source).unwrap();
    });
    daemon.set_cli(Cli::Lighter);
    let source = daemon.directory.join("wanted");
    let mount = format!("type=bind,src={},dst=/x,bind-create-src", source.display());
    daemon.run(&["run", "--rm", "--mount", &mount, "busybox", "touch", "/x/here"]).ok();
    assert!(source.join("here").exists());
}

#[test]
fn file_systems_in_memory() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let shown = "stat -c '%a %u' /t; df -k /t | tail -n 1 | awk '{print $2}'; grep ' /t ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1-4";
        for (flags, expected) in [
            (["--tmpfs", "/t"], "1777 0\n"),
            (["--tmpfs", "/t:size=2m,mode=750,uid=5,exec"], "750 5\n2048\nrw,nosuid,nodev,relatime\n"),
            (["--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700"], "700 0\n1024\nrw,nosuid,nodev,noexec\n"),
            (["--mount", "type=tmpfs,dst=/t,readonly,tmpfs-size=1m"], "1777 0\n1024\nro,nosuid,nodev,noexec\n"),
        ] {
            let got = run(daemon, &flags, shown);
            assert!(got.starts_with(expected), "{flags:?}: {got}");
        }
        let refused = daemon.run(&["run", "--rm", "--tmpfs", "/t:nonsense", "busybox", "true"]).status(125);
        assert!(refused.stderr.contains("invalid tmpfs option \"nonsense\""), "{}", refused.stderr);
    });
}

#[test]
fn a_read_only_root_with_places_to_write() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = "touch /x 2> /dev/null && echo root; touch /etc/hosts 2> /dev/null && echo hosts; \
            touch /dev/shm/x /run/x /data/x && echo places";
        let data = daemon.directory.join("data-dir");
        let volume = format!("{}:/data", data.display());
        assert_eq!(run(daemon, &["--read-only", "--tmpfs", "/run", "-v", &volume], script), "places\n");
    });
}

/// Where the file system has project quotas the size holds, elsewhere it is refused.
#[test]
fn a_size_for_the_root() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let args =
            ["run", "--rm", "--storage-opt", "size=10m", "busybox", "dd", "if=/dev/zero", "of=/x", "bs=1M", "count=20"];
        let got = daemon.run(&args);
        let held = got.status == 1 && got.stderr.contains("No space left on device") || got.stderr.contains("quota");
        assert!(held || got.stderr.contains("--storage-opt is supported only for overlay over xfs"), "{}", got.stderr);
        let unknown = daemon.run(&["run", "--rm", "--storage-opt", "siez=10m", "busybox", "true"]).status(125);
        assert!(unknown.stderr.contains("Unknown option siez"), "{}", unknown.stderr);
    });
}
