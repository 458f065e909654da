//! The seed's commands for images and registries (spec/seed-commands.md §2), as people type them, by both clients. Rows with
//! scenarios of their own: image, commit_save, prune, registry, registry_access.

use testkit::{Cli, Daemon, Registry, RegistryOptions, Terminal, Told, Web, real_docker};

const TAR: &str = "/var/cache/lighter-tests/busybox.tar";

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

/// The words of a table's first line.
fn head(table: &str) -> Vec<&str> {
    let line = table.lines().next().unwrap_or_default();
    line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect()
}

fn import(daemon: &Daemon, names: &[&str]) {
    for name in names {
        let said = format!("ENV NAME={name}");
        daemon.run(&["import", "-c", "CMD [\"sh\"]", "-c", &said, TAR, name]).ok();
    }
}

#[test]
fn listed_and_removed() {
    let mut daemon = Daemon::start();
    daemon.run(&["rmi", "hello-world"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        import(&daemon, &["redis:4.0", "redis:alpine", "nginx"]);
        let list = daemon.run(&["images"]).ok().stdout;
        assert_eq!(head(&list), ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
        for name in ["redis 4.0 ", "redis alpine ", "nginx latest "] {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(list.lines().any(|line| words(line).starts_with(name)), "{list}");
        }
        daemon.run(&["run", "--name", "web", "nginx", "true"]).ok();
        daemon.run(&["rmi", "nginx"]).status(1).stderr_has("conflict: unable to ");
        daemon.run(&["rmi", "nosuch"]).status(1).stderr_has("No such image: nosuch:latest");
        daemon.run(&["stop", "web"]).ok();
        daemon.run(&["rm", "web"]).ok();
        daemon.run(&["rmi", "nginx"]).ok().stdout_has("Untagged: nginx:latest\n").stdout_has("Deleted: sha256:");
        let ids = daemon.run(&["images", "-q"]).ok().stdout;
        let ids: Vec<&str> = ids.split_whitespace().collect();
        assert!(ids.len() == 2 && ids.iter().all(|id| id.len() == 12), "{ids:?}");
        daemon.run(&[&["rmi"], &ids[..]].concat()).ok();
        daemon.run(&["images", "-q"]).ok().stdout("");
    }
}

#[test]
fn names_in_full_and_in_short() {
    let registry = Registry::start();
    let mut daemon = Daemon::with_flags(&["--registry-mirror", &format!("http://{}", registry.host())]);
    let there =
        ["library/nginx:latest", "nginx/nginx:latest", "library/debian:wheezy", "bitnami/minideb-extras:stretch-r225"];
    import(&daemon, &["base"]);
    for name in there {
        daemon.run(&["tag", "base", &registry.name(name)]).ok();
        daemon.run(&["push", "-q", &registry.name(name)]).ok();
        daemon.run(&["rmi", &registry.name(name)]).ok();
    }
    for cli in clients() {
        daemon.set_cli(cli);
        for (typed, path, full) in [
            ("nginx", "library/nginx", "nginx:latest"),
            ("docker.io/nginx/nginx:latest", "nginx/nginx", "nginx/nginx:latest"),
            ("debian:wheezy", "library/debian", "debian:wheezy"),
            ("bitnami/minideb-extras:stretch-r225", "bitnami/minideb-extras", "bitnami/minideb-extras:stretch-r225"),
        ] {
            let tag = full.split_once(':').map_or("", |(_, tag)| tag);
            let pulled = daemon.run(&["pull", typed]).ok();
            let begin = if typed == "nginx" { "Using default tag: latest\n" } else { "" };
            assert!(pulled.stdout.starts_with(&format!("{begin}{tag}: Pulling from {path}\n")), "{pulled:?}");
            assert!(pulled.stdout.ends_with(&format!("\ndocker.io/{path}:{tag}\n")), "{pulled:?}");
            daemon.run(&["rmi", full]).ok().stdout_has(&format!("Untagged: {full}\n"));
        }
    }
}

#[test]
fn pulled_pushed_and_pushed_again() {
    let mut daemon = Daemon::start();
    for cli in clients() {
        daemon.set_cli(cli);
        let mut registry = Registry::start();
        let name = registry.name("my-image");
        import(&daemon, &["my-image"]);
        daemon.run(&["image", "tag", "my-image", &name]).ok();
        let ids = daemon.run(&["images", "-q", "--no-trunc"]).ok().stdout;
        let id = daemon.inspect("my-image", "{{.Id}}");
        assert_eq!(ids.lines().filter(|line| *line == id).count(), 2);
        daemon.run(&["push", &name]).ok().stdout_has("Using default tag: latest\n").stdout_has(": Pushed\n");
        daemon.run(&["rmi", "my-image", &name]).ok();
        daemon.run(&["pull", &registry.name("my-image:2")]).status(1).stderr_has("manifest unknown");
        let first = daemon.run(&["run", "--name", "app", &name, "sh", "-c", "echo changed >/page; echo $NAME"]).ok();
        assert!(first.stderr.starts_with(&format!("Unable to find image '{name}:latest' locally\n")), "{first:?}");
        for line in ["latest: Pulling from my-image\n", ": Pulling fs layer\n", ": Pull complete\n"] {
            assert!(first.stderr.contains(line), "{first:?}");
        }
        assert_eq!(first.stdout, "my-image\n");
        // the next version takes the container's place
        daemon.run(&["commit", "-c", "CMD cat /page", "app", &registry.name("my-image:2")]).ok();
        let again = daemon.run(&["push", &registry.name("my-image:2")]).ok();
        let count = |what: &str| again.stdout.lines().filter(|line| line.ends_with(what)).count();
        assert_eq!((count(": Layer already exists"), count(": Pushed")), (1, 1), "{again:?}");
        daemon.run(&["rm", "-f", "app"]).ok();
        daemon.run(&["run", "--name", "app", &registry.name("my-image:2")]).ok().stdout("changed\n");
        daemon.run(&["rm", "app"]).ok();
        // what was pulled needs no registry
        registry.stop();
        daemon.run(&["run", "--rm", &name, "sh", "-c", "echo $NAME"]).ok().stdout("my-image\n").stderr("");
        daemon.run(&["rmi", &name, &registry.name("my-image:2")]).ok();
    }
}

#[test]
fn asked_for_a_name_and_a_password() {
    let mut daemon = Daemon::start();
    import(&daemon, &["base"]);
    for cli in clients() {
        daemon.set_cli(cli);
        let registry = Registry::with(RegistryOptions { users: true, ..RegistryOptions::default() });
        daemon.run(&["tag", "base", &registry.name("a:1")]).ok();
        daemon.run(&["push", &registry.name("a:1")]).status(1).stderr_has("no basic auth credentials");
        for (password, status) in [("wrong", 1), ("p", 0)] {
            let mut terminal = Terminal::run(daemon.command(&["login", &registry.host()]));
            terminal.expect("Username: ");
            terminal.type_in("u\n");
            terminal.expect("Password: ");
            terminal.type_in(&format!("{password}\n"));
            let (seen, screen) = terminal.ended();
            assert_eq!((seen, screen.contains("Login Succeeded")), (status, status == 0), "{screen}");
            assert!(!screen.contains("wrong"), "a password is not shown: {screen}");
        }
        daemon.run(&["push", &registry.name("a:1")]).ok();
        daemon.run(&["logout", &registry.host()]).ok();
    }
}

#[test]
fn searched() {
    let mut daemon = Daemon::start();
    let found = r#"{"results":[{"name":"nginx","description":"Official build","star_count":9,"is_official":true}]}"#;
    let web = Web::serve("127.0.0.1", move |asked| match asked.target.starts_with("/v1/search?q=nginx&") {
        true => Told::body(found),
        false => Told::status(404),
    });
    for cli in clients() {
        daemon.set_cli(cli);
        let table = daemon.run(&["search", &format!("{}/nginx", web.host())]).ok().stdout;
        assert_eq!(head(&table), ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]);
        assert!(table.contains("nginx") && table.contains("[OK]"), "{table}");
    }
}

#[test]
fn looked_into() {
    let mut daemon = Daemon::start();
    import(&daemon, &["base"]);
    daemon.run(&["run", "--name", "cc", "base", "sh", "-c", "head -c 1000000 /dev/zero >/big"]).ok();
    daemon.run(&["commit", "cc", "big:1"]).ok();
    for cli in clients() {
        daemon.set_cli(cli);
        let table = daemon.run(&["history", "big:1"]).ok().stdout;
        assert_eq!(head(&table), ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"]);
        let rows = daemon.run(&["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Size}}", "big:1"]).ok().stdout;
        let top = rows.lines().next().unwrap_or_default();
        assert_eq!(top, "sh -c head -c 1000000 /dev/zero >/big|1MB");
        let shared = daemon.run(&["system", "df", "-v", "--format", "{{range .Images}}{{.SharedSize}} {{end}}"]).ok();
        let shared: Vec<&str> = shared.stdout.split_whitespace().filter(|size| *size != "0B").collect();
        assert!(shared.len() == 2 && shared[0] == shared[1], "{shared:?}");
        let file = daemon.directory.join("big.tar").display().to_string();
        daemon.run(&["save", "-o", &file, "big:1"]).ok();
        let list =
            std::process::Command::new("tar").args(["-xOf", &file, "manifest.json"]).output().expect("tar").stdout;
        let list: serde_json::Value = serde_json::from_slice(&list).expect("manifest.json");
        assert_eq!(list[0]["RepoTags"], serde_json::json!(["big:1"]));
        assert_eq!(list[0]["Layers"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn pruned_in_the_seeds_spellings() {
    let mut daemon = Daemon::start();
    import(&daemon, &["base"]);
    for cli in clients() {
        daemon.set_cli(cli);
        // a list of images with that name
        let spelled = daemon.run(&["images", "prune"]).ok().stdout;
        assert_eq!((head(&spelled)[0], spelled.lines().count()), ("REPOSITORY", 1));
        daemon.run(&["run", "--name", "cc", "base", "touch", "/x"]).ok();
        daemon.run(&["commit", "cc"]).ok();
        daemon.run(&["rm", "cc"]).ok();
        let dangling = || daemon.run(&["images", "-q", "-f", "dangling=true"]).ok().stdout.lines().count();
        let asked = daemon.run_with_input(&["image", "prune"], b"n\n").ok();
        assert!(asked.stdout.contains("Are you sure you want to continue? [y/N] "), "{asked:?}");
        assert_eq!(dangling(), 1);
        daemon.run_with_input(&["image", "prune"], b"y\n").ok().stdout_has("Total reclaimed space: ");
        assert_eq!(dangling(), 0);
        let asked = daemon.run_with_input(&["system", "prune"], b"n\n").ok();
        for what in ["all stopped containers", "all networks not used", "all dangling images", "build cache"] {
            assert!(asked.stdout.contains(what), "{asked:?}");
        }
        daemon.run(&["create", "--name", "cc", "base"]).ok();
        daemon.run_with_input(&["system", "prune"], b"y\n").ok().stdout_has("Deleted Containers:\n");
        daemon.run(&["volume", "create", "idle"]).ok();
        daemon.run(&["create", "--name", "user", "-v", "used:/data", "base"]).ok();
        let idle = daemon.run(&["volume", "ls", "-qf", "dangling=true"]).ok();
        assert_eq!(idle.stdout, "idle\n");
        daemon.run(&["volume", "rm", idle.text()]).ok().stdout("idle\n");
        daemon.run(&["rm", "user"]).ok();
        daemon.run(&["volume", "rm", "used"]).ok();
    }
}
