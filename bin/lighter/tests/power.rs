//! The power fails between every two steps of a pull, a load and a removal, and whatever the disk had not been given is lost: what
//! was committed is whole, and doing it again mends the rest.
//!
//! The disk is an ext4 in a file, by a loop device. The daemon dies at a `sys::crash::point` of the crates below, of those that come
//! by several times (each layer's) at each time; then the file is copied as it is, and the copy mounted: what is in the page cache
//! of the mounted ext4 and not in the file is gone, as is what its journal had not committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use testkit::{Daemon, Finished, Registry, eventually};

/// Those of `system verify --repair` are come by nowhere here.
const OTHERS: [&str; 1] = ["image.layer-exchanged"];

/// All points of what keeps images.
fn points() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
    let mut todo: Vec<PathBuf> =
        ["image", "snapshot", "store"].iter().map(|name| root.join(name).join("src")).collect();
    let mut found = BTreeSet::new();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(&path).expect("sources").map(|entry| entry.expect("source").path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("source");
        found
            .extend(text.split("crash::point(\"").skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)));
    }
    assert!(found.len() > 12 && OTHERS.iter().all(|other| found.remove(*other)), "{found:?}");
    found
}

/// A registry with `old:1` of one plain layer, and `new:1` of a compressed and a plain one; an archive of that and of `base:1`, its
/// lower layer alone.
fn stocked() -> (Registry, Vec<u8>) {
    let (registry, d) = (Registry::start(), Daemon::with_images(&["busybox"]));
    let [old, new, base] = ["old:1", "new:1", "base:1"].map(|name| registry.name(name));
    let root = d.directory.join("root.tar");
    d.run(&["tag", "busybox", &old]).ok();
    d.run(&["run", "--name", "one", "busybox", "sh", "-c", "echo -n one >/one"]).ok();
    d.run(&["export", "-o", &root.display().to_string(), "one"]).ok();
    assert!(std::process::Command::new("gzip").arg("-1").arg(&root).status().expect("gzip").success());
    d.run(&["import", &root.with_extension("tar.gz").display().to_string(), &base]).ok();
    d.run(&["run", "--name", "two", &base, "sh", "-c", "head -c 200000 /dev/urandom >/noise; echo -n two >/two"]).ok();
    d.run(&["commit", "two", &new]).ok();
    registry.put_image(&d, &old, "old", "1");
    registry.put_image(&d, &new, "new", "1");
    let saved = d.command(&["save", &new, &base]).output().expect("save");
    (registry, saved.stdout)
}

/// What the power fails during.
struct Deed<'a> {
    /// Makes what it needs.
    before: &'a (dyn Fn(&Daemon) + Sync),
    work: &'a (dyn Fn(&Daemon) -> Finished + Sync),
    /// Only `old:1` is there then.
    removes: bool,
}

/// A daemon with nothing but `old:1`; `None`: there are no such disks here.
fn daemon(registry: &Registry) -> Option<Daemon> {
    // it starts a hundred times, and needs no network for what it does
    match Daemon::on_ext4(96, &["--bridge", "none"]) {
        Ok(d) => {
            d.run(&["rmi", "hello-world"]).ok();
            d.run(&["pull", "-q", &registry.name("old:1")]).ok();
            Some(d)
        }
        Err(why) => {
            println!("skipped: there is no disk here whose power can fail: {why}");
            None
        }
    }
}

/// What is committed is whole, without having been mended: `old:1` in any case. The names of the others.
fn is_whole(d: &Daemon, registry: &Registry, point: &str) -> Vec<String> {
    let verified = d.run(&["system", "verify"]);
    assert!(verified.status == 0, "{point}: {verified:#?}\n{}", d.log());
    assert!(
        !d.log().contains("committed just before an unclean end:") && !d.log().contains("Done("),
        "{point}: {}",
        d.log()
    );
    let shown = d.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok().stdout;
    let mut names: Vec<String> = shown.lines().map(str::to_owned).collect();
    for name in &names {
        let known = [("old:1", "\n"), ("base:1", "one\n"), ("new:1", "onetwo\n")];
        let (_, expected) =
            known.into_iter().find(|(known, _)| registry.name(known) == *name).expect("an image of ours");
        let script = "cat /one /two 2>/dev/null; echo";
        d.run(&["run", "--rm", "--network", "none", name, "sh", "-c", script]).ok().stdout(expected);
    }
    let count = names.len();
    names.retain(|name| *name != registry.name("old:1"));
    assert_eq!(names.len() + 1, count, "{point}: {shown}");
    names
}

/// Goes through all points, and each as often as it is come by; those that it came by.
fn everywhere(mut d: Daemon, registry: &Registry, deed: &Deed<'_>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    eventually("the disk is quiet", || !d.stored().iter().any(|path| path.contains("/trash/")));
    let at_first = d.stored();
    for name in points() {
        for number in 1.. {
            let point = format!("{name}#{number}");
            (deed.before)(&d);
            d.stop();
            d.set_env("LIGHTER_CRASH_AT", &point);
            let done = if d.start_again_or_die() { Some((deed.work)(&d)) } else { None };
            let died = d.log().contains(&format!("died at {point}\n"));
            assert!(died || done.as_ref().is_some_and(|done| done.status == 0), "{point}: {done:#?}\n{}", d.log());
            d.clear_env();
            if died {
                println!("{point}");
                d.cut_power();
                d.start_again();
                if !is_whole(&d, registry, &point).is_empty() || !deed.removes {
                    (deed.work)(&d).ok();
                }
            } else {
                d.kill();
                d.start_again();
            }
            is_whole(&d, registry, &point).iter().for_each(|name| drop(d.run(&["rmi", name]).ok()));
            // blobs that were thrown away come back with the power: they wait a day for a pull
            let came_back = |path: &String| deed.removes && path.starts_with("images/partial/");
            let left = || d.stored().into_iter().filter(|path| !came_back(path)).collect::<Vec<_>>();
            eventually(&format!("{point}: nothing is left of {at_first:#?} but {:#?}", left()), || left() == at_first);
            if !died {
                break;
            }
            reached.insert(name.clone());
        }
    }
    reached
}

#[test]
fn what_is_committed_is_whole_and_the_rest_is_mended() {
    let (registry, archive) = stocked();
    let Some(daemons) = (0..3).map(|_| daemon(&registry)).collect::<Option<Vec<_>>>() else { return };
    let new = registry.name("new:1");
    let pull = |d: &Daemon| d.run(&["pull", "-q", &new]);
    let load = |d: &Daemon| d.run_with_input(&["load", "-q"], &archive);
    let remove = |d: &Daemon| d.run(&["rmi", &new]);
    let deeds = [
        Deed { before: &|_| {}, work: &pull, removes: false },
        Deed { before: &|_| {}, work: &load, removes: false },
        Deed { before: &|d| drop(pull(d).ok()), work: &remove, removes: true },
    ];
    let registry = &registry;
    let reached: BTreeSet<String> = std::thread::scope(|scope| {
        let begin = |(d, deed)| scope.spawn(move || everywhere(d, registry, deed));
        let threads: Vec<_> = daemons.into_iter().zip(&deeds).map(begin).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(reached, points(), "points that nothing comes by");
}
