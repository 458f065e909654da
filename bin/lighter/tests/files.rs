//! `cp`, `export`, `diff`: a container's files from outside, running or not.

use std::os::unix::fs::{MetadataExt, symlink};

use testkit::{Cli, Daemon, real_docker};

fn clients() -> Vec<Cli> {
    let mut all = vec![Cli::Lighter];
    all.extend(real_docker().map(Cli::Docker));
    all
}

const MAKE: &str = "mkdir -p /d/e; echo hi >/d/f; ln -s /d /l; ln -s nowhere /dangling; echo x >/d/e/g";

/// A running container with a few files, and a directory of this machine.
fn with_files(daemon: &Daemon, name: &str) -> String {
    daemon.run(&["run", "-d", "--name", name, "busybox", "sh", "-c", &format!("{MAKE}; exec sleep 1000")]).ok();
    testkit::eventually("files", || daemon.run(&["exec", name, "cat", "/d/e/g"]).status == 0);
    let here = daemon.directory.join(format!("here-{name}"));
    std::fs::create_dir_all(here.join("src/sub")).expect("directory");
    std::fs::write(here.join("src/sub/file"), "from here\n").expect("file");
    here.display().to_string()
}

#[test]
fn copies_follow_dockers_table() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for (n, cli) in clients().into_iter().enumerate() {
        daemon.set_cli(cli);
        let name = format!("cp{n}");
        let here = with_files(&daemon, &name);
        let (there, path) = (|p: &str| format!("{name}:{p}"), |p: &str| format!("{here}/{p}"));
        let read = |p: &str| std::fs::read_to_string(path(p)).unwrap_or_else(|e| panic!("{p}: {e}"));
        // out: a file to a new name, into a directory, over a file; a directory to a new name, into one, its content
        daemon.run(&["cp", &there("/d/f"), &path("new")]).ok();
        daemon.run(&["cp", &there("/d/f"), &here]).ok();
        daemon.run(&["cp", &there("/d/e/g"), &path("new")]).ok();
        assert_eq!((read("f"), read("new")), ("hi\n".into(), "x\n".into()));
        daemon.run(&["cp", &there("/d"), &path("copy")]).ok();
        daemon.run(&["cp", &there("/d"), &path("copy")]).ok();
        daemon.run(&["cp", &there("/d/."), &path("src")]).ok();
        assert_eq!((read("copy/e/g"), read("copy/d/e/g"), read("src/f")), ("x\n".into(), "x\n".into(), "hi\n".into()));
        // links: as such, or what they lead to
        daemon.run(&["cp", &there("/l"), &path("link")]).ok();
        daemon.run(&["cp", "-L", &there("/l"), &path("followed")]).ok();
        assert!(std::fs::symlink_metadata(path("link")).expect("link").is_symlink());
        assert_eq!(read("followed/f"), "hi\n");
        // in
        daemon.run(&["cp", &path("src"), &there("/in")]).ok();
        daemon.run(&["cp", &path("src/sub/file"), &there("/l")]).ok();
        daemon.run(&["cp", &path("src/."), &there("/d/e")]).ok();
        let cat = ["exec", &name, "cat", "/in/sub/file", "/d/file", "/d/e/sub/file"];
        daemon.run(&cat).ok().stdout("from here\nfrom here\nfrom here\n");
        // what is wrong
        daemon.run(&["cp", &there("/nope"), &here]).status(1).stderr_has("Could not find the file /nope in container");
        daemon.run(&["cp", &there("/d"), &path("new")]).status(1).stderr("cannot copy directory\n");
        daemon.run(&["cp", &there("/d/f"), &path("no/")]).status(1);
        daemon.run(&["cp", &path("src"), &there("/d/f")]).status(1).stderr_has("cannot copy directory");
        daemon.run(&["cp", &path("new"), &there("/nodir/x")]).status(1).stderr_has("Could not find the file /nodir");
        daemon.run(&["cp", "a", "b"]).status(1).stderr("must specify at least one container source\n");
        daemon.run(&["cp", "a:/", "b:/"]).status(1).stderr("copying between containers is not supported\n");
    }
}

#[test]
fn archives_go_through_pipes_and_keep_owners() {
    let daemon = Daemon::with_images(&["busybox"]);
    let here = with_files(&daemon, "pipe");
    daemon.run(&["exec", "pipe", "chown", "33:44", "/d/f"]).ok();
    let tar = daemon.command(&["cp", "pipe:/d", "-"]).output().expect("cp").stdout;
    daemon.run(&["exec", "pipe", "mkdir", "/back"]).ok();
    daemon.run_with_input(&["cp", "-", "pipe:/back"], &tar).ok();
    daemon.run(&["exec", "pipe", "stat", "-c", "%u:%g %s", "/back/d/f"]).ok().stdout("33:44 3\n");
    daemon.run(&["cp", "pipe:/d/f", &format!("{here}/mine")]).ok();
    assert_eq!(std::fs::metadata(format!("{here}/mine")).expect("copied").uid(), 0);
    daemon.run(&["run", "-d", "--name", "web", "-u", "web", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["cp", "-a", &format!("{here}/mine"), "web:/tmp/x"]).ok();
    daemon.run(&["exec", "web", "stat", "-c", "%u:%g", "/tmp/x"]).ok().stdout("33:33\n");
    daemon.run_with_input(&["cp", "-", "pipe:/back"], b"no archive").status(1);
}

#[test]
fn a_stopped_container_is_copied_to_and_from() {
    let daemon = Daemon::with_images(&["busybox"]);
    let here = daemon.directory.join("bound").display().to_string();
    std::fs::create_dir_all(&here).expect("directory");
    std::fs::write(format!("{here}/f"), "new\n").expect("file");
    let (rw, ro) = (format!("{here}:/b"), format!("{here}:/ro:ro"));
    let create = ["create", "--name", "cc", "-v", &rw, "-v", &ro, "busybox", "cat", "/in", "/b/new"];
    daemon.run(&create).ok();
    let file = format!("{here}/f");
    daemon.run(&["cp", &file, "cc:/in"]).ok();
    daemon.run(&["cp", &file, "cc:/b/new"]).ok();
    daemon.run(&["cp", &file, "cc:/ro/new"]).status(1).stderr_has("mounted volume is marked read-only");
    daemon.run(&["start", "-a", "cc"]).ok().stdout("new\nnew\n");
    assert_eq!(std::fs::read_to_string(format!("{here}/new")).expect("through the bind"), "new\n");
    let out = daemon.directory.join("out").display().to_string();
    daemon.run(&["cp", "cc:/b/f", &out]).ok();
    assert_eq!(std::fs::read_to_string(out).expect("copied"), "new\n");
    daemon.run(&["create", "--name", "fixed", "--read-only", "busybox", "true"]).ok();
    daemon.run(&["cp", &file, "fixed:/x"]).status(1).stderr_has("container rootfs is marked read-only");
}

#[test]
fn links_do_not_lead_out() {
    let daemon = Daemon::with_images(&["busybox"]);
    let outside = daemon.directory.join("canary");
    std::fs::create_dir_all(&outside).expect("directory");
    let script =
        format!("ln -s / /root-link; ln -s ../../../../../..{0} /up; ln -s {0} /abs; sleep 1000", outside.display());
    daemon.run(&["run", "-d", "--name", "ee", "busybox", "sh", "-c", &script]).ok();
    testkit::eventually("links", || daemon.run(&["exec", "ee", "ls", "/abs"]).stderr.contains("/abs: No such file"));
    std::fs::write(daemon.directory.join("evil"), "evil\n").expect("file");
    let evil = daemon.directory.join("evil").display().to_string();
    for place in ["/up/x".to_owned(), "/abs/x".into(), format!("/root-link{}/x", outside.display())] {
        daemon.run(&["cp", &evil, &format!("ee:{place}")]).status(1);
    }
    // an archive that brings its own link
    let mut tar = archive::tar::Writer::new(vec![]);
    let mut link = archive::tar::Entry::new(archive::tar::Kind::Symlink, "gate");
    link.link = outside.display().to_string().into_bytes();
    tar.entry(&link).expect("entry");
    tar.file(&archive::tar::Entry::new(archive::tar::Kind::File, "gate/x"), b"evil").expect("entry");
    daemon.run_with_input(&["cp", "-", "ee:/tmp"], &tar.finish().expect("tar"));
    assert_eq!(std::fs::read_dir(&outside).expect("canary").count(), 0);
    daemon.run(&["cp", "ee:/proc/1/root/etc/passwd", &evil]).status(1);
    // and a container's archive that would write through a link of ours
    let ours = daemon.directory.join("ours");
    std::fs::create_dir_all(&ours).expect("directory");
    symlink(&outside, ours.join("d")).expect("link");
    daemon.run(&["exec", "ee", "sh", "-c", "mkdir /d; echo x >/d/x"]).ok();
    daemon.run(&["cp", "ee:/d", &ours.display().to_string()]).status(1).stderr_has("cannot overwrite non-directory");
    assert_eq!(std::fs::read_dir(&outside).expect("canary").count(), 0);
}

#[test]
fn a_racing_container_gets_nothing_out_of_a_copy() {
    let daemon = Daemon::with_images(&["busybox"]);
    let outside = daemon.directory.join("canary");
    std::fs::create_dir_all(&outside).expect("directory");
    let swap = "mkdir -p /d/x; while :; do mv /d/x /d/y; ln -s $CANARY /d/x; rm /d/x; mv /d/y /d/x; done";
    let canary = format!("CANARY={}", outside.display());
    daemon.run(&["run", "-d", "--name", "rr", "-e", &canary, "busybox", "sh", "-c", swap]).ok();
    std::fs::write(daemon.directory.join("evil"), "evil\n").expect("file");
    let evil = daemon.directory.join("evil").display().to_string();
    for _ in 0..60 {
        daemon.run(&["cp", &evil, "rr:/d/x/evil"]);
        let _ = daemon.command(&["cp", "rr:/d", "-"]).output();
    }
    assert_eq!(std::fs::read_dir(&outside).expect("canary").count(), 0);
}

#[test]
fn changes_are_listed_and_export_has_them() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let script = "echo a >/new; mkdir /dir; echo b >/dir/b; rm /etc/group; chmod 700 /tmp; touch /bin/vi.bak";
    daemon.run(&["run", "--name", "cc", "busybox", "sh", "-c", script]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        let changes = "C /bin\nA /bin/vi.bak\nA /dir\nA /dir/b\nC /etc\nD /etc/group\nA /new\nC /tmp\n";
        daemon.run(&["diff", "cc"]).ok().stdout(changes);
        let file = daemon.directory.join("c.tar").display().to_string();
        daemon.run(&["export", "-o", &file, "cc"]).ok();
        let list = std::process::Command::new("tar").args(["tf", &file]).output().expect("tar").stdout;
        let list = String::from_utf8_lossy(&list).into_owned();
        for (name, there) in [("dir/b\n", true), ("new\n", true), (".dockerenv\n", true), ("etc/group\n", false)] {
            assert_eq!(list.contains(name), there, "{name}");
        }
        daemon.run(&["export", "-o", "/no/such/x", "cc"]).status(1).stderr_has("invalid output path");
        daemon.run(&["diff", "nope"]).status(1).stderr_has("No such container: nope");
    }
    // what is mounted in a running one stays out
    daemon.run(&["run", "-d", "--name", "up", "--tmpfs", "/t", "busybox", "sh", "-c", "echo x >/t/x; sleep 1000"]).ok();
    let tar = daemon.command(&["export", "up"]).output().expect("export").stdout;
    let names = archive_names(&tar);
    assert!(names.contains(&"t/".into()) && names.contains(&"proc/".into()), "{names:?}");
    assert!(!names.iter().any(|n| n == "t/x" || n.starts_with("proc/1")), "{names:?}");
    daemon.run_with_input(&["import", "-", "again:1"], &tar).ok();
    daemon.run(&["run", "--rm", "again:1", "/bin/ls", "/t"]).ok().stdout("");
}

fn archive_names(tar: &[u8]) -> Vec<String> {
    let mut reader = archive::tar::Reader::new(tar);
    let mut names = vec![];
    while let Some(entry) = reader.next_entry().expect("an archive") {
        names.push(String::from_utf8_lossy(&entry.path).into_owned());
    }
    names
}

#[test]
fn owners_are_those_inside_a_user_namespace() {
    let daemon = Daemon::with_flags(&["--userns-remap", "default"]);
    daemon.import("busybox");
    let script = "echo x >/mine; chown 33:33 /mine; sleep 1000";
    daemon.run(&["run", "-d", "--name", "mapped", "busybox", "sh", "-c", script]).ok();
    testkit::eventually("file", || daemon.run(&["exec", "mapped", "stat", "-c", "%u", "/mine"]).stdout == "33\n");
    let tar = daemon.command(&["cp", "mapped:/mine", "-"]).output().expect("cp").stdout;
    let owner = |tar: &[u8]| {
        let mut reader = archive::tar::Reader::new(tar);
        let entry = reader.next_entry().expect("archive").expect("an entry");
        (entry.uid, entry.gid)
    };
    assert_eq!(owner(&tar), (33, 33));
    daemon.run_with_input(&["cp", "-", "mapped:/tmp"], &tar).ok();
    daemon.run(&["exec", "mapped", "stat", "-c", "%u:%g", "/tmp/mine"]).ok().stdout("33:33\n");
    daemon.run(&["stop", "-t", "0", "mapped"]).ok();
    assert_eq!(owner(&daemon.command(&["cp", "mapped:/tmp/mine", "-"]).output().expect("cp").stdout), (33, 33));
    daemon.run_with_input(&["cp", "-", "mapped:/etc"], &tar).ok();
    daemon.run(&["start", "mapped"]).ok();
    daemon.run(&["exec", "mapped", "stat", "-c", "%u:%g", "/etc/mine"]).ok().stdout("33:33\n");
}

/// They are there, or the container is not any more: nothing else.
#[test]
fn archives_beside_a_containers_end() {
    let daemon = Daemon::with_images(&["busybox"]);
    for n in 0..20 {
        let name = format!("short{n}");
        let lasts = format!("0.0{}", n % 10);
        daemon.run(&["run", "-d", "--rm", "--name", &name, "--network", "none", "busybox", "sleep", &lasts]).ok();
        std::thread::scope(|scope| {
            for method in ["HEAD", "GET"] {
                let request = format!(
                    "{method} /containers/{name}/archive?path=/etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                );
                let daemon = &daemon;
                scope.spawn(move || {
                    loop {
                        let reply = daemon.raw(&request);
                        let status = reply.split(' ').nth(1).unwrap_or_default();
                        assert!(["200", "404", "409"].contains(&status), "{reply}");
                        if status == "404" {
                            return;
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn holes_stay_holes_on_the_way() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let make = "truncate -s 100M /hole; echo end >>/hole; exec sleep 1000";
    daemon.run(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", make]).ok();
    testkit::eventually("files", || daemon.run(&["exec", "cc", "tail", "-c", "4", "/hole"]).stdout == "end\n");
    for (n, cli) in clients().into_iter().enumerate() {
        let is_docker = matches!(cli, Cli::Docker(_));
        daemon.set_cli(cli);
        let here = daemon.directory.join(format!("hole{n}"));
        daemon.run(&["cp", "cc:/hole", &here.display().to_string()]).ok();
        let out = std::fs::metadata(&here).expect("it came");
        // Docker's client writes what it gets
        assert!(out.len() == (100 << 20) + 4 && (is_docker || out.blocks() < 1000), "{} {}", out.len(), out.blocks());
        daemon.run(&["cp", &here.display().to_string(), "cc:/back"]).ok();
        let room = daemon.run(&["exec", "cc", "stat", "-c", "%s %b", "/back"]).ok().stdout.clone();
        let blocks = room.trim().strip_prefix("104857604 ").and_then(|blocks| blocks.parse::<u64>().ok());
        assert!(blocks.is_some_and(|blocks| blocks < 1000), "{room}");
        daemon.run(&["exec", "cc", "cmp", "/hole", "/back"]).ok();
    }
    daemon.set_cli(Cli::Lighter);
    daemon.run(&["commit", "cc", "made"]).ok();
    let stored = || {
        let all = std::fs::read_dir(daemon.directory.join("data/images/blobs/sha256")).expect("blobs").flatten();
        let large: Vec<_> = all.filter_map(|blob| blob.metadata().ok()).filter(|blob| blob.len() > 100 << 20).collect();
        assert!(!large.is_empty() && large.iter().all(|blob| blob.blocks() < 20_000), "{large:?}");
    };
    stored();
    // archives are written and read in pieces of any length
    for (command, from, back) in [("save", "made", ["load", "-i"]), ("export", "cc", ["import", ""])] {
        let file = daemon.directory.join(command);
        daemon.run(&[command, "-o", &file.display().to_string(), from]).ok();
        let archive = std::fs::metadata(&file).expect("an archive");
        assert!(archive.len() > 100 << 20 && archive.blocks() < 20_000, "{archive:?}");
        daemon.run(&["rmi", "-f", "made"]).ok();
        let path = file.display().to_string();
        let arguments: Vec<&str> = back.into_iter().chain([path.as_str()]).filter(|word| !word.is_empty()).collect();
        daemon.run(&arguments).ok();
        stored();
        daemon.run(&["commit", "cc", "made"]).ok();
    }
}
