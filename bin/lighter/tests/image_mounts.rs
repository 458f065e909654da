//! Images as mounts (`--mount type=image`): read-only, kept as long as somebody has them.

use testkit::{Daemon, through_both};

/// Of two layers; the upper one hides something of the lower.
fn with_tools() -> Daemon {
    let d = Daemon::with_images(&["busybox"]);
    let script =
        "mkdir -p /opt/t/sub; echo one > /opt/t/sub/f; ln -s /opt/t/sub /opt/abs; ln -s t/sub /opt/rel; rm /etc/group";
    d.run(&["run", "--name", "making", "--network", "none", "busybox", "sh", "-c", script]).ok();
    d.run(&["commit", "making", "tools:1"]).ok();
    d.run(&["rm", "making"]).ok();
    d
}

fn run(d: &Daemon, mount: &str, script: &str) -> testkit::Finished {
    d.run(&["run", "--rm", "--network", "none", "--mount", mount, "busybox", "sh", "-c", script])
}

#[test]
fn its_files_are_there_and_stay_as_they_are() {
    let mut daemon = with_tools();
    through_both(&mut daemon, |d| {
        let is_kept = |entry: &String| !entry.starts_with("snapshots/trash") && !entry.starts_with("snapshots/views");
        let kept = || d.stored().into_iter().filter(is_kept).collect::<Vec<_>>();
        let before = kept();
        let all =
            run(d, "type=image,source=tools:1,target=/t", "cat /t/opt/t/sub/f; ls /t; ls /t/etc/group /t/proc/self");
        all.status(1).stdout_has("one\n").stdout_has("\nopt\n").stderr_has("/t/etc/group").stderr_has("/t/proc/self");
        run(d, "type=image,source=tools:1,target=/t", "touch /t/x").status(1).stderr_has("Read-only file system");
        let part = "type=image,source=tools:1,target=/t,image-subpath=";
        run(d, &format!("{part}opt/t/sub"), "ls -A /t; touch /t/f").status(1).stdout("f\n").stderr_has("Read-only");
        run(d, &format!("{part}opt/rel"), "ls -A /t").ok().stdout("f\n");
        run(d, &format!("{part}opt/t/sub/f"), "cat /t").ok().stdout("one\n");
        run(d, &format!("{part}opt/abs"), "true")
            .status(125)
            .stderr_has("path concatenation escapes the base directory");
        run(d, &format!("{part}nowhere"), "true").status(127).stderr_has("cannot access path tools:1/nowhere");
        run(d, &format!("{part}../x"), "true")
            .status(125)
            .stderr_has("subpath must be a relative path within the volume");
        let missing = run(d, "type=image,source=nowhere,target=/t", "true");
        let missing = missing.status(125).stderr_has("No such image: nowhere:latest");
        assert!(!missing.stderr.contains("Unable to find image"), "{}", missing.stderr);
        run(d, "type=image,target=/t", "true").status(125);
        assert_eq!(kept(), before);
    });
}

#[test]
fn it_is_in_use_and_told_of() {
    let mut daemon = with_tools();
    let id = daemon.run(&["images", "-q", "--no-trunc", "tools:1"]).ok().text().to_owned();
    through_both(&mut daemon, |d| {
        let mount =
            ["--mount", "type=image,src=tools:1,dst=/t", "--mount", "type=image,src=tools:1,dst=/u,image-subpath=opt"];
        d.run(&[&["run", "-d", "--name", "cc"][..], &mount, &["busybox", "sleep", "1000"]].concat()).ok();
        let short = d.run(&["ps", "-q"]).ok().text().to_owned();
        let mounts = d.inspect("cc", "{{json .Mounts}}");
        let point = |place: &str| {
            format!(
                r#"{{"Type":"image","Name":"tools:1","Source":"{id}","Destination":"{place}","Mode":"","RW":false,"Propagation":"rprivate"}}"#
            )
        };
        assert!(mounts.contains(&point("/t")) && mounts.contains(&point("/u")), "{mounts}");
        d.run(&["ps", "--format", "{{.Mounts}}"]).ok().stdout_has("tools:1");
        let refused = d.run(&["rmi", &id]);
        refused
            .status(1)
            .stderr_has("cannot be forced")
            .stderr_has(&format!("image is being used by running container {short}"));
        d.run(&["image", "prune", "-af"]).ok();
        d.run(&["stop", "-t", "0", "cc"]).ok();
        d.run(&["rmi", &id]).status(1).stderr_has(&format!("image is being used by stopped container {short}"));
        // it outlives its name
        d.run(&["tag", "tools:1", "kept:1"]).ok();
        d.run(&["rmi", "tools:1"]).ok();
        d.run(&["start", "cc"]).ok();
        d.run(&["exec", "cc", "cat", "/u/t/sub/f"]).ok().stdout("one\n");
        let from = d.run(&["run", "--rm", "--network", "none", "--volumes-from", "cc", "busybox", "cat", "/u/t/sub/f"]);
        from.ok().stdout("one\n");
        d.run(&["tag", "kept:1", "tools:1"]).ok();
        d.run(&["rmi", "kept:1"]).ok();
        d.run(&["rm", "-f", "cc"]).ok();
    });
}

/// By force it goes, but not from under its container, whatever becomes of the daemon.
#[test]
fn who_has_it_keeps_it() {
    let mut d = with_tools();
    let mount = "type=image,src=tools:1,dst=/t";
    d.run(&["create", "--name", "cc", "--mount", mount, "busybox", "sh", "-c", "cat /t/opt/t/sub/f; sleep 1000"]).ok();
    d.run(&["rmi", "-f", "tools:1"]).ok();
    d.kill();
    d.start_again();
    d.run(&["start", "cc"]).ok();
    d.run(&["exec", "cc", "cat", "/t/opt/t/sub/f"]).ok().stdout("one\n");
    let out = d.directory.join("out");
    d.run(&["cp", "cc:/t/opt/t/sub/f", out.to_str().unwrap()]).ok();
    d.kill();
    d.start_again();
    d.run(&["exec", "cc", "cat", "/t/opt/t/sub/f"]).ok().stdout("one\n");
    d.run(&["restart", "-t", "0", "cc"]).ok();
    d.run(&["logs", "cc"]).ok().stdout("one\none\n");
    d.run(&["stop", "-t", "0", "cc"]).ok();
    d.run(&["cp", "cc:/t/opt/t/sub/f", out.to_str().unwrap()]).ok();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "one\n");
    d.run(&["cp", out.to_str().unwrap(), "cc:/t/new"]).status(1).stderr_has("read-only");
    d.run(&["rm", "cc"]).ok();
    d.run(&["rmi", "busybox"]).ok();
    let layers = |entry: &&String| entry.starts_with("snapshots/roots") || entry.starts_with("containers");
    assert_eq!(d.stored().iter().filter(layers).collect::<Vec<_>>(), [""; 0]);
}

/// What has no image any more is kept for one more container, and no longer than for the last.
#[test]
fn it_is_inherited_after_its_image() {
    let d = with_tools();
    let id = d.run(&["images", "-q", "--no-trunc", "tools:1"]).ok().text().to_owned();
    let archive = d.directory.join("tools.tar");
    d.run(&["save", "-o", archive.to_str().unwrap(), "tools:1"]).ok();
    let layers = || d.stored().iter().filter(|entry| entry.starts_with("snapshots/erofs")).count();
    let before = layers();
    d.run(&["create", "--name", "first", "--mount", "type=image,src=tools:1,dst=/t", "busybox", "true"]).ok();
    for _ in 0..2 {
        d.run(&["rmi", "-f", &id]).ok();
        d.run(&["load", "-i", archive.to_str().unwrap()]).ok();
    }
    d.run(&["rmi", "-f", &id]).ok();
    d.run(&["create", "--name", "second", "--volumes-from", "first", "busybox", "cat", "/t/opt/t/sub/f"]).ok();
    d.run(&["rm", "first"]).ok();
    d.run(&["start", "-a", "second"]).ok().stdout("one\n");
    assert_eq!(layers(), before);
    d.run(&["rm", "second"]).ok();
    assert_eq!(layers(), before - 1, "busybox is below it and stays");
}

/// Layers of both forms below one image.
#[test]
fn of_directories_on_an_erofs() {
    let mut d = Daemon::with_images(&["busybox"]);
    d.stop();
    d.set_flags(&["--storage-driver=overlay"]);
    d.start_again();
    let script = "mkdir /top; echo one > /top/f";
    d.run(&["run", "--name", "making", "--network", "none", "busybox", "sh", "-c", script]).ok();
    d.run(&["commit", "making", "mixed:1"]).ok();
    d.run(&["rm", "making"]).ok();
    for flags in [&["--storage-driver=overlay"][..], &["--userns-remap=default"]] {
        d.stop();
        d.set_flags(flags);
        d.start_again();
        run(&d, "type=image,src=mixed:1,dst=/t", "cat /t/top/f; grep -c root /t/etc/passwd").ok().stdout("one\n1\n");
        run(&d, "type=image,src=mixed:1,dst=/t,image-subpath=top", "cat /t/f; stat -c %u /t/f").ok().stdout("one\n0\n");
    }
}

#[test]
fn statuses_of_what_is_refused() {
    let d = with_tools();
    d.run(&["volume", "create", "data"]).ok();
    std::os::unix::fs::symlink("/etc", d.directory.join("data/volumes/data/_data/out")).unwrap();
    let create = |kind: &str, source: &str, part: &str| {
        let options = if kind == "volume" { "VolumeOptions" } else { "ImageOptions" };
        let mount =
            format!(r#"{{"Type":"{kind}","Source":"{source}","Target":"/t","{options}":{{"Subpath":"{part}"}}}}"#);
        let body = format!(r#"{{"Image":"busybox","Cmd":["true"],"HostConfig":{{"Mounts":[{mount}]}}}}"#);
        post(&d, "containers/create?name=cc", &body)
    };
    for (kind, source, part, status, words) in [
        ("image", "tools:1", "nope/x", "404", "cannot access path tools:1/nope/x: lstat tools:1/nope: no such file"),
        ("image", "tools:1", "opt/abs", "400", "escapes the base directory, base: tools:1, subpath: opt/abs"),
        ("volume", "data", "nope", "404", "/_data/nope: no such file or directory"),
    ] {
        assert!(create(kind, source, part).starts_with("HTTP/1.1 201"), "{part}");
        let answer = post(&d, "containers/cc/start", "");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(words), "{part}: {answer}");
        assert_eq!(d.inspect("cc", "{{.State.ExitCode}}"), "128");
        d.run(&["rm", "cc"]).ok();
    }
    let answer = create("volume", "data", "out");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("escapes the base directory"), "{answer}");
    let answer = create("image", "nowhere", "");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("No such image: nowhere:latest"), "{answer}");
    assert_eq!(d.run(&["ps", "-aq"]).ok().text(), "");
}

fn post(d: &Daemon, path: &str, body: &str) -> String {
    let head = "Host: x\r\nConnection: close\r\nContent-Type: application/json";
    d.raw(&format!("POST /v1.48/{path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// By another runtime's program, with other ids inside than outside, with each driver; and nobody changes the image, not
/// even who may mount.
#[test]
fn in_every_kind_of_container() {
    for (flags, options) in [
        (&["--add-runtime=other=/usr/sbin/runc"][..], &["--runtime=other"][..]),
        (&["--userns-remap=default"], &[]),
        (&["--storage-driver=native"], &[]),
        (&["--storage-driver=native", "--userns-remap=default"], &[]),
        (&["--storage-driver=overlay"], &[]),
        (&["--storage-driver=overlay", "--userns-remap=default"], &[]),
    ] {
        let d = Daemon::with_flags(flags);
        d.import("busybox");
        let script = "echo one > /f; chmod 600 /f; echo all > /g; chmod 700 /";
        d.run(&["run", "--name", "making", "--network", "none", "busybox", "sh", "-c", script]).ok();
        d.run(&["commit", "making", "tools:1"]).ok();
        d.run(&["rm", "making"]).ok();
        let whole = ["--mount", "type=image,src=tools:1,dst=/t"];
        let mounts = [whole[0], whole[1], "--mount", "type=image,src=tools:1,dst=/g,image-subpath=f"];
        let part = ["--mount", "type=volume,src=data,dst=/v,volume-subpath=a"];
        d.run(&["run", "--rm", "--network", "none", "-v", "data:/v", "busybox", "mkdir", "/v/a"]).ok();
        let script = "cat /t/f /g; stat -c %u /t/f; echo two > /v/f; cat /v/f; touch /t/x";
        let command = ["busybox", "sh", "-c", script];
        let run = d.run(&[&["run", "--rm", "--network", "none"], options, &mounts, &part, &command].concat());
        run.status(1).stdout("one\none\n0\ntwo\n").stderr_has("Read-only file system");
        let user = [&["run", "--rm", "--network", "none", "-u", "1000"], options, &whole, &["busybox", "cat", "/t/g"]];
        d.run(&user.concat()).ok().stdout("all\n");
        let script = "mount -o remount,rw,bind /t; echo changed > /t/g";
        let host = ["--privileged", "--userns=host"];
        let run = d.run(&[&["run", "--rm"][..], &host, options, &whole, &["busybox", "sh", "-c", script]].concat());
        // a copy of its own it may change, a layer not
        match flags.contains(&"--storage-driver=native") {
            true => drop(run.ok()),
            false => drop(run.status(1).stderr_has("Read-only file system")),
        }
        d.run(&[&["run", "--rm"][..], options, &whole, &["busybox", "cat", "/t/g"]].concat()).ok().stdout("all\n");
        d.run(&["run", "--rm", "tools:1", "cat", "/g"]).ok().stdout("all\n");
    }
}

/// Many containers that read the same files have them in memory once, and none can change the mount of another.
#[test]
fn it_is_in_memory_once() {
    let d = Daemon::with_images(&["busybox"]);
    let script = "dd if=/dev/urandom of=/big bs=1M count=16 2>/dev/null";
    d.run(&["run", "--name", "making", "--network", "none", "busybox", "sh", "-c", script]).ok();
    d.run(&["commit", "making", "tools:1"]).ok();
    d.run(&["rm", "making"]).ok();
    let mount = ["--network", "none", "--mount", "type=image,src=tools:1,dst=/t"];
    for name in ["one", "two"] {
        d.run(&[&["run", "-d", "--name", name][..], &mount, &["busybox", "sleep", "1000"]].concat()).ok();
    }
    let cached = |name: &str| {
        let script =
            "cat /t/big >/dev/null; cat /sys/fs/cgroup/memory/memory.stat /sys/fs/cgroup/memory.stat 2>/dev/null";
        let stat = d.run(&["exec", name, "sh", "-c", script]).stdout.clone();
        let line = stat.lines().find_map(|line| line.strip_prefix("cache ").or(line.strip_prefix("file ")));
        line.unwrap().parse::<u64>().unwrap() >> 20
    };
    cached("one");
    assert!(cached("two") < 8, "the other one has read it");
    let options = |name: &str| d.run(&["exec", name, "grep", " /t ", "/proc/mounts"]).ok().text().to_owned();
    let before = options("two");
    let remount = [&["run", "--rm", "--privileged"][..], &mount, &["busybox", "mount", "-o", "remount,noacl", "/t"]];
    d.run(&remount.concat());
    assert_eq!(options("two"), before);
}

/// Each has a descriptor on its way to the shim.
#[test]
fn there_may_be_many() {
    let d = with_tools();
    let mounts = |count: usize| {
        let mount = |i: usize| format!("--mount=type=image,src=tools:1,dst=/m{i},image-subpath=opt/t/sub");
        (0..count).map(mount).collect::<Vec<_>>()
    };
    let run = |count: usize| {
        let mounts = mounts(count);
        let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
        d.run(
            &[&["run", "--rm", "--network", "none"][..], &mounts, &["busybox", "sh", "-c", "cat /m*/f | wc -l"]]
                .concat(),
        )
    };
    run(60).ok().stdout("60\n");
    run(121).status(125).stderr_has("a container can have at most 120 images mounted");
    let attach = "POST /v1.48/containers/waiting/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n";
    d.run(&["create", "--name", "waiting", "busybox", "echo", "here"]).ok();
    let clients: Vec<_> = (0..40)
        .map(|_| {
            use std::io::Write;
            let mut stream = std::os::unix::net::UnixStream::connect(d.socket()).unwrap();
            stream.write_all(attach.as_bytes()).unwrap();
            stream
        })
        .collect();
    for stream in &clients {
        use std::io::Read;
        let mut head = [0; 12];
        (&*stream).read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
    }
    d.run(&["start", "waiting"]).ok();
    for mut stream in clients {
        use std::io::Read;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(String::from_utf8_lossy(&rest).contains("here"));
    }
}

/// An index that a disk has changed is found, and made again.
#[test]
fn a_damaged_index_is_found() {
    let mut d = with_tools();
    run(&d, "type=image,src=tools:1,dst=/t", "true").ok();
    d.stop();
    let layers = d.directory.join("data/snapshots/erofs");
    let views = std::fs::read_dir(layers).unwrap().map(|layer| layer.unwrap().path().join("view"));
    let view = views.filter(|view| view.exists()).collect::<Vec<_>>();
    assert_eq!(view.len(), 1);
    let mut bytes = std::fs::read(&view[0]).unwrap();
    let place = bytes.windows(6).position(|name| name == b"passwd").unwrap();
    bytes[place + 1] = b'X';
    std::fs::write(&view[0], bytes).unwrap();
    d.start_again();
    d.run(&["system", "verify"]).status(1).stdout_has("the index of its view");
    d.run(&["system", "verify", "--repair"]).ok();
    d.run(&["system", "verify"]).ok();
    run(&d, "type=image,src=tools:1,dst=/t", "grep -c root /t/etc/passwd").ok().stdout("1\n");
}
