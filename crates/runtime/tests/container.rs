//! Containers on the real kernel.

mod support;

use oci::runtime::{Mount, NamespaceKind, Rlimit};
use runtime::{Fds, StartErrorKind, Stdio};
use support::{Live, Scratch, pipes, read_all, run, sh, wait};

fn mount(destination: &str, kind: &str, source: &str, options: &str) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: options.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect(),
        ..Mount::default()
    }
}

#[test]
fn a_program_runs_as_pid_1_with_its_own_names() {
    assert_eq!(sh("echo $$; hostname; pwd; echo $A $HOME; echo end >&1"), "1\nbox\n/\n1 /root\nend\n");
    assert_eq!(sh("readlink /proc/self; true").trim(), "2");
}

#[test]
fn exit_codes() {
    for (script, expected) in [("exit 0", 0), ("exit 3", 3), ("exit 255", 255)] {
        let scratch = Scratch::new();
        assert_eq!(run(&scratch.launch(&["sh", "-c", script])).unwrap().0, expected, "{script}");
    }
}

#[test]
fn programs_that_do_not_start() {
    for (args, kind, message) in [
        (&["nothere"][..], StartErrorKind::NotFound, "exec: \"nothere\": executable file not found in $PATH"),
        (&["/nothere"], StartErrorKind::NotFound, "exec: \"/nothere\": stat /nothere: no such file or directory"),
        (&["/etc"], StartErrorKind::NotExecutable, "exec: \"/etc\": is a directory: permission denied"),
        (&["/etc/passwd"], StartErrorKind::NotExecutable, "exec: \"/etc/passwd\": permission denied"),
        (
            &["/etc/passwd/x"],
            StartErrorKind::NotExecutable,
            "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory",
        ),
    ] {
        let scratch = Scratch::new();
        let error = run(&scratch.launch(args)).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message));
        assert!(cgroup::Cgroup::open(&format!("/lighter-test-{}/c", scratch.id)).is_err(), "a cgroup was left");
    }
}

#[test]
fn a_wrong_format_is_told_on_standard_error() {
    let scratch = Scratch::new();
    support::write(&scratch.image().join("bin/bad"), "not a program");
    let bad = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(scratch.image().join("bin/bad"), bad).unwrap();
    let (status, _, err) = run(&scratch.launch(&["bad"])).unwrap();
    assert_eq!((status, err.as_str()), (255, "exec /bin/bad: exec format error\n"));
}

#[test]
fn working_directories() {
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["pwd"]);
    launch.spec.process.as_mut().unwrap().cwd = "/new/dir".to_owned();
    assert_eq!(run(&launch).unwrap().1, "/new/dir\n");
    launch.spec.process.as_mut().unwrap().cwd = "/etc/passwd".to_owned();
    let message = run(&launch).unwrap_err().message;
    assert_eq!(message, "chdir to cwd (\"/etc/passwd\") set in config.json failed: not a directory");
}

#[test]
fn everything_docker_mounts_is_there() {
    let out = sh("mount");
    for line in [
        "proc on /proc type proc (rw,nosuid,nodev,noexec,relatime)",
        "tmpfs on /dev type tmpfs (rw,nosuid,size=65536k,mode=755)",
        "devpts on /dev/pts type devpts (rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666)",
        "sysfs on /sys type sysfs (ro,nosuid,nodev,noexec,relatime)",
        "mqueue on /dev/mqueue type mqueue (rw,nosuid,nodev,noexec,relatime)",
        "shm on /dev/shm type tmpfs (rw,nosuid,nodev,noexec,relatime,size=65536k)",
        "proc on /proc/sys type proc (ro,nosuid,nodev,noexec,relatime)",
    ] {
        assert!(out.lines().any(|found| found == line), "{line}\nnot in\n{out}");
    }
    assert!(out.lines().next().unwrap().starts_with("overlay on / type overlay (rw,relatime,"), "{out}");
    assert!(!out.contains("/sys/fs/cgroup ") || out.contains("/sys/fs/cgroup type"), "{out}");
}

#[test]
fn devices_and_links() {
    assert_eq!(
        sh(
            "cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty; readlink fd; readlink stdin; readlink ptmx; \
            head -c 4 zero | wc -c; echo x > null; echo ok > /dev/stdout; ls"
        ),
        "null character special file 1:3 666\nzero character special file 1:5 666\n\
         full character special file 1:7 666\nrandom character special file 1:8 666\n\
         urandom character special file 1:9 666\ntty character special file 5:0 666\n\
         /proc/self/fd\n/proc/self/fd/0\npts/ptmx\n4\nok\n\
         core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"
            .replace("core\n", if std::path::Path::new("/proc/kcore").exists() { "core\n" } else { "" })
    );
}

#[test]
fn masked_and_read_only_paths() {
    assert_eq!(
        sh(
            "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l; exec 2>/dev/null; \
            echo 1 > /proc/sys/kernel/panic || echo refused; echo 1 > /sys/kernel/x || echo refused; \
            touch /sys/firmware/x || echo refused; mkdir /sys/fs/cgroup/memory/x || echo refused"
        ),
        "0\n0\nrefused\nrefused\nrefused\nrefused\n"
    );
}

#[test]
fn mounts_leave_nothing_on_the_host() {
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    sh("true");
    let after = std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    assert_eq!(before, after);
}

#[test]
fn control_groups_look_like_the_root() {
    let out = sh("cat /proc/self/cgroup; ls -d /sys/fs/cgroup/*");
    for line in out.lines().filter(|line| line.contains(':') && !line.contains("=") && !line.starts_with("0:")) {
        assert!(line.ends_with(":/"), "{line} in\n{out}");
    }
    assert!(out.contains("/sys/fs/cgroup/"), "{out}");
}

#[test]
fn capabilities_are_dockers() {
    let out = sh("grep Cap /proc/self/status");
    let bits = "00000000a80425fb";
    assert_eq!(
        out,
        format!(
            "CapInh:\t0000000000000000\nCapPrm:\t{bits}\nCapEff:\t{bits}\nCapBnd:\t{bits}\nCapAmb:\t0000000000000000\n"
        )
    );
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["sh", "-c", "grep Cap /proc/self/status; id"]);
    launch.user = Some("app".to_owned());
    let none = "0000000000000000";
    assert_eq!(
        run(&launch).unwrap().1,
        format!(
            "CapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapBnd:\t{bits}\nCapAmb:\t{none}\n\
             uid=1000(app) gid=1001 groups=10(wheel),1001\n"
        )
    );
}

#[test]
fn users() {
    for (user, groups, expected) in [
        ("", &[][..], "uid=0(root) gid=0(root) groups=0(root),10(wheel)\n/root\n"),
        ("app", &["video"], "uid=1000(app) gid=1001 groups=10(wheel),44(video),1001\n/home/app\n"),
        ("5:6", &["7"], "uid=5 gid=6 groups=6,7\n/\n"),
    ] {
        let scratch = Scratch::new();
        let mut launch = scratch.launch(&["sh", "-c", "id; echo $HOME"]);
        launch.user = Some(user.to_owned());
        launch.additional_groups = groups.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(run(&launch).unwrap().1, expected, "{user}");
    }
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["id"]);
    launch.user = Some("nobody".to_owned());
    assert_eq!(run(&launch).unwrap_err().message, "unable to find user nobody: no matching entries in passwd file");
}

#[test]
fn a_hostile_passwd_file_keeps_nobody_waiting() {
    let scratch = Scratch::new();
    let passwd = scratch.image().join("etc/passwd");
    std::fs::remove_file(&passwd).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &passwd,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    assert!(run(&scratch.launch(&["true"])).unwrap_err().message.contains("not a regular file"));
    std::fs::remove_file(&passwd).unwrap();
    std::os::unix::fs::symlink("/../../../../../etc/passwd", &passwd).unwrap();
    // In its own root the link leads to itself.
    assert!(run(&scratch.launch(&["true"])).unwrap_err().message.contains("too many levels"));
}

#[test]
fn seccomp_refuses() {
    let scratch = Scratch::new();
    let (status, _, err) = run(&scratch.launch(&["unshare", "-U", "true"])).unwrap();
    assert_eq!((status, err.contains("Operation not permitted")), (1, true), "{err}");
    assert_eq!(
        sh("grep Seccomp: /proc/self/status; grep NoNewPrivs /proc/self/status"),
        "Seccomp:\t2\nNoNewPrivs:\t0\n"
    );
    let mut launch = scratch.launch(&["sh", "-c", "grep NoNewPrivs /proc/self/status"]);
    launch.spec.process.as_mut().unwrap().no_new_privileges = true;
    assert_eq!(run(&launch).unwrap().1, "NoNewPrivs:\t1\n");
}

#[test]
fn only_three_descriptors_reach_the_program() {
    let out = sh("ls /proc/1/fd; true");
    // busybox' shell keeps a copy of its own script's input at 10.
    assert!(out == "0\n1\n2\n" || out == "0\n1\n10\n2\n", "{out}");
}

#[test]
fn a_read_only_root() {
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["sh", "-c", "touch /x; touch /tmp/y; touch /dev/shm/z && echo fine"]);
    launch.spec.root.as_mut().unwrap().readonly = true;
    launch.spec.mounts.push(mount("/tmp", "tmpfs", "tmpfs", "noexec,nosuid,nodev"));
    let (_, out, err) = run(&launch).unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("fine\n", "touch: /x: Read-only file system\n"));
}

#[test]
fn binds_and_tmpfs() {
    let scratch = Scratch::new();
    let host = scratch.path.join("host");
    std::fs::create_dir_all(host.join("deep")).unwrap();
    support::write(&host.join("file"), "text\n");
    let mut launch = scratch.launch(&[
        "sh",
        "-c",
        "cat /mnt/file /etc/one; touch /mnt/new; touch /ro/no; stat -c '%a %F' /tmp /fresh; ls /ro",
    ]);
    let host = host.to_str().unwrap();
    std::fs::set_permissions(scratch.image().join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    launch.spec.mounts.extend([
        mount("/mnt", "bind", host, "rbind,rprivate"),
        mount("/etc/one", "bind", &format!("{host}/file"), "rbind,ro,rprivate"),
        mount("/ro", "bind", host, "rbind,ro,rro"),
        mount("/tmp", "tmpfs", "tmpfs", ""),
        mount("/fresh", "tmpfs", "tmpfs", "size=1m"),
    ]);
    let (_, out, err) = run(&launch).unwrap();
    assert_eq!(out, "text\ntext\n700 directory\n1777 directory\ndeep\nfile\nnew\n");
    assert_eq!(err, "touch: /ro/no: Read-only file system\n");
    assert!(std::path::Path::new(host).join("new").exists());
    launch.spec.mounts.push(mount("/x", "bind", "/not/here", "rbind"));
    let message = run(&launch).unwrap_err().message;
    assert_eq!(message, "error mounting \"/not/here\" to rootfs at \"/x\": stat /not/here: no such file or directory");
    let file = format!("{host}/file");
    for (target, source) in [("/etc/passwd", host), ("/etc", &file), ("/etc/passwd/x", host)] {
        launch.spec.mounts.pop();
        launch.spec.mounts.push(mount(target, "bind", source, "rbind"));
        let why = "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";
        let expected = format!("error mounting {source:?} to rootfs at {target:?}: {why}");
        assert_eq!(run(&launch).unwrap_err().message, expected);
    }
}

#[test]
fn mounts_stay_in_the_root_whatever_the_image_links() {
    let scratch = Scratch::new();
    let host = scratch.path.join("host");
    std::fs::create_dir_all(&host).unwrap();
    support::write(&host.join("mark"), "here\n");
    let image = scratch.image();
    std::os::unix::fs::symlink("/../../../../outside/deep", image.join("escape")).unwrap();
    std::os::unix::fs::symlink("../run/dangling", image.join("etc/resolv.conf")).unwrap();
    let mut launch = scratch.launch(&["sh", "-c", "cat /outside/deep/mark /run/dangling"]);
    let host = host.to_str().unwrap();
    launch.spec.mounts.extend([
        mount("/escape", "bind", host, "rbind"),
        mount("/etc/resolv.conf", "bind", &format!("{host}/mark"), "rbind"),
    ]);
    assert_eq!(run(&launch).unwrap().1, "here\nhere\n");
    assert!(!std::path::Path::new("/outside").exists());
    // Not over /proc, by no way.
    std::os::unix::fs::symlink("/proc/self/attr", image.join("sly")).unwrap();
    for target in ["/proc/self", "/sly"] {
        let mut launch = scratch.launch(&["true"]);
        launch.spec.mounts.push(mount(target, "bind", host, "rbind"));
        let message = run(&launch).unwrap_err().message;
        assert!(message.contains("operation not permitted"), "{message}");
    }
    // /proc itself must be a directory, not a link.
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["true"]);
    std::os::unix::fs::symlink("/tmp", scratch.image().join("proc")).unwrap();
    launch.spec.mounts.truncate(1);
    assert!(run(&launch).unwrap_err().message.contains("error mounting \"proc\" to rootfs at \"/proc\""));
}

#[test]
fn sysctls_limits_and_oom_score() {
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&[
        "sh",
        "-c",
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax; ulimit -n; umask; cat /proc/self/oom_score_adj",
    ]);
    let linux = launch.spec.linux.as_mut().unwrap();
    for (key, value) in [("net.ipv4.ip_unprivileged_port_start", "7"), ("kernel.msgmax", "9000")] {
        linux.sysctl.insert(key.to_owned(), value.to_owned());
    }
    let process = launch.spec.process.as_mut().unwrap();
    process.rlimits = vec![Rlimit { kind: "RLIMIT_NOFILE".to_owned(), soft: 100, hard: 200 }];
    process.oom_score_adj = Some(500);
    process.user.umask = Some(0o77);
    assert_eq!(run(&launch).unwrap().1, "7\n9000\n100\n0077\n500\n");
    launch.spec.linux.as_mut().unwrap().sysctl.insert("vm.swappiness".to_owned(), "1".to_owned());
    let message = run(&launch).unwrap_err().message;
    assert_eq!(message, "sysctl \"vm.swappiness\" is not in a separate kernel namespace");
}

#[test]
fn a_terminal_of_its_own() {
    let scratch = Scratch::new();
    let launch = scratch.launch(&[
        "sh",
        "-c",
        "tty; stty size; echo hi > /dev/tty; ls -1 /dev/pts; stat -c %F /dev/console; id -u",
    ]);
    let fds = Fds::from(Stdio::Terminal { rows: 33, cols: 99 });
    let mut running = runtime::create(&launch, fds).unwrap().start().unwrap();
    let out = read_all(running.console.take().unwrap());
    assert_eq!(wait(&running.pidfd), 0);
    running.cgroup.remove().unwrap();
    assert_eq!(out, "/dev/pts/0\r\n33 99\r\nhi\r\n0\r\nptmx\r\ncharacter special file\r\n0\r\n");
}

#[test]
fn execs_join_everything() {
    let live = Live::new(|_| {});
    let (status, out, err) = live
        .exec(|_| {}, &["sh", "-c", "hostname; readlink /proc/1/ns/net; readlink /proc/self/ns/net; exit 7"])
        .unwrap();
    let nets: Vec<&str> = out.lines().skip(1).collect();
    assert_eq!((status, err.as_str(), out.lines().next()), (7, "", Some("box")));
    assert_eq!(nets[0], nets[1]);
    let (_, out, _) = live.exec(|_| {}, &["cat", "/proc/self/cgroup"]).unwrap();
    assert!(out.lines().filter(|line| line.contains(":pids:")).all(|line| line.ends_with(":/")), "{out}");
    let (_, out, _) = live.exec(|exec| exec.user = Some("app".to_owned()), &["id", "-u"]).unwrap();
    assert_eq!(out, "1000\n");
    let (_, out, _) = live.exec(|_| {}, &["ps", "-o", "pid,comm"]).unwrap();
    assert!(out.contains("    1 sleep"), "{out}");
    let error = live.exec(|_| {}, &["nothere"]).unwrap_err();
    assert_eq!(error.message, "exec: \"nothere\": executable file not found in $PATH");
    let error = live.exec(|exec| exec.process.cwd = "/nowhere".to_owned(), &["true"]).unwrap_err();
    assert_eq!(error.message, "chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory");
}

#[test]
fn execs_have_terminals() {
    let live = Live::new(|_| {});
    let started = live.start(|_| {}, &["sh", "-c", "tty; stty size"], Stdio::Terminal { rows: 5, cols: 6 }).unwrap();
    assert_eq!(read_all(started.console.unwrap()), "/dev/pts/0\r\n5 6\r\n");
    assert_eq!(wait(&started.pidfd), 0);
}

#[test]
fn an_exec_after_the_end_is_refused() {
    let live = Live::new(|_| {});
    rustix::process::pidfd_send_signal(&live.running.pidfd, rustix::process::Signal::KILL).unwrap();
    wait(&live.running.pidfd);
    assert!(live.exec(|_| {}, &["true"]).is_err());
}

#[test]
fn working_directories_do_not_escape_by_descriptors() {
    let live = Live::new(|_| {});
    for number in 3..20 {
        let cwd = format!("/proc/self/fd/{number}");
        // The container's own root may be among them.
        if let Ok((_, out, _)) =
            live.exec(|exec| exec.process.cwd = cwd, &["sh", "-c", "ls -d work ../work ../../../work"])
        {
            assert_eq!(out, "", "{number}");
        }
    }
}

#[test]
fn others_namespaces_are_shared() {
    let live = Live::new(|_| {});
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["sh", "-c", "ps -o pid,comm; hostname"]);
    let pid = live.running.pid;
    launch.spec.hostname = String::new();
    for namespace in &mut launch.spec.linux.as_mut().unwrap().namespaces {
        let name = match namespace.kind {
            NamespaceKind::Pid => "pid",
            NamespaceKind::Network => "net",
            NamespaceKind::Uts => "uts",
            NamespaceKind::Ipc => "ipc",
            _ => continue,
        };
        namespace.path = format!("/proc/{pid}/ns/{name}");
    }
    let (status, out, err) = run(&launch).unwrap();
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("    1 sleep") && out.ends_with("box\n"), "{out}");
}

#[test]
fn a_ready_network_namespace_is_joined() {
    let live = Live::new(|_| {});
    let path = format!("/proc/{}/ns/net", live.running.pid);
    let netns = std::fs::File::open(&path).unwrap();
    let scratch = Scratch::new();
    let (stdio, streams) = pipes();
    let launch = scratch.launch(&["readlink", "/proc/self/ns/net"]);
    let running = runtime::create(&launch, Fds { netns: Some(netns.into()), ..stdio.into() }).unwrap().start().unwrap();
    assert_eq!(read_all(streams.stdout).trim(), std::fs::read_link(path).unwrap().to_str().unwrap());
    wait(&running.pidfd);
    running.cgroup.remove().unwrap();
}

#[test]
fn init_reaps_and_forwards() {
    let scratch = Scratch::new();
    let mut launch =
        scratch.launch(&["sh", "-c", "(sleep 0.05 &) ; sleep 0.2; ps -o pid,comm; cat /proc/1/comm; exit 9"]);
    launch.init = true;
    let (status, out, err) = run(&launch).unwrap();
    assert_eq!((status, err.as_str()), (9, ""), "{out}");
    assert!(out.contains("    1 docker-init") && !out.contains("Z"), "{out}");
    let mut launch = scratch.launch(&["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"]);
    launch.init = true;
    let (stdio, streams) = pipes();
    let running = runtime::create(&launch, stdio.into()).unwrap().start().unwrap();
    let mut ready = [0u8; 6];
    rustix::io::read(&streams.stdout, &mut ready).unwrap();
    rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::TERM).unwrap();
    assert_eq!(wait(&running.pidfd), 5);
    running.cgroup.remove().unwrap();
}

#[test]
fn a_created_container_that_is_dropped_ends() {
    let scratch = Scratch::new();
    let (stdio, streams) = pipes();
    let created = runtime::create(&scratch.launch(&["sh", "-c", "echo never"]), stdio.into()).unwrap();
    let pid = created.pid();
    drop(created);
    assert_eq!(read_all(streams.stdout), "");
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(cgroup::Cgroup::open(&format!("/lighter-test-{}/c", scratch.id)).is_err());
}

#[test]
fn killing_everything() {
    let live = Live::new(|launch| {
        launch.spec.process.as_mut().unwrap().args =
            ["sh", "-c", "while :; do sleep 1000; done"].map(str::to_owned).into();
    });
    let started = live.start(|_| {}, &["sleep", "1000"], pipes().0).unwrap();
    assert!(live.running.cgroup.pids().unwrap().len() >= 2);
    live.running.cgroup.kill_all().unwrap();
    assert_eq!(wait(&started.pidfd), 137);
    wait(&live.running.pidfd);
    live.running.cgroup.remove().unwrap();
}

#[test]
fn what_is_not_supported_is_said() {
    let scratch = Scratch::new();
    let mut launch = scratch.launch(&["true"]);
    launch.spec.linux.as_mut().unwrap().mount_label = "x".to_owned();
    assert!(run(&launch).unwrap_err().message.contains("not supported"));
    let mut launch = scratch.launch(&["true"]);
    launch.spec.mounts.push(mount("/x", "tmpfs", "tmpfs", "dest-nofollow"));
    assert!(run(&launch).unwrap_err().message.contains("not supported"));
}
