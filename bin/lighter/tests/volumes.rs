//! Volumes: named, anonymous, other containers'; what is in them outlives everything but their removal.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::{AtEnd, Daemon, through_both};

fn sh(d: &Daemon, flags: &[&str], script: &str) -> String {
    d.run(&[&["run", "--rm", "--network", "none"], flags, &["busybox", "sh", "-c", script]].concat())
        .ok()
        .stdout
        .clone()
}

fn names(d: &Daemon, filters: &[&str]) -> Vec<String> {
    let args = [&["volume", "ls", "-q"], filters].concat();
    d.run(&args).ok().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn named_ones_outlive_containers() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |d| {
        sh(d, &["-v", "data:/srv"], "echo kept > /srv/file");
        assert_eq!(
            sh(
                d,
                &["--mount", "type=volume,src=data,dst=/other,ro"],
                "cat /other/file; touch /other/x 2>&1 | grep -o Read-only"
            ),
            "kept\nRead-only\n"
        );
        d.run(&["volume", "inspect", "-f", "{{.Driver}} {{.Scope}} {{json .Labels}} {{json .Options}}", "data"])
            .ok()
            .stdout("local local null null\n");
        assert_eq!(d.run(&["volume", "create", "data"]).ok().text(), "data", "there already");
        d.run(&["create", "--name", "user", "-v", "data:/srv", "busybox"]).ok();
        let id = d.inspect("user", "{{.Id}}");
        d.run(&["volume", "rm", "data"]).status(1).stderr_has(&format!("remove data: volume is in use - [{id}]"));
        assert_eq!(names(d, &["-f", "dangling=true"]), [""; 0]);
        let path = d.directory.join("data/volumes/data/_data").display().to_string();
        assert_eq!(
            d.inspect("user", "{{json .Mounts}}"),
            format!(
                r#"[{{"Type":"volume","Name":"data","Source":"{path}","Destination":"/srv","Driver":"local","Mode":"z","RW":true,"Propagation":""}}]"#
            )
        );
        // into and out of one that does not run
        std::fs::write(d.directory.join("in"), "copied\n").unwrap();
        d.run(&["cp", d.directory.join("in").to_str().unwrap(), "user:/srv/in"]).ok();
        assert_eq!(std::fs::read_to_string(format!("{path}/in")).unwrap(), "copied\n");
        d.run(&["rm", "-v", "user"]).ok();
        assert_eq!(names(d, &[]), ["data"], "rm -v takes only those without a name");
        d.run(&["volume", "rm", "data"]).ok().stdout("data\n");
        d.run(&["volume", "rm", "data"]).status(1).stderr_has("get data: no such volume");
        d.run(&["volume", "rm", "-f", "data"]).ok();
    });
}

/// What its container was told to take it goes by, whatever has become of the container's other mounts.
#[test]
fn one_that_was_named_stays_when_a_bind_beside_it_is_gone() {
    let d = Daemon::with_images(&["busybox"]);
    let source = d.directory.join("source");
    std::fs::create_dir(&source).unwrap();
    let name = d.run(&["volume", "create"]).ok().text().to_owned();
    let (volume, bind) = (format!("{name}:/v"), format!("type=bind,src={},dst=/b", source.display()));
    d.run(&["run", "-d", "--name", "cc", "-v", &volume, "--mount", &bind, "busybox", "sleep", "1000"]).ok();
    std::fs::remove_dir(&source).unwrap();
    d.run(&["rm", "-fv", "cc"]).ok();
    assert_eq!(names(&d, &[]), [name]);
}

#[test]
fn those_without_a_name_go_with_their_container() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |d| {
        sh(d, &["-v", "/data"], "touch /data/x");
        d.run(&["run", "--rm", "-v", "/data", "busybox", "false"]).status(1);
        assert_eq!(names(d, &[]), [""; 0], "--rm");
        d.run(&["run", "--name", "one", "-v", "/data", "busybox", "touch", "/data/x"]).ok();
        let name = d.inspect("one", "{{(index .Mounts 0).Name}}");
        assert_eq!((name.len(), names(d, &[])), (64, vec![name.clone()]));
        d.run(&["volume", "inspect", "-f", "{{json .Labels}}", &name])
            .ok()
            .stdout("{\"com.docker.volume.anonymous\":\"\"}\n");
        // another container has it too
        d.run(&["create", "--name", "two", "--volumes-from", "one:ro", "busybox", "ls", "/data"]).ok();
        d.run(&["rm", "-v", "one"]).ok();
        d.run(&["start", "-a", "two"]).ok().stdout("x\n");
        assert_eq!(d.inspect("two", "{{(index .Mounts 0).RW}}"), "false");
        d.run(&["rm", "-v", "two"]).ok();
        assert_eq!(names(d, &[]), [""; 0]);
        // without -v it is kept, and pruned
        d.run(&["run", "--name", "one", "-v", "/data", "busybox", "sh", "-c", "head -c 1000 /dev/zero > /data/x"]).ok();
        d.run(&["volume", "create", "named"]).ok();
        let name = d.inspect("one", "{{(index .Mounts 0).Name}}");
        d.run(&["volume", "prune", "-f"]).ok().stdout("Total reclaimed space: 0B\n");
        d.run(&["rm", "one"]).ok();
        d.run(&["volume", "prune", "-f"])
            .ok()
            .stdout(&format!("Deleted Volumes:\n{name}\n\nTotal reclaimed space: 1kB\n"));
        d.run(&["volume", "prune", "-af"]).ok().stdout("Deleted Volumes:\nnamed\n\nTotal reclaimed space: 0B\n");
    });
}

#[test]
fn an_empty_one_gets_what_the_image_has() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let change = "VOLUME /var/lib/app";
    daemon.run(&["run", "--name", "maker", "busybox", "sh", "-c", "mkdir -p /var/lib/app/sub; echo seed > /var/lib/app/sub/file; ln -s sub/file /var/lib/app/link; chown -R 33:33 /var/lib/app; chmod 2750 /var/lib/app"]).ok();
    daemon.run(&["commit", "-c", change, "maker", "app"]).ok();
    daemon.run(&["rm", "maker"]).ok();
    through_both(&mut daemon, |d| {
        let look = "stat -c '%a %u %g %F' /var/lib/app /var/lib/app/link; cat /var/lib/app/link";
        let whole = "2750 33 33 directory\n777 33 33 symbolic link\nseed\n";
        let of =
            |flags: &[&str]| d.run(&[&["run", "--rm"], flags, &["app", "sh", "-c", look]].concat()).ok().stdout.clone();
        assert_eq!(of(&[]), whole, "the image's own volume");
        assert_eq!(of(&["-v", "seeded:/var/lib/app"]), whole);
        assert_eq!(sh(d, &["-v", "seeded:/x"], "echo more >> /x/sub/file; cat /x/link"), "seed\nmore\n");
        assert!(of(&["-v", "seeded:/var/lib/app"]).ends_with("seed\nmore\n"), "what is in it stays");
        d.run(&["run", "--rm", "-v", "bare:/var/lib/app:nocopy", "app", "ls", "/var/lib/app"]).ok().stdout("");
        d.run(&[
            "run",
            "--rm",
            "--mount",
            "type=volume,src=bare,dst=/var/lib/app,volume-nocopy",
            "app",
            "ls",
            "/var/lib/app",
        ])
        .ok()
        .stdout("");
        d.run(&["volume", "rm", "seeded", "bare"]).ok().stdout("seeded\nbare\n");
        assert_eq!(names(d, &[]), [""; 0]);
    });
}

#[test]
fn labels_options_and_what_is_refused() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    std::fs::create_dir(daemon.directory.join("shelf")).unwrap();
    let shelf = daemon.directory.join("shelf").display().to_string();
    through_both(&mut daemon, |d| {
        d.run(&["volume", "create", "--label", "tier=db", "one"]).ok().stdout("one\n");
        d.run(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", &format!("device={shelf}"), "two"]).ok();
        assert_eq!(names(d, &["-f", "label=tier=db"]), ["one"]);
        assert_eq!(names(d, &["-f", "name=o"]), ["one", "two"]);
        d.run(&["volume", "ls"]).ok().stdout("DRIVER    VOLUME NAME\nlocal     one\nlocal     two\n");
        sh(d, &["-v", "two:/shelf"], "echo there > /shelf/book");
        assert_eq!(std::fs::read_to_string(format!("{shelf}/book")).unwrap(), "there\n");
        d.run(&["volume", "rm", "one", "two"]).ok();
        assert!(std::path::Path::new(&format!("{shelf}/book")).exists(), "it is not the engine's to remove");
        for (args, words) in [
            (
                &["volume", "create", "-d", "nope", "three"][..],
                "create three: error looking up volume plugin nope: plugin \"nope\" not found",
            ),
            (
                &["volume", "create", "a b"],
                "create a b: \"a b\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
            ),
            (
                &["volume", "create", "x"],
                "create x: volume name is too short, names should be at least two alphanumeric characters",
            ),
            (&["volume", "create", "-o", "foo=bar", "three"], "create three: invalid option: \"foo\""),
            (
                &["volume", "create", "-o", "type=nfs", "-o", "device=:/x", "three"],
                "the local driver does not mount file systems of type \"nfs\" yet",
            ),
            (&["volume", "inspect", "nope"], "get nope: no such volume"),
            (&["volume", "ls", "-f", "foo=bar"], "invalid filter 'foo'"),
            (&["create", "--volumes-from", "nope", "busybox"], "No such container: nope"),
            (&["create", "-v", "a b:/x", "busybox"], "create a b: \"a b\" includes invalid characters"),
        ] {
            d.run(args).status(1).stderr_has(words);
        }
        assert_eq!(names(d, &[]), [""; 0], "what is refused leaves nothing");
        assert_eq!(d.run(&["ps", "-aq"]).ok().text(), "");
        // a device that is not there: told at the start, the volume stays
        d.run(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/does/not/exist", "lost"]).ok();
        d.run(&["run", "--rm", "-v", "lost:/x", "busybox", "true"])
            .status(127)
            .stderr_has("failed to mount local volume: mount /does/not/exist:");
        d.run(&["volume", "rm", "lost"]).ok();
    });
}

#[test]
fn a_daemon_that_dies_loses_none() {
    let mut d = Daemon::with_images(&["busybox"]);
    sh(&d, &["-v", "data:/srv"], "echo kept > /srv/file");
    d.run(&["run", "-d", "--name", "web", "-v", "data:/srv", "-v", "/cache", "busybox", "sleep", "1000"]).ok();
    d.run(&["run", "-d", "--rm", "--name", "short", "-v", "/cache", "busybox", "sleep", "1000"]).ok();
    let before = names(&d, &[]);
    assert_eq!(before.len(), 3);
    d.kill();
    d.start_again();
    assert_eq!(names(&d, &[]), before);
    d.run(&["exec", "web", "cat", "/srv/file"]).ok().stdout("kept\n");
    d.run(&["restart", "-t", "0", "web"]).ok();
    d.run(&["exec", "web", "cat", "/srv/file"]).ok().stdout("kept\n");
    d.run(&["kill", "short"]).ok();
    testkit::eventually("the volume of a --rm container goes", || names(&d, &[]).len() == 2);
    d.run(&["rm", "-fv", "web"]).ok();
    assert_eq!(names(&d, &[]), ["data"]);
    // data counts more than records: a directory that nobody recorded
    let root = d.directory.join("data/volumes");
    d.kill();
    std::fs::create_dir_all(root.join("found/_data")).unwrap();
    std::fs::create_dir_all(root.join("half/_data")).unwrap();
    std::fs::write(root.join("half/.making"), "").unwrap();
    std::fs::remove_dir_all(root.join("data")).unwrap();
    d.start_again();
    assert_eq!(names(&d, &[]), ["found"]);
    d.run(&["volume", "rm", "found"]).ok();
}

#[test]
fn usage_and_events() {
    let d = Daemon::with_images(&["busybox"]);
    sh(&d, &["-v", "data:/srv"], "head -c 5000 /dev/zero > /srv/file");
    d.run(&["volume", "rm", "data"]).ok();
    // whole seconds count
    let until = (std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 1).to_string();
    let seen = d
        .run(&[
            "events",
            "--since",
            "1m",
            "--until",
            &until,
            "-f",
            "type=volume",
            "--format",
            "{{.Action}} {{.Actor.ID}} {{index .Actor.Attributes \"destination\"}}",
        ])
        .ok();
    seen.stdout("create data \nmount data /srv\nunmount data \ndestroy data \n");
    sh(&d, &["-v", "data:/srv"], "head -c 5000 /dev/zero > /srv/file");
    let df =
        d.run(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"]).ok();
    df.stdout_has("Local Volumes 1 0 5kB 5kB (100%)\n");
    d.run(&["volume", "rm", "data"]).ok();
}

/// `volume-subpath`: a directory or a file of a volume, and nothing of what is beside it.
#[test]
fn a_part_of_one() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |d| {
        let part = |path: &str| format!("type=volume,src=data,dst=/p,volume-subpath={path}");
        sh(
            d,
            &["-v", "data:/v"],
            "mkdir -p /v/a/b; echo deep > /v/a/b/f; echo top > /v/f; ln -s a/b /v/in; ln -s / /v/out",
        );
        assert_eq!(sh(d, &["--mount", &part("a/b")], "ls -A /p; cat /p/f; echo more > /p/g"), "f\ndeep\n");
        assert_eq!(sh(d, &["--mount", &part("./in")], "cat /p/g"), "more\n", "a link that stays in the volume");
        assert_eq!(sh(d, &["--mount", &part("f")], "cat /p"), "top\n", "a file");
        let read_only = format!("{},readonly", part("a/b"));
        assert_eq!(
            sh(d, &["--mount", &read_only], "touch /p/x 2>&1 | grep -o Read-only; cat /p/f"),
            "Read-only\ndeep\n"
        );
        let refused = |path: &str, status: i32, words: &str| {
            d.run(&["run", "--rm", "--mount", &part(path), "busybox", "true"]).status(status).stderr_has(words);
        };
        refused("../x", 125, "subpath must be a relative path within the volume");
        refused("a/nowhere/x", 127, "/_data/a/nowhere: no such file or directory");
        refused("out", 125, "path concatenation escapes the base directory");
        refused("out/etc", 125, "path concatenation escapes the base directory");
        let anonymous = "type=volume,dst=/p,volume-subpath=a";
        let run = d.run(&["run", "--rm", "--mount", anonymous, "busybox", "true"]);
        run.status(125).stderr_has("must not set Subpath when using anonymous volumes");
        assert_eq!(d.run(&["ps", "-aq"]).ok().text(), "");

        // what is there when it starts counts
        d.run(&["create", "--name", "cc", "--mount", &part("a"), "busybox", "sh", "-c", "ls /p; sleep 1000"]).ok();
        let host = d.directory.join("data/volumes/data/_data");
        std::fs::rename(host.join("a"), host.join("away")).unwrap();
        d.run(&["start", "cc"]).status(1).stderr_has("cannot access path ");
        std::os::unix::fs::symlink("/etc", host.join("a")).unwrap();
        d.run(&["start", "cc"]).status(1).stderr_has("escapes the base directory");
        std::fs::remove_file(host.join("a")).unwrap();
        std::fs::rename(host.join("away"), host.join("a")).unwrap();
        // copied to and from while it does not run
        std::fs::write(d.directory.join("in"), "copied\n").unwrap();
        d.run(&["cp", d.directory.join("in").to_str().unwrap(), "cc:/p/in"]).ok();
        assert_eq!(std::fs::read_to_string(host.join("a/in")).unwrap(), "copied\n");
        d.run(&["start", "cc"]).ok();
        d.run(&["exec", "cc", "ls", "/p"]).ok().stdout("b\nin\n");
        assert_eq!(sh(d, &["--volumes-from", "cc"], "ls /p"), "b\nin\n");
        d.run(&["restart", "-t", "0", "cc"]).ok();
        d.run(&["exec", "cc", "cat", "/p/b/f"]).ok().stdout("deep\n");
        d.run(&["rm", "-f", "cc"]).ok();
        d.run(&["volume", "rm", "data"]).ok();
    });
}

/// What an image has goes into an empty part, as into an empty volume.
#[test]
fn an_empty_part_gets_what_the_image_has() {
    let d = Daemon::with_images(&["busybox"]);
    sh(&d, &["-v", "data:/v"], "mkdir /v/empty /v/full; echo own > /v/full/f");
    let part = |path: &str| format!("type=volume,src=data,dst=/etc,volume-subpath={path}");
    sh(&d, &["--mount", &part("empty")], "true");
    sh(&d, &["--mount", &part("full")], "true");
    let host = d.directory.join("data/volumes/data/_data");
    assert!(host.join("empty/passwd").exists() && !host.join("passwd").exists());
    assert!(!host.join("full/passwd").exists());
}

/// Unmounted also where an assertion fails.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: &Path) -> Self {
        assert!(Command::new("mount").args(["-t", "tmpfs", "lighter-test"]).arg(at).status().unwrap().success());
        Self(at.into())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// What somebody has mounted in its directory is no part of it.
#[test]
fn a_part_has_no_mounts_of_the_host() {
    let d = Daemon::with_images(&["busybox"]);
    sh(&d, &["-v", "data:/v"], "mkdir /v/a; echo own > /v/a/f");
    let place = d.directory.join("data/volumes/data/_data/a");
    let _mounted = Mounted::tmpfs(&place);
    std::fs::write(place.join("f"), "mounted\n").unwrap();
    assert_eq!(sh(&d, &["-v", "data:/v"], "cat /v/a/f"), "own\n");
    assert_eq!(sh(&d, &["--mount", "type=volume,src=data,dst=/p,volume-subpath=a"], "cat /p/f"), "own\n");
}

/// Somebody exchanges a directory of the volume for a link to the host's, again and again.
#[test]
fn no_race_leads_out_of_one() {
    let d = Daemon::with_images(&["busybox"]);
    sh(&d, &["-v", "data:/v"], "mkdir /v/dir; echo mine > /v/dir/f");
    let host = d.directory.join("data/volumes/data/_data");
    let canary = d.directory.join("canary");
    std::fs::create_dir(&canary).unwrap();
    std::fs::write(canary.join("f"), "the host's").unwrap();
    std::os::unix::fs::symlink(&canary, host.join("link")).unwrap();
    let stop = AtomicBool::new(false);
    let outputs: Vec<String> = std::thread::scope(|scope| {
        let _at_end = AtEnd(&stop);
        scope.spawn(|| {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, host.join("dir"), CWD, host.join("link"), RenameFlags::EXCHANGE).unwrap();
            }
        });
        let mount = "type=volume,src=data,dst=/p,volume-subpath=dir,volume-nocopy";
        let script = "cat /p/f; echo x > /p/new";
        let run = ["run", "--rm", "--network", "none", "--mount", mount, "busybox", "sh", "-c", script];
        (0..30).map(|_| d.run(&run).stdout.clone()).collect()
    });
    assert!(outputs.iter().all(|output| output.is_empty() || output == "mine\n"), "{outputs:?}");
    assert!(outputs.iter().any(|output| output == "mine\n"), "none was fast enough");
    let left: Vec<_> = std::fs::read_dir(&canary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["f"]);
}
