//! The seed's commands for running and controlling containers (spec/seed-commands.md §1), as people type them, by both clients.
//! Rows with scenarios of their own: exec, health, lifecycle, limits, mounts, run, streams.

use testkit::{Daemon, through_both};

#[test]
fn running_it() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "--name", "first", "busybox"]).ok().stdout("");
        assert!(daemon.run(&["ps", "-a"]).ok().stdout.contains("Exited (0)"));
        daemon.run(&["run", "--rm", "busybox", "echo", "Hello-World!"]).ok().stdout("Hello-World!\n");
        daemon
            .run_with_input(&["run", "--rm", "-i", "busybox", "sh", "-c", "read n; echo hello $n"], b"Ann\n")
            .ok()
            .stdout("hello Ann\n");
        daemon.run(&["run", "--rm", "busybox", "sh", "-c", "read n; echo hello $n"]).ok().stdout("hello\n");
        let id = daemon
            .run(&["run", "-d", "--name", "web", "--hostname", "web", "busybox", "sleep", "1000"])
            .ok()
            .text()
            .to_owned();
        assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        daemon.run(&["exec", "web", "hostname"]).ok().stdout("web\n");
        daemon
            .run(&["run", "--name", "web", "busybox", "true"])
            .status(125)
            .stderr_has("The container name \"/web\" is already in use");
        daemon.run(&["rm", "-f", "first", "web"]).ok().stdout("first\nweb\n");
    });
}

#[test]
fn names_and_ids() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let ids: Vec<String> =
            (0..5).map(|_| daemon.run(&["create", "busybox", "sleep", "9"]).ok().text().to_owned()).collect();
        let names = daemon.run(&["ps", "-a", "--format", "{{.Names}}"]).ok();
        let mut seen: Vec<&str> = names.stdout.lines().collect();
        assert!(
            seen.iter()
                .all(|name| name.split('_').count() == 2 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')),
            "{seen:?}"
        );
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 5);
        let head = daemon.run(&["ps", "-a"]).ok();
        let words: Vec<&str> =
            head.stdout.lines().next().unwrap().split("  ").filter(|word| !word.is_empty()).map(str::trim).collect();
        assert_eq!(words, ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
        daemon.run(&["start", &ids[0]]).ok().stdout(&format!("{}\n", ids[0]));
        let short = daemon.run(&["ps", "-q"]).ok().text().to_owned();
        assert_eq!((short.len(), ids[0].starts_with(&short)), (12, true));
        let all = daemon.run(&["ps", "-a", "-q"]).ok().stdout.clone();
        let all: Vec<&str> = all.split_whitespace().collect();
        daemon.run(&[&["stop", "-t", "0"], &all[..]].concat()).ok();
        assert_eq!(daemon.run(&[&["rm"], &all[..]].concat()).ok().stdout.lines().count(), 5);
    });
}

#[test]
fn its_own_world() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        let script = "echo $$; ps | grep -c '[l]ighter'; uname -r; id -u; hostname; echo $APP_COLOR";
        let got = daemon.run(&["run", "--name", "box", "-e", "APP_COLOR=orange", "busybox", "sh", "-c", script]).ok();
        let id = daemon.inspect("box", "{{.Id}}");
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        assert_eq!(got.stdout, format!("1\n0\n{kernel}\n0\n{}\norange\n", &id[..12]));
        assert!(daemon.inspect("box", "{{.Config.Env}}").contains("APP_COLOR=orange"));
        assert_eq!(daemon.inspect("box", "{{.Path}} {{.NetworkSettings.IPAddress}}"), "sh");
        daemon.run(&["rm", "box"]).ok();
    });
}

#[test]
fn seen_from_the_host() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 1234 & exec sleep 4321"]).ok();
        let pid = daemon.inspect("box", "{{.State.Pid}}");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.lines().any(|line| line == format!("NSpid:\t{pid}\t1")), "{status}");
        assert!(daemon.run(&["top", "box"]).ok().stdout.contains("sleep 1234"));
        daemon.run(&["kill", "box"]).ok();
        daemon.run(&["wait", "box"]).ok().stdout("137\n");
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        daemon.run(&["rm", "box"]).ok();
    });
}

#[test]
fn kept_and_run_again() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "--name", "box", "busybox", "sh", "-c", "date >> /runs; wc -l < /runs"]).ok().stdout("1\n");
        daemon.run(&["restart", "box"]).ok().stdout("box\n");
        daemon.run(&["wait", "box"]).ok().stdout("0\n");
        daemon.run(&["start", "-a", "box"]).ok().stdout("3\n");
        daemon.run(&["logs", "box"]).ok().stdout("1\n2\n3\n");
        daemon.run(&["logs", "--tail", "1", "box"]).ok().stdout("3\n");
        assert!(daemon.run(&["diff", "box"]).ok().stdout.contains("A /runs"));
        daemon.run(&["exec", "box", "true"]).status(1).stderr_has("is not running");
        daemon.run(&["rm", "box"]).ok();
    });
}

#[test]
fn what_people_copy_from_the_web() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["run", "\u{2013}name", "web", "busybox"]).status(125).stderr_has("invalid reference format");
        daemon.run(&["run", "-a", "box"]).status(125).stderr_has("valid streams are STDIN, STDOUT and STDERR");
        daemon.run(&["run", "--rm", "--entrypoint", "sleep2.0", "busybox", "5"]).status(127);
        daemon.run(&["run", "--rm", "--entrypoint", "echo", "busybox", "5"]).ok().stdout("5\n");
        daemon.run(&["run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net"]).ok().stdout("lo\n");
        let host = daemon.run(&["run", "--rm", "--net", "host", "busybox", "readlink", "/proc/self/ns/net"]).ok();
        assert_eq!(host.text(), std::fs::read_link("/proc/self/ns/net").unwrap().display().to_string());
        assert!(daemon.run(&["run", "--help"]).ok().stdout.contains("Create and run a new container from an image"));
        assert!(daemon.run(&["version"]).ok().stdout.contains("Server"));
    });
}

#[test]
fn mounts_in_the_seeds_words() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    through_both(&mut daemon, |daemon| {
        daemon.run(&["create", "--name", "web", "-v", "/tmp:/data:ro", "busybox", "true"]).ok();
        let expected = r#"[{"Type":"bind","Source":"/tmp","Destination":"/data","Mode":"ro","RW":false,"Propagation":"rprivate"}]"#;
        assert_eq!(daemon.inspect("web", "{{ json .Mounts }}"), expected);
        daemon.run(&["rm", "web"]).ok();
    });
}
