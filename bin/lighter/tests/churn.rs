//! Ten clients at once pull, remove and run the same few images, a hundred times: nobody is told of anything but what another one
//! did, and nothing is left.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Daemon, Finished, Registry, eventually};

const IMAGES: usize = 4;
const CLIENTS: usize = 10;
const ROUNDS: usize = 10;

/// A registry with `a:0`, `a:1`, …: a layer that all share, and one of their own with their number in `/own`.
fn stocked() -> Registry {
    let (registry, d) = (Registry::start(), Daemon::with_images(&["busybox"]));
    for i in 0..IMAGES {
        let name = registry.name(&format!("a:{i}"));
        d.run(&["run", "--name", "cc", "busybox", "sh", "-c", &format!("echo -n {i} >/own")]).ok();
        d.run(&["commit", "cc", &name]).ok();
        d.run(&["push", "-q", &name]).ok();
        d.run(&["rm", "cc"]).ok();
    }
    registry
}

/// One thing that one client does, chosen by `dice`; whether it came out as it may.
fn one(d: &Daemon, registry: &Registry, dice: usize) -> (bool, Finished) {
    let own = (dice / 3 % IMAGES).to_string();
    let name = registry.name(&format!("a:{own}"));
    let done = match dice % 3 {
        0 => d.run(&["pull", &name]),
        1 => d.run(&["rmi", &name]),
        _ => d.run(&["run", "--rm", "--network", "none", &name, "cat", "/own"]),
    };
    // somebody else was faster: before a removal, or between a run's pull and its creation
    let is_gone = done.stderr.contains(&format!("No such image: {name}"));
    let is_used = done.stderr.contains(&format!("conflict: unable to delete {name} (must be forced) - container "));
    let fine = match (dice % 3, done.status) {
        (0, status) => status == 0,
        (1, status) => status == 0 || is_gone || is_used,
        (_, 0) => done.stdout == own,
        (_, status) => status == 125 && is_gone,
    };
    (fine, done)
}

#[test]
fn pulls_removals_and_runs_do_not_disturb_each_other() {
    let (registry, d, dice) = (stocked(), Daemon::start(), AtomicUsize::new(1));
    d.run(&["rmi", "hello-world"]).ok();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    // all of 0..100 in an order that mixes them (37 and 101 have no divisor in common)
                    let (fine, done) = one(&d, &registry, dice.fetch_add(1, Ordering::Relaxed) * 37 % 101);
                    assert!(fine, "{done:#?}");
                }
            });
        }
    });
    d.run(&["system", "verify"]).ok();
    // what a pin or a count too many kept would stay
    let ids = d.run(&["images", "-aq", "--no-trunc"]).ok().stdout;
    ids.lines().for_each(|id| drop(d.run(&["rmi", "-f", id]).ok()));
    eventually("nothing is left", || d.stored().is_empty());
    assert_eq!(d.run(&["ps", "-aq"]).ok().stdout, "");
}

/// Asks for something and does not wait for the answer.
fn ask_and_leave(d: &Daemon, path: &str, body: &str) {
    let mut stream = UnixStream::connect(d.socket()).expect("connect");
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("request");
}

#[test]
fn a_client_that_leaves_leaves_no_container_half_made() {
    let d = Daemon::with_images(&["busybox"]);
    (0..20).for_each(|_| ask_and_leave(&d, "/containers/create", r#"{"Image":"busybox","Cmd":["true"]}"#));
    eventually("what is on the disk is listed", || {
        let stored: BTreeSet<String> =
            d.stored().iter().filter_map(|path| path.strip_prefix("containers/").map(str::to_owned)).collect();
        let listed = d.run(&["ps", "-aq", "--no-trunc"]).ok().stdout;
        let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
        !listed.is_empty() && stored == listed
    });
}

#[test]
fn a_client_that_leaves_leaves_no_container_half_connected() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["network", "create", "place"]).ok();
    d.run(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"]).ok();
    let has_two = || d.inspect("cc", "{{len .NetworkSettings.Networks}}") == "2";
    let links = || d.run(&["exec", "cc", "ls", "/sys/class/net"]).ok().stdout.matches("eth").count();
    for round in 0..10 {
        let verb = if has_two() { "disconnect" } else { "connect" };
        ask_and_leave(&d, &format!("/networks/place/{verb}"), r#"{"Container":"cc"}"#);
        eventually(&format!("{round} {verb}: all agree"), || links() == 1 + usize::from(has_two()));
    }
}
