//! `system verify`, and pulls that mend what is damaged.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use testkit::{Daemon, Registry, RegistryOptions, eventually};

/// A daemon with `a:1` (of two plain layers, or a compressed one), pulled from the registry, by its name there.
fn pulled(registry: &Registry, compressed: bool) -> (Daemon, String) {
    let d = Daemon::with_images(&["busybox"]);
    let name = registry.name("a:1");
    d.run(&["run", "--name", "cc", "busybox", "sh", "-c", "echo two >/two"]).ok();
    if compressed {
        let file = d.directory.join("root.tar");
        d.run(&["export", "-o", &file.display().to_string(), "cc"]).ok();
        assert!(std::process::Command::new("gzip").arg("-1").arg(&file).status().expect("gzip").success());
        d.run(&["import", &file.with_extension("tar.gz").display().to_string(), &name]).ok();
    } else {
        d.run(&["commit", "cc", &name]).ok();
    }
    registry.put_image(&d, &name, "a", "1");
    d.run(&["rm", "cc"]).ok();
    d.run(&["rmi", &name, "busybox", "hello-world"]).ok();
    d.run(&["pull", "-q", &name]).ok();
    (d, name)
}

/// Files of the image's blobs: layers first, its configuration, its manifest.
fn blobs(d: &Daemon, name: &str) -> Vec<PathBuf> {
    let directory = d.directory.join("data/images/blobs/sha256");
    let id = d.inspect(name, "{{.Id}}");
    let manifest = directory.join(&id[7..]);
    let text = std::fs::read_to_string(&manifest).expect("manifest");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let of = |part: &serde_json::Value| directory.join(&part["digest"].as_str().expect("digest")[7..]);
    let mut all: Vec<PathBuf> = json["layers"].as_array().expect("layers").iter().map(of).collect();
    all.extend([of(&json["config"]), manifest]);
    all
}

/// Directories of layers, in either form.
fn layers(d: &Daemon) -> Vec<PathBuf> {
    let list = |form: &str| std::fs::read_dir(d.directory.join("data/snapshots").join(form)).expect("layers");
    list("layers").chain(list("erofs")).map(|entry| entry.expect("entry").path()).collect()
}

/// The directory of the layer with the file `two`, whose text is another thereafter.
fn damage(d: &Daemon) -> PathBuf {
    for layer in layers(d) {
        for path in [layer.join("two"), layer.join("tar")] {
            let text = std::fs::read(&path).unwrap_or_default();
            if let Some(at) = text.windows(4).position(|part| part == b"two\n") {
                let file = std::fs::OpenOptions::new().write(true).open(&path).expect("open");
                file.write_all_at(b"new\n", at as u64).expect("damage");
                return layer;
            }
        }
    }
    panic!("no layer has the file");
}

fn flip(path: &PathBuf) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("blob");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 20).expect("read");
    file.write_all_at(&[byte[0] ^ 1], 20).expect("write");
}

#[test]
fn a_pull_mends_what_is_damaged() {
    let registry = Registry::start();
    let (d, name) = pulled(&registry, false);
    a_pull_mends(d, &name);
}

/// The registry has its layers compressed, and so another manifest.
#[test]
fn a_pull_mends_what_was_made_here_and_pushed() {
    let registry = Registry::start();
    let d = Daemon::with_images(&["busybox"]);
    let name = registry.name("a:1");
    d.run(&["run", "--name", "cc", "busybox", "sh", "-c", "echo two >/two"]).ok();
    d.run(&["commit", "cc", &name]).ok();
    d.run(&["push", "-q", &name]).ok();
    d.run(&["rm", "cc"]).ok();
    d.run(&["rmi", "busybox", "hello-world"]).ok();
    a_pull_mends(d, &name);
}

#[test]
fn content_is_fetched_again_with_the_users_credentials_or_it_is_said_why_not() {
    let registry = Registry::with(RegistryOptions { users: true, ..RegistryOptions::default() });
    let d = Daemon::with_images(&["busybox"]);
    let name = registry.name("a:1");
    d.run(&["run", "--name", "cc", "busybox", "sh", "-c", "echo two >/two"]).ok();
    d.run(&["commit", "cc", &name]).ok();
    d.run(&["login", "-u", "u", "-p", "p", &registry.host()]).ok();
    d.run(&["push", "-q", &name]).ok();
    d.run(&["logout", &registry.host()]).ok();
    // of a lower layer, which another image needs, too: that one was never at a registry
    flip(&blobs(&d, &name)[0]);
    let found = d.run(&["system", "verify", "--repair"]).status(1);
    found.stdout_has("load it again (").stdout_has("no basic auth credentials");
    d.run(&["login", "-u", "u", "-p", "p", &registry.host()]).ok();
    d.run(&["system", "verify", "--repair"]).ok().stdout_has("fetched again from 127.0.0.1");
    d.run(&["run", "--rm", "busybox", "echo", "hi"]).ok().stdout("hi\n");
}

/// Something happens to an image's blobs, with `restart` while the daemon is away.
fn harmed(d: &mut Daemon, name: &str, restart: bool, harm: impl FnOnce(&[PathBuf])) {
    let blobs = blobs(d, name);
    if restart {
        d.stop();
    }
    harm(&blobs);
    if restart {
        d.start_again();
    }
}

fn a_pull_mends(mut d: Daemon, name: &str) {
    let id = d.inspect(name, "{{.Id}} {{.RepoDigests}}");
    d.run(&["system", "verify"]).ok().stdout_has("all is well\n");
    type Damage = fn(&PathBuf);
    let damage: [(&str, Damage); 3] = [
        ("flipped", flip),
        ("cut", |path| std::fs::OpenOptions::new().write(true).open(path).expect("blob").set_len(7).expect("cut")),
        ("removed", |path| std::fs::remove_file(path).expect("remove")),
    ];
    for (what, harm) in damage {
        for restart in [false, true] {
            for n in 0..4 {
                harmed(&mut d, name, restart, |blobs| harm(&blobs[n]));
                let found = d.run(&["system", "verify"]).status(1);
                found.stdout_has(name).stdout_has("pull 127.0.0.1");
                d.run(&["pull", "-q", name]).ok();
                let after = d.run(&["system", "verify"]);
                assert_eq!(after.status, 0, "{what} {n} {restart}: {after:?}");
                d.run(&["run", "--rm", name, "cat", "/two"]).ok().stdout("two\n");
                assert_eq!(d.inspect(name, "{{.Id}} {{.RepoDigests}}"), id, "{what} {n} {restart}");
                d.run(&["images", "-q", "-f", "dangling=true"]).ok().stdout("");
            }
        }
    }
    // all at once
    for restart in [false, true] {
        harmed(&mut d, name, restart, |blobs| {
            blobs.iter().for_each(|blob| std::fs::remove_file(blob).expect("remove"));
        });
        d.run(&["pull", "-q", name]).ok();
        d.run(&["system", "verify"]).ok();
        assert_eq!(d.inspect(name, "{{.Id}} {{.RepoDigests}}"), id, "{restart}");
        d.run(&["images", "-q"]).ok().stdout(&format!("{}\n", &id[7..19]));
    }
    // nor need anybody pull it
    for restart in [false, true] {
        for n in 0..4 {
            harmed(&mut d, name, restart, |blobs| flip(&blobs[n]));
            let repaired = d.run(&["system", "verify", "--repair"]);
            assert!(
                repaired.status == 0 && repaired.stdout.contains("fetched again from 127.0.0.1"),
                "{n}: {repaired:?}"
            );
            assert_eq!(d.inspect(name, "{{.Id}} {{.RepoDigests}}"), id, "{n} {restart}");
            d.run(&["images", "-q"]).ok().stdout(&format!("{}\n", &id[7..19]));
        }
    }
    for layer in layers(&d) {
        std::fs::remove_dir_all(layer).expect("remove");
    }
    d.run(&["pull", name]).ok().stdout_has(": Pull complete\n");
    d.run(&["system", "verify"]).ok();
    d.run(&["run", "--rm", name, "cat", "/two"]).ok().stdout("two\n");
}

#[test]
fn a_damaged_layer_is_named_with_those_that_need_it_and_repaired() {
    let registry = Registry::start();
    let (d, name) = pulled(&registry, true);
    d.run(&["run", "-d", "--name", "web", &name, "sleep", "1000"]).ok();
    let layer = damage(&d);
    let found = d.run(&["system", "verify"]).status(1);
    let found = found.stdout_has("layer").stdout_has(": its ").stdout_has(&format!("{name}, container web"));
    assert!(found.stdout.ends_with("1 wrong\n"), "{found:?}");
    let json = d.run(&["system", "verify", "--format", "json"]).status(1).stdout;
    assert!(json.contains(r#""Kind":"layer""#) && json.contains(r#""Repaired":"false""#), "{json}");
    d.run(&["system", "verify", "--repair"]).status(1).stdout_has("stop web and repair again");
    d.run(&["stop", "-t", "0", "web"]).ok();
    d.run(&["system", "verify", "--repair"]).ok().stdout_has("unpacked again");
    d.run(&["system", "verify"]).ok().stdout_has("all is well");
    d.run(&["start", "web"]).ok();
    d.run(&["exec", "web", "cat", "/two"]).ok().stdout("two\n");
    // a container whose layer vanished starts all the same
    d.run(&["stop", "-t", "0", "web"]).ok();
    std::fs::remove_dir_all(&layer).expect("remove");
    d.run(&["start", "web"]).ok();
    d.run(&["exec", "web", "cat", "/two"]).ok().stdout("two\n");
}

#[test]
fn what_a_container_wrote_can_be_missing() {
    let d = Daemon::with_images(&["busybox"]);
    d.run(&["create", "--name", "cc", "busybox", "echo", "hi"]).ok();
    let id = d.inspect("cc", "{{.Id}}");
    std::fs::remove_dir_all(d.directory.join("data/snapshots/roots").join(id)).expect("remove");
    d.run(&["system", "verify"]).status(1).stdout_has("what it wrote is missing").stdout_has("container cc");
    d.run(&["system", "verify", "--repair"]).ok();
    d.run(&["start", "-a", "cc"]).ok().stdout("hi\n");
}

#[test]
fn after_an_unclean_end_what_was_pulled_last_is_verified() {
    let registry = Registry::start();
    let (mut d, name) = pulled(&registry, true);
    let read = |d: &Daemon| d.run(&["run", "--rm", &name, "cat", "/two"]).ok().stdout;
    d.kill();
    damage(&d);
    d.start_again();
    eventually("it is verified", || d.log().contains("are verified"));
    assert_eq!(read(&d), "two\n");
    d.stop();
    d.start_again();
    d.stop();
    damage(&d);
    d.start_again();
    assert_eq!(read(&d), "new\n");
    d.run(&["system", "verify", "--repair"]).ok();
    assert_eq!(read(&d), "two\n");
}

#[test]
fn an_image_that_cannot_be_shown_can_be_removed() {
    let registry = Registry::start();
    let (mut d, name) = pulled(&registry, true);
    let config = blobs(&d, &name).swap_remove(1);
    d.stop();
    flip(&config);
    d.start_again();
    d.run(&["images", "-q", &name]).ok().stdout("");
    d.run(&["system", "verify"]).status(1).stdout_has("image");
    d.run(&["rmi", &name]).ok().stdout_has("Untagged: ").stdout_has("Deleted: sha256:");
    d.run(&["system", "verify"]).ok();
    assert_eq!(layers(&d), [] as [PathBuf; 0]);
}
