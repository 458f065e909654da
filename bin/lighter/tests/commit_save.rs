//! `commit`, `save`, `image prune`, `system df`: images out of containers, and out of the store.

use testkit::{Cli, Daemon, real_docker};

fn clients() -> Vec<Cli> {
    let mut all = vec![Cli::Lighter];
    all.extend(real_docker().map(Cli::Docker));
    all
}

#[test]
fn a_commit_has_the_changes_and_says_who_made_them() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    let script = "echo new >/new; rm /etc/group; ln /new /same";
    daemon.run(&["run", "--name", "source", "-e", "A=1", "-w", "/tmp", "busybox", "sh", "-c", script]).ok();
    for (n, cli) in clients().into_iter().enumerate() {
        daemon.set_cli(cli);
        let image = format!("made:{n}");
        let change = ["-c", "ENV B=2", "-c", "CMD [\"cat\", \"/new\"]"];
        let commit = [&["commit", "-a", "me", "-m", "why"][..], &change, &["source", &image]].concat();
        daemon.run(&commit).ok().stdout_has("sha256:");
        daemon.run(&["run", "--rm", &image]).ok().stdout("new\n");
        daemon
            .run(&["run", "--rm", &image, "sh", "-c", "echo $A $B; pwd; ls /etc/group"])
            .status(1)
            .stdout("1 2\n/tmp\n");
        daemon.run(&["run", "--rm", &image, "stat", "-c", "%h", "/same"]).ok().stdout("2\n");
        let said = daemon.inspect(&image, "{{.Author}} {{.Comment}} {{len .RootFS.Layers}}");
        assert_eq!(said.trim(), "me why 2");
        daemon.run(&["history", "--format", "{{.Comment}}", &image]).ok().stdout_has("why");
        daemon.run(&["commit", "source", "Upper"]).status(1).stderr_has("must be lowercase");
        daemon.run(&["commit", "-c", "FOO bar", "source"]).status(1).stderr_has("FOO is not a valid change command");
        daemon.run(&["commit", "nope"]).status(1).stderr_has("No such container: nope");
    }
}

#[test]
fn a_running_container_goes_on_after_its_commit() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "-d", "--name", "up", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["commit", "up", "same"]).ok();
    daemon.run(&["commit", "--pause=false", "up"]).ok();
    assert_eq!(daemon.inspect("up", "{{.State.Status}}").trim(), "running");
    // nothing changed: no layer
    assert_eq!(daemon.inspect("same", "{{len .RootFS.Layers}}").trim(), "1");
    daemon.run(&["pause", "up"]).ok();
    daemon.run(&["commit", "up", "paused"]).ok();
    assert_eq!(daemon.inspect("up", "{{.State.Status}}").trim(), "paused");
}

#[test]
fn what_is_saved_comes_back_with_its_digests() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "--name", "cc", "busybox", "touch", "/x"]).ok();
    daemon.run(&["commit", "cc", "second:v1"]).ok();
    daemon.run(&["tag", "second:v1", "second:v2"]).ok();
    let ids = |daemon: &Daemon| {
        daemon.run(&["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]).ok().stdout
    };
    let before = ids(&daemon);
    for cli in clients() {
        daemon.set_cli(cli);
        let file = daemon.directory.join("all.tar").display().to_string();
        daemon.run(&["save", "-o", &file, "busybox:latest", "second"]).ok();
        let one = daemon.command(&["save", "second:v1"]).output().expect("save").stdout;
        let again = daemon.command(&["save", "second:v1"]).output().expect("save").stdout;
        assert!(one == again && !one.is_empty(), "the same image is the same archive");
        daemon.run(&["rm", "-f", "cc"]);
        daemon.run(&["rmi", "second:v1", "second:v2", "busybox"]).ok();
        daemon.run(&["load", "-i", &file]).ok().stdout_has("Loaded image: second:v2");
        assert_eq!(ids(&daemon), before);
        daemon.run(&["run", "--rm", "second:v1", "ls", "/x"]).ok().stdout("/x\n");
        for (program, suffix) in [("gzip", "gz"), ("bzip2", "bz2"), ("xz", "xz"), ("zstd", "zst")] {
            let packed = format!("{file}.{suffix}");
            let done =
                std::process::Command::new(program).args(["-q", "-1", "-k", "-f", &file]).status().expect(program);
            assert!(done.success(), "{program}");
            daemon.run(&["rmi", "second:v1", "second:v2"]).ok();
            daemon.run(&["load", "-i", &packed]).ok().stdout_has("Loaded image: second:v2");
            assert_eq!(ids(&daemon), before, "{program}");
            daemon.run(&["import", &packed, "imported"]).ok().stdout_has("sha256:");
            daemon.run(&["rmi", "imported"]).ok();
        }
        daemon.run(&["save", "nope"]).status(1).stderr("Error response from daemon: No such image: nope:latest\n");
        daemon.run(&["save", "-o", "/dev/null", "busybox"]).status(1).stderr_has("cannot write to a character device");
        let other = ["save", "--platform", "linux/s390x", "busybox"];
        daemon.run(&other).status(1).stderr_has("does not provide the specified platform");
    }
}

#[test]
fn disk_usage_counts_what_is_shared_once() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["tag", "busybox", "other"]).ok();
    daemon.run(&["run", "--name", "cc", "busybox", "sh", "-c", "head -c 5000 /dev/zero >/z"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        let format = "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}";
        let lines = daemon.run(&["system", "df", "--format", format]).ok().stdout;
        let lines: Vec<&str> = lines.lines().collect();
        assert!(lines[0].starts_with("Images 2 1 "), "{lines:?}");
        assert_eq!(lines[1], "Containers 1 0 5kB 5kB (100%)");
        assert_eq!(lines[2..], ["Local Volumes 0 0 0B 0B", "Build Cache 0 0 0B 0B"]);
        daemon.run(&["system", "df", "-v"]).ok().stdout_has("Containers space usage:");
    }
}

#[test]
fn disk_usage_by_templates() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["tag", "busybox", "other:1"]).ok();
    daemon.run(&["create", "--name", "cc", "--label", "x=y", "busybox", "sh", "-c", "echo '1'"]).ok();
    let formats = [
        "",
        "table",
        "json",
        "raw",
        "{{json .Images}}",
        "{{range .Images}}{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.SharedSize}} {{.UniqueSize}} {{.Containers}}\\n{{end}}",
        "table {{range .Containers}}{{.ID}}\\t{{.Names}} {{.Size}} {{.Label \"x\"}}{{end}}{{range .Volumes}}{{.Name}}{{end}}",
        "{{len .Containers}}{{len .Volumes}}{{len .BuildCache}} {{.Foo}}",
        "{{range .Containers}}{{.Names}} {{.Foo}}{{end}}",
        "{{",
    ];
    for format in formats {
        for verbose in [true, false] {
            let mut seen = vec![];
            for cli in clients() {
                daemon.set_cli(cli);
                let flags =
                    [&["system", "df"][..], if verbose { &["-v"] } else { &[] }, &["--format", format]].concat();
                let done = daemon.run(&flags);
                // ours ends with what Docker does not say; each is as old as it is
                let out = done.stdout.split("\nWhat it is kept for:\n").next().expect("text");
                let out = out.replace("Less than a second ago", "1 second ago").replace("2 seconds", "1 second");
                let words: Vec<&str> = out.split(' ').filter(|word| !word.is_empty()).collect();
                seen.push((done.status, words.join(" "), done.stderr));
            }
            assert!(seen.iter().all(|one| *one == seen[0]), "{format:?} {verbose}: {seen:#?}");
        }
    }
}

#[test]
fn pruning_takes_what_nothing_uses() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["run", "--name", "cc", "busybox", "touch", "/x"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["commit", "-m", "nameless", "cc"]).ok();
        daemon.run(&["commit", "-m", "labelled", "-c", "LABEL keep=yes", "cc", "kept"]).ok();
        daemon.run(&["image", "prune", "-f", "--filter", "foo=bar"]).status(1).stderr_has("invalid filter 'foo'");
        daemon.run(&["image", "prune", "-f"]).ok().stdout_has("deleted: sha256:");
        daemon.run(&["image", "prune", "-f"]).ok().stdout("Total reclaimed space: 0B\n");
        daemon.run(&["image", "prune", "-af", "--filter", "label!=keep"]).ok();
        daemon.run(&["image", "inspect", "kept", "busybox"]).ok();
        daemon.run(&["image", "prune", "-af"]).ok().stdout_has("untagged: kept:latest");
        daemon.run(&["image", "inspect", "busybox"]).ok();
    }
}
