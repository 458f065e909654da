//! The disk fills up with images: what nobody has used for long goes, and nothing else.

use std::io::Read;

use archive::tar::{Entry, Kind, Writer};
use testkit::{Daemon, Registry, eventually};

const MEGABYTE: usize = 1 << 20;

/// A registry with the images `a:0`, `a:1`, … of two megabytes each, and as many compressed.
fn stocked(count: usize) -> Registry {
    labelled(&vec!["LABEL a=b"; count])
}

/// The same, one image for each label.
fn labelled(labels: &[&str]) -> Registry {
    let (registry, d) = (Registry::start(), Daemon::start());
    for (i, label) in labels.iter().enumerate() {
        // what does not compress, and is another for each
        let mut bytes = vec![0; 2 * MEGABYTE];
        std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).expect("random bytes");
        let mut tar = Writer::new(Vec::new());
        tar.file(&Entry::new(Kind::File, "file"), &bytes).expect("tar");
        let name = registry.name(&format!("a:{i}"));
        let path = d.directory.join("root.tar");
        std::fs::write(&path, tar.finish().expect("tar")).expect("tar");
        assert!(std::process::Command::new("gzip").args(["-1", "-f"]).arg(&path).status().expect("gzip").success());
        d.run(&["import", "-c", label, &format!("{}.gz", path.display()), &name]).ok();
        d.run(&["push", "-q", &name]).ok();
    }
    registry
}

/// Its daemon.json is `file` from now on.
fn reload(d: &Daemon, file: &str) {
    std::fs::write(d.directory.join("daemon.json"), file).expect("daemon.json");
    d.hang_up();
}

fn percent(d: &Daemon) -> u64 {
    let stat = rustix::fs::statvfs(d.directory.join("data")).expect("statvfs");
    ((stat.f_blocks - stat.f_bfree) * 100).div_ceil(stat.f_blocks)
}

fn has(d: &Daemon, name: &str) -> bool {
    d.run(&["image", "inspect", name]).status == 0
}

fn events(d: &Daemon) -> Vec<String> {
    let format = "{{.Actor.Attributes.name}}|{{.Actor.ID}}|{{.Actor.Attributes.reclaimed}}";
    let all = ["events", "--since", "1", "--until", "0s", "--filter", "event=gc", "--format", format];
    d.run(&all).ok().stdout.lines().map(str::to_owned).collect()
}

/// A download that nobody finished.
fn leave_over(d: &Daemon) -> std::path::PathBuf {
    d.run(&["version"]).ok();
    let path = d.directory.join("data/images/partial").join("ab".repeat(32));
    std::fs::write(&path, vec![1; MEGABYTE]).expect("leftover");
    path
}

#[test]
fn what_nobody_used_for_long_goes() {
    let registry = stocked(8);
    let name = |i: usize| registry.name(&format!("a:{i}"));
    let keep = name(1);
    let marks = ["--image-gc-high", "70", "--image-gc-low", "60", "--image-gc-min-age", "0s", "--image-gc-keep", &keep];
    let d = Daemon::on_small_disk_with(34, &marks);
    d.import("busybox");
    d.run(&["run", "-v", "data:/v", "--name", "cc", "busybox", "sh", "-c", "echo kept >/v/x"]).ok();
    d.run(&["pull", "-q", &name(0)]).ok();
    d.run(&["create", "--name", "stands", &name(0), "/file"]).ok();
    let leftover = leave_over(&d);
    for i in 1..8 {
        d.run(&["pull", "-q", &name(i)]).ok();
    }
    eventually("there is room", || percent(&d) <= 70);
    assert!(has(&d, "busybox"), "nobody could get it back");
    assert!(has(&d, &name(0)), "a container stands on it");
    assert!(has(&d, &name(1)), "it is pinned");
    assert!(has(&d, &name(7)), "it is the newest");
    assert!(!has(&d, &name(2)), "it rested longest");
    assert!(!leftover.exists());
    // of each there is an event; those of this second come with the next
    eventually("everything is told", || {
        let gone: Vec<String> = (0..8).map(name).filter(|name| !has(&d, name)).collect();
        let told = events(&d);
        let is_told = |name: &String| told.iter().any(|line| line.starts_with(&format!("{name}|sha256:")));
        told.contains(&format!("|sha256:{}|{MEGABYTE}", "ab".repeat(32))) && gone.iter().all(is_told)
    });
    d.run(&["run", "--rm", "-v", "data:/v", "busybox", "cat", "/v/x"]).ok().stdout("kept\n");
    d.run(&["system", "verify"]).ok();
    // what went can be had again
    d.run(&["pull", "-q", &name(2)]).ok();
}

/// Room for a layer that was made here, compressed for a registry.
#[test]
fn a_push_makes_room_for_what_it_compresses() {
    let registry = stocked(4);
    let marks = ["--image-gc-high", "90", "--image-gc-low", "50", "--image-gc-min-age", "0s"];
    let d = Daemon::on_small_disk_with(34, &marks);
    let mut bytes = vec![0; 8 * MEGABYTE];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).expect("random bytes");
    let mut tar = Writer::new(Vec::new());
    tar.file(&Entry::new(Kind::File, "file"), &bytes).expect("tar");
    let path = d.directory.join("root.tar");
    std::fs::write(&path, tar.finish().expect("tar")).expect("tar");
    let own = registry.name("own:1");
    d.run(&["import", &path.display().to_string(), &own]).ok();
    for i in 0..4 {
        d.run(&["pull", "-q", &registry.name(&format!("a:{i}"))]).ok();
    }
    let filler = d.directory.join("data/filler");
    let stat = rustix::fs::statvfs(d.directory.join("data")).expect("statvfs");
    let free = (stat.f_bavail * stat.f_frsize) as usize;
    std::fs::write(&filler, vec![1; free.saturating_sub(6 * MEGABYTE)]).expect("filler");
    let before = percent(&d);
    assert!((60..=90).contains(&before) && (0..4).all(|i| has(&d, &registry.name(&format!("a:{i}")))), "{before}%");
    d.run(&["push", "-q", &own]).ok();
    assert!(has(&d, &own) && !has(&d, &registry.name("a:0")));
    d.run(&["rmi", &own]).ok();
    d.run(&["pull", "-q", &own]).ok();
    // and where nothing may go it says so, and leaves nothing
    let d = Daemon::on_small_disk_with(12, &["--image-gc=false"]);
    d.run(&["import", &path.display().to_string(), &own]).ok();
    let said = d.run(&["push", &registry.name("own:1")]).status(1);
    said.stderr_has("compress layer sha256:").stderr_has("no space left on device");
    let ingest = d.directory.join("data/images/ingest");
    assert_eq!(std::fs::read_dir(ingest).expect("ingest").count(), 0);
}

#[test]
fn nothing_that_was_used_a_while_ago_goes() {
    let registry = stocked(5);
    let name = |i: usize| registry.name(&format!("a:{i}"));
    let fill = |d: &Daemon| {
        let leftover = leave_over(d);
        (0..5).for_each(|i| drop(d.run(&["pull", "-q", &name(i)]).ok()));
        leftover
    };
    let d = Daemon::on_small_disk_with(34, &["--image-gc-high", "40", "--image-gc-low", "30"]);
    let leftover = fill(&d);
    // an unfinished download is of no use, however young
    eventually("it has looked", || d.log().contains("no unused image that may go is left"));
    assert!((0..5).all(|i| has(&d, &name(i))) && !leftover.exists());
    assert_eq!(d.log().matches("may go is left").count(), 1);
    let off = ["--image-gc=false", "--image-gc-high", "1", "--image-gc-low", "1", "--image-gc-min-age", "0s"];
    let d = Daemon::on_small_disk_with(34, &off);
    let leftover = fill(&d);
    d.run(&["run", "--rm", &name(0), "x"]);
    assert!((0..5).all(|i| has(&d, &name(i))) && leftover.exists());
    assert_eq!(events(&d), [] as [String; 0]);
}

#[test]
fn images_may_take_so_much() {
    let registry = stocked(4);
    let name = |i: usize| registry.name(&format!("a:{i}"));
    let d = Daemon::with_flags(&["--image-gc-max-size", "10m", "--image-gc-min-age", "0s"]);
    for i in 0..4 {
        d.run(&["pull", "-q", &name(i)]).ok();
    }
    eventually("the oldest is gone", || !has(&d, &name(0)));
    assert!(has(&d, &name(3)));
}

#[test]
fn another_policy_counts_from_sighup_on_and_labels_keep() {
    let registry = labelled(&["LABEL lighter.keep=yes", "LABEL lighter.keep=false", "LABEL a=b", "LABEL a=b"]);
    let name = |i: usize| registry.name(&format!("a:{i}"));
    let mut d = Daemon::start();
    d.forgive("the configuration stays as it is");
    d.stop();
    let file = d.directory.join("daemon.json").display().to_string();
    std::fs::write(&file, r#"{"image-gc": false, "image-gc-max-size": "10m", "image-gc-min-age": "0s"}"#).unwrap();
    d.set_flags(&["--config-file", &file]);
    d.start_again();
    (0..4).for_each(|i| drop(d.run(&["pull", "-q", &name(i)]).ok()));
    let there = || (0..4).filter(|i| has(&d, &name(*i))).collect::<Vec<_>>();
    reload(&d, r#"{"image-gc-max-size": "10m", "image-gc-min-age": "48h"}"#);
    eventually("it is on, and all were used of late", || d.log().contains("no unused image that may go is left"));
    assert_eq!(there(), [0, 1, 2, 3]);
    let keep = format!(r#""image-gc-min-age": "0s", "image-gc-keep": ["{}"]"#, name(2));
    reload(&d, &format!(r#"{{"image-gc-max-size": "10m", {keep}}}"#));
    eventually("what nothing keeps is gone", || there() == [0, 2]);
    reload(&d, &format!(r#"{{"image-gc-max-size": "5m", "image-gc-high": 200, {keep}}}"#));
    eventually("that is refused", || d.log().contains("stays as it is: invalid image-gc-high 200"));
    reload(&d, r#"{"image-gc-max-size": "5m", "image-gc-min-age": "0s"}"#);
    eventually("what the file does not name any more is gone", || there() == [0]);
    reload(&d, r#"{"image-gc-max-size": "1m", "image-gc-min-age": "0s"}"#);
    eventually("only the label keeps one", || d.log().matches("may go is left").count() == 2);
    assert_eq!(there(), [0]);
}
