//! `--link` on the default bridge.

use testkit::{Cli, Daemon, eventually, real_docker};

fn redis(daemon: &Daemon, flags: &[&str]) {
    let flags = [&["run", "-d", "--name", "redis", "--expose", "6379", "-e", "KEY=v"][..], flags].concat();
    daemon.run(&[&flags[..], &["busybox", "nc", "-ll", "-p", "6379", "-e", "echo", "PONG"]].concat()).ok();
    listens(daemon);
}

fn listens(daemon: &Daemon) {
    // port 6379 in state LISTEN
    let seen = ["exec", "redis", "grep", "-q", ":18EB .* 0A ", "/proc/net/tcp", "/proc/net/tcp6"];
    eventually("redis listens", || daemon.run(&seen).status == 0);
}

fn ip(daemon: &Daemon, container: &str) -> String {
    daemon.inspect(container, "{{.NetworkSettings.Networks.bridge.IPAddress}}")
}

#[test]
fn a_link_is_a_host_and_variables() {
    let daemon = Daemon::with_images(&["busybox"]);
    redis(&daemon, &[]);
    let script = "env | grep ^CACHE | sort; grep cache /etc/hosts; nc cache 6379 </dev/null";
    let (ip, id) = (ip(&daemon, "redis"), daemon.inspect("redis", "{{.Config.Hostname}}"));
    let expected = format!(
        "CACHE_ENV_KEY=v\nCACHE_NAME=/vote/cache\nCACHE_PORT=tcp://{ip}:6379\nCACHE_PORT_6379_TCP=tcp://{ip}:6379\n\
         CACHE_PORT_6379_TCP_ADDR={ip}\nCACHE_PORT_6379_TCP_PORT=6379\nCACHE_PORT_6379_TCP_PROTO=tcp\n\
         {ip}\tcache {id} redis\nPONG\n"
    );
    let run = ["run", "--rm", "--name", "vote", "--link", "redis:cache", "busybox", "sh", "-c", script];
    daemon.run(&run).ok().stdout(&expected);
    daemon.run(&["stop", "-t", "0", "redis"]).ok();
    daemon.run(&run).status(125).stderr_has("Cannot link to a non running container: /redis AS /vote/cache");
    let nobody = ["create", "--link", "nobody", "busybox", "true"];
    daemon.run(&nobody).status(1).stderr_has("could not get container for nobody");
}

#[test]
fn a_link_follows_its_target() {
    let daemon = Daemon::with_images(&["busybox"]);
    redis(&daemon, &[]);
    daemon.run(&["run", "-d", "--name", "vote", "--link", "redis", "busybox", "sleep", "1000"]).ok();
    assert_eq!(daemon.inspect("vote", "{{.HostConfig.Links}}"), "[/redis:/vote/redis]");
    daemon.run(&["stop", "-t", "0", "redis"]).ok();
    daemon.run(&["run", "-d", "--name", "between", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["start", "redis"]).ok();
    let moved = format!("{}\tredis", ip(&daemon, "redis"));
    daemon.run(&["exec", "vote", "cat", "/etc/hosts"]).ok().stdout_has(&moved);
}

#[test]
fn without_icc_only_links_pass() {
    let mut daemon = Daemon::with_flags(&["--icc=false"]);
    daemon.import("busybox");
    redis(&daemon, &[]);
    daemon.run(&["run", "-d", "--name", "vote", "--link", "redis", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["run", "-d", "--name", "other", "busybox", "sleep", "1000"]).ok();
    let ip = ip(&daemon, "redis");
    let asks = |daemon: &Daemon, from: &str, port: &str| {
        let script = format!("nc -w 1 {ip} {port} </dev/null");
        daemon.run(&["exec", from, "sh", "-c", &script]).stdout
    };
    assert_eq!((asks(&daemon, "vote", "6379").as_str(), asks(&daemon, "other", "6379").as_str()), ("PONG\n", ""));
    daemon.kill();
    daemon.start_again();
    assert_eq!((asks(&daemon, "vote", "6379").as_str(), asks(&daemon, "other", "6379").as_str()), ("PONG\n", ""));
    daemon.run(&["rm", "-f", "vote"]).ok();
    assert_eq!(asks(&daemon, "other", "6379"), "");
}

/// A target that moves while who is linked to it is being started is found where it is.
#[test]
fn a_target_that_moves_during_a_start() {
    let open = std::path::PathBuf::from(format!("/tmp/lighter-gate-{}", std::process::id()));
    let program = open.with_extension("sh");
    let real = testkit::binaries().join("lighter-runtime");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' create '*) while [ ! -e {} ]; do sleep 0.02; done ;; esac\nexec {} \"$@\"\n",
        open.display(),
        real.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let daemon = Daemon::with_flags(&[&format!("--add-runtime=slow={}", program.display())]);
    daemon.import("busybox");
    redis(&daemon, &[]);
    let old = ip(&daemon, "redis");
    let sleep = ["busybox", "sleep", "1000"];
    daemon.run(&[&["create", "--name", "vote", "--runtime", "slow", "--link", "redis"][..], &sleep].concat()).ok();
    std::thread::scope(|scope| {
        let start = scope.spawn(|| daemon.run(&["start", "vote"]).ok());
        eventually("it waits for its runtime", || daemon.inspect("vote", "{{.State.Error}}").contains("runtime"));
        daemon.run(&["stop", "-t", "0", "redis"]).ok();
        daemon.run(&[&["run", "-d", "--name", "between"][..], &sleep].concat()).ok();
        daemon.run(&["start", "redis"]).ok();
        std::fs::write(&open, "").unwrap();
        start.join().unwrap();
    });
    let (new, hosts) = (ip(&daemon, "redis"), daemon.run(&["exec", "vote", "cat", "/etc/hosts"]).ok().stdout);
    assert!(new != old && hosts.contains(&format!("{new}\tredis")), "{old} {new} {hosts}");
    for file in [open, program] {
        std::fs::remove_file(file).unwrap();
    }
}

/// The seed's own line of containers, with pages made here.
#[test]
fn the_voting_row_by_dockers_own_client() {
    let Some(docker) = real_docker() else { return };
    let daemon = Daemon::with_images(&["busybox"]).through(Cli::Docker(docker));
    redis(&daemon, &[]);
    daemon.run(&["run", "-d", "--name=db", "--expose", "5432", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["run", "-d", "--name=vote", "-p", "80", "--link", "redis:redis", "busybox", "sleep", "1000"]).ok();
    daemon.run(&["run", "-d", "--name=result", "--link", "db:db", "busybox", "sleep", "1000"]).ok();
    let links = ["--link", "redis:redis", "--link", "db:db"];
    daemon.run(&[&["run", "-d", "--name=worker"][..], &links, &["busybox", "sleep", "1000"]].concat()).ok();
    daemon
        .run(&["exec", "worker", "sh", "-c", "nc redis 6379 </dev/null; ping -c 1 db >/dev/null && echo db"])
        .ok()
        .stdout("PONG\ndb\n");
    daemon.run(&["exec", "vote", "ping", "-c", "1", "db"]).status(1);
    daemon.run(&["run", "---link", "redis:redis", "busybox"]).status(125).stderr_has("bad flag syntax: ---link");
}

/// A link gives its target another name, which goes by itself, with its own end, and follows both when they are renamed.
#[test]
fn names_of_links() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        redis(&daemon, &[]);
        daemon.run(&["run", "-d", "--name", "vote", "--link", "redis:cache", "busybox", "sleep", "1000"]).ok();
        daemon.run(&["run", "-d", "--name", "web", "--link", "redis", "busybox", "sleep", "1000"]).ok();
        let names = |name: &str| {
            let filter = format!("name=^{name}$");
            let format = ["--format", "{{.Names}}"];
            let long = daemon.run(&[&["ps", "--no-trunc", "--filter", &filter][..], &format].concat()).ok().stdout;
            let short = daemon.run(&[&["ps", "--filter", &filter][..], &format].concat()).ok().stdout;
            format!("{} {}", long.trim(), short.trim())
        };
        assert_eq!(names("redis"), "redis,vote/cache,web/redis redis");
        assert_eq!(daemon.inspect("vote/cache", "{{.Name}}"), "/redis");
        daemon.run(&["rename", "redis", "store"]).ok();
        daemon.run(&["rename", "vote", "poll"]).ok();
        assert_eq!(names("store"), "poll/cache,store,web/redis store");
        assert_eq!(daemon.inspect("poll", "{{.HostConfig.Links}}"), "[/store:/poll/cache]");
        daemon.run(&["restart", "-t", "0", "poll"]).ok();
        daemon.run(&["exec", "poll", "nc", "cache", "6379"]).ok().stdout("PONG\n");
        let other = "Conflict, cannot remove the default link name of the container";
        daemon.run(&["rm", "--link", "store"]).status(1).stderr_has(other);
        daemon.run(&["rm", "--link", "poll/nobody"]).status(1).stderr_has("No such container: poll/nobody");
        daemon.run(&["rm", "--link", "poll/cache"]).ok().stdout("poll/cache\n");
        assert_eq!(names("store"), "store,web/redis store");
        assert_eq!(daemon.inspect("poll", "{{.HostConfig.Links}}"), "[]");
        daemon.run(&["exec", "poll", "grep", "cache", "/etc/hosts"]).status(1);
        daemon.run(&["rm", "-f", "web"]).ok();
        assert_eq!(names("store"), "store store");
    }
}

#[test]
fn a_link_that_is_removed_lets_nothing_through() {
    let mut daemon = Daemon::with_flags(&["--icc=false"]);
    daemon.import("busybox");
    redis(&daemon, &[]);
    daemon.run(&["run", "-d", "--name", "vote", "--link", "redis:cache", "busybox", "sleep", "1000"]).ok();
    let ask = ["exec", "vote", "nc", "-w", "1", &ip(&daemon, "redis"), "6379"];
    daemon.run(&ask).ok().stdout("PONG\n");
    daemon.run(&["rm", "-l", "vote/cache"]).ok();
    daemon.run(&ask).stdout("");
    daemon.kill();
    daemon.start_again();
    daemon.run(&ask).stdout("");
    assert_eq!(daemon.inspect("vote", "{{.HostConfig.Links}}"), "[]");
}
