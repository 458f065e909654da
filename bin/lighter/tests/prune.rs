//! `container prune`, by our client and by Docker's.

use testkit::{Cli, Daemon, real_docker};

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

#[test]
fn what_does_not_run_goes() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "up", "busybox", "sleep", "1000"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        let write = "dd if=/dev/zero of=/x bs=1000 count=2000 2>/dev/null";
        daemon.run(&["run", "--name", "done", "busybox", "sh", "-c", write]).ok();
        let new = daemon.run(&["create", "busybox"]).ok().text().to_owned();
        daemon.run_with_input(&["container", "prune"], b"n\n").ok().stdout_has("[y/N]");
        assert_eq!(daemon.run(&["ps", "-aq"]).ok().stdout.lines().count(), 3);
        let pruned = daemon.run_with_input(&["container", "prune"], b"y\n").ok();
        pruned.stdout_has("Deleted Containers:\n").stdout_has(&new).stdout_has("\n\nTotal reclaimed space: 2");
        daemon.run(&["ps", "-a", "--format", "{{.Names}}"]).ok().stdout("up\n");
        daemon.run(&["container", "prune", "-f"]).ok().stdout("Total reclaimed space: 0B\n");
    }
    daemon.run(&["rm", "-f", "up"]).ok();
}

#[test]
fn filters() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        for (name, label) in [("aa", "x=1"), ("bb", "x=2"), ("cc", "y")] {
            daemon.run(&["create", "--name", name, "--label", label, "busybox"]).ok();
        }
        let left = |filters: &[&str]| {
            let flags: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
            daemon.run(&[&["container", "prune", "-f"][..], &flags].concat()).ok();
            daemon.run(&["ps", "-a", "--format", "{{.Names}}"]).ok().stdout.replace('\n', " ")
        };
        assert_eq!(left(&["until=1h"]), "cc bb aa ");
        assert_eq!(left(&["label=x=1", "label=y"]), "cc bb aa ");
        assert_eq!(left(&["label=x=1"]), "cc bb ");
        assert_eq!(left(&["label!=y"]), "cc ");
        assert_eq!(left(&["until=0s"]), "");
    }
}

#[test]
fn wrong_filters() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    for cli in clients() {
        daemon.set_cli(cli);
        let prune = |filters: &[&str]| daemon.run(&[&["container", "prune", "-f"][..], filters].concat()).status(1);
        prune(&["--filter", "colour=red"]).stderr_has("invalid filter 'colour'");
        prune(&["--filter", "until=soon"]).stderr_has("failed to parse value as time or duration: \"soon\"");
        prune(&["--filter", "until=1h", "--filter", "until=2h"]).stderr_has("more than one until filter specified");
        let volumes = |filters: &[&str]| daemon.run(&[&["volume", "prune", "-f"][..], filters].concat()).status(1);
        volumes(&["--filter", "all=x"])
            .stderr_has("invalid filter 'all': strconv.ParseBool: parsing \"x\": invalid syntax");
        volumes(&["--filter", "all=0", "--filter", "all=1"])
            .stderr_has("invalid filter 'all=[0 1]': only one value is expected");
    }
}

/// Ids are others each time, and so are sizes: dates are more and less exact.
fn masked(text: &str) -> String {
    let mask = |word: &str| {
        let hex = word.trim_end().trim_start_matches("sha256:");
        let is_id = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let is_size = word.starts_with(|c: char| c.is_ascii_digit() && c != '0') && word.ends_with("kB\n");
        if is_id || is_size { word.replace(hex, "SOME") } else { word.to_owned() }
    };
    text.split_inclusive([' ', '\n']).map(mask).collect()
}

#[test]
fn the_whole_system() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["rmi", "hello-world"]).ok();
    let mut seen: Vec<String> = vec![];
    for cli in clients() {
        daemon.set_cli(Cli::Lighter);
        let set_up = || {
            daemon.run(&["create", "--name", "aa", "busybox", "true"]).ok();
            daemon.run(&["run", "--name", "bb", "busybox", "sh", "-c", "head -c 3000 /dev/zero >/x"]).ok();
            daemon.run(&["network", "create", "nn"]).ok();
            daemon
                .run(&["run", "-v", "/v", "--name", "vv", "busybox", "sh", "-c", "head -c 2000 /dev/zero >/v/x"])
                .ok();
            daemon.run(&["volume", "create", "named"]).ok();
            daemon.run(&["commit", "bb"]).ok();
            daemon.run(&["commit", "bb", "named"]).ok();
        };
        let mut said = String::new();
        let mut prune = |daemon: &Daemon, args: &[&str], answer: &[u8]| {
            let done = daemon.run_with_input(&[&["system", "prune"][..], args].concat(), answer);
            let program = if done.stderr.contains("'lighter ") { "lighter" } else { "docker" };
            let stderr = done.stderr.replace(program, "PROGRAM");
            said += &format!("{args:?} {}\n{}\n{stderr}\n", done.status, masked(&done.stdout));
        };
        set_up();
        daemon.set_cli(cli);
        prune(&daemon, &[], b"n\n");
        prune(&daemon, &["-a", "--volumes", "--filter", "label!=x", "--filter", "until=1h"], b"n\n");
        prune(&daemon, &["-a", "--volumes", "--filter", "label=x=y", "--filter", "label!=z"], b"n\n");
        prune(&daemon, &["-f", "--filter", "foo=bar"], b"");
        prune(&daemon, &["-f", "--volumes", "--filter", "label=none"], b"");
        prune(&daemon, &["x"], b"");
        prune(&daemon, &[], b"y\n");
        prune(&daemon, &["-f"], b"");
        daemon.run(&["image", "inspect", "named"]).ok();
        // what is left of them is removed with -a, but not what a container stands on
        daemon.run(&["create", "--name", "kept", "--label", "keep=1", "busybox", "true"]).ok();
        prune(&daemon, &["-af", "--filter", "label!=keep"], b"");
        daemon.run(&["image", "inspect", "busybox"]).ok();
        daemon.run(&["image", "inspect", "named"]).status(1);
        daemon.run(&["rm", "kept"]).ok();
        daemon.run(&["create", "-v", "/v", "--name", "vv", "busybox"]).ok();
        prune(&daemon, &["-f", "--volumes"], b"");
        daemon.run(&["volume", "ls", "-q"]).ok().stdout("named\n");
        seen.push(said);
    }
    assert!(seen[0].contains("Total reclaimed space: SOME"), "{}", seen[0]);
    assert!(seen.iter().all(|said| *said == seen[0]), "{}\n{}", seen[0], seen[seen.len() - 1]);
}

#[test]
fn df_says_what_each_byte_is_kept_for() {
    let d = Daemon::with_images(&["busybox"]);
    let write = "echo x >/v/x; echo y >/y; echo said";
    d.run(&["run", "-v", "data:/v", "--name", "cc", "busybox", "sh", "-c", write]).ok();
    let format = "{{range .Kept}}{{.Kind}}|{{.Name}}|{{.Why}}\n{{end}}";
    let says = |line: &str| drop(d.run(&["system", "df", "-v", "--format", format]).ok().stdout_has(line));
    says("image|busybox:latest|container cc stands on it\n");
    says("image|hello-world:latest|it has a name and came from no registry: ");
    says("container|cc|it is exited: what it wrote (2B) and its log (");
    says("volume|data|mounted by container cc\n");
    let id = d.inspect("busybox", "{{.Id}}");
    d.run(&["rmi", "-f", &id]).ok();
    says("layers||container cc stands on them, their image was removed\n");
    d.run(&["rm", "cc"]).ok();
    says("volume|data|nobody mounts it, but it has a name: ");
    d.run(&["system", "df", "-v"])
        .ok()
        .stdout_has("\nWhat it is kept for:\n\nKIND")
        .stdout_has("what the daemon knows");
}
