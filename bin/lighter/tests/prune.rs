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
    }
}
