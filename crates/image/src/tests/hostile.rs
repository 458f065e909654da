//! Archives that are broken or meant to break something: an error, nothing left behind, what was there still works.

use super::*;

fn layer() -> Vec<u8> {
    tar(&[file("a", "x")])
}

fn layout(index: serde_json::Value, more: Vec<(Entry, Vec<u8>)>) -> Vec<u8> {
    let mut entries =
        vec![file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#), file("index.json", index.to_string())];
    entries.extend(more);
    tar(&entries)
}

fn manifest_entry(bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": crate::sha256(bytes), "size": bytes.len()}]})
}

#[test]
fn broken_archives_are_refused_and_leave_nothing() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let good = Model::new("good:1", &[layer()]);
    let whole = oci_archive(&[&good]);
    let escaping = Model::new("e:1", &[layer(), tar(&[file("../../escape", "x")])]);
    let not_tar = Model::new("t:1", &[b"this is no tar at all, but long enough".repeat(40)]);
    let cut_gzip = Model { compress: |b| gzip(b)[..20].to_vec(), ..Model::new("g:1", &[layer()]) };
    let mut wrong_blob = blob(&layer());
    wrong_blob.1 = b"something else".to_vec();
    let fewer = String::from_utf8(good.manifest()).unwrap();
    let fewer = serde_json::from_str::<serde_json::Value>(&fewer).map(|mut m| {
        m["layers"] = serde_json::json!([]);
        m.to_string().into_bytes()
    });
    let fewer = fewer.unwrap();
    let mut other_layer = Model::new("o:1", &[layer()]);
    let real_config = other_layer.config();
    other_layer.layers = vec![tar(&[file("b", "other")])];
    let mismatched = serde_json::json!([{"Config": "c.json", "RepoTags": ["o:1"], "Layers": ["l.tar"]}]).to_string();
    let looping = serde_json::json!({"schemaVersion": 2, "manifests": [{"digest": "sha256:00", "size": 1}]});
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "does not contain a manifest.json"),
        ("no archive", b"hello".to_vec(), "EOF"),
        ("only old repositories", tar(&[file("repositories", "{}")]), "does not contain a manifest.json"),
        ("bzip2", b"BZh91AY&SY....".to_vec(), "bzip2"),
        ("xz", b"\xfd7zXZ\0....".to_vec(), "xz"),
        ("cut", whole[..whole.len() / 2].to_vec(), "EOF"),
        ("bad json", tar(&[file("manifest.json", "[{")]), "manifest.json"),
        ("missing layer", tar(&[file("manifest.json", &mismatched), file("c.json", "{}")]), "l.tar is missing"),
        ("missing config", tar(&[file("manifest.json", &mismatched), file("l.tar", "")]), "c.json is missing"),
        (
            "another layer",
            tar(&[
                file("manifest.json", &mismatched),
                file("c.json", real_config),
                file("l.tar", &other_layer.layers[0]),
            ]),
            "invalid diffID",
        ),
        ("escaping layer", oci_archive(&[&escaping]), "leads out of the archive's root"),
        ("escaping member", tar(&[file("../x", "x")]), "leads out of the archive's root"),
        ("layer is no tar", docker_archive(&[&not_tar]), "invalid tar header"),
        ("cut gzip layer", docker_archive(&[&cut_gzip]), "layer"),
        ("lying blob", layout(manifest_entry(&good.manifest()), vec![wrong_blob]), "has digest"),
        ("missing manifest", layout(manifest_entry(&good.manifest()), vec![]), "is missing"),
        (
            "missing config blob",
            layout(manifest_entry(&good.manifest()), vec![blob(&good.manifest()), blob(&layer())]),
            "is missing",
        ),
        (
            "missing layer blob",
            layout(manifest_entry(&good.manifest()), vec![blob(&good.manifest()), blob(&good.config())]),
            "is missing",
        ),
        (
            "fewer layers",
            layout(manifest_entry(&fewer), vec![blob(&fewer), blob(&good.config())]),
            "layers length mismatch: expected 1, got 0",
        ),
        ("bad digest", layout(looping, vec![]), "index.json"),
        ("no images", layout(serde_json::json!({"manifests": []}), vec![]), "names no image"),
        ("bad blob name", tar(&[file("blobs/sha256/nothex", "x")]), "digest"),
    ];
    for (name, archive, message) in cases {
        let e = load(&images, &archive).err().unwrap_or_else(|| panic!("{name}: loaded"));
        assert!(e.message.contains(message), "{name}: {e}");
        images.snapshots.trash().wait();
        assert_eq!(scratch.inventory(), (0, 0, 0), "{name}");
        assert!(images.list().is_empty(), "{name}");
    }
    load(&images, &whole).unwrap();
    assert_eq!(images.list().len(), 1);
}

#[test]
fn broken_imports_are_refused_and_leave_nothing() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let whole = gzip(&tar(&[file("a", vec![5; 300_000])]));
    for (name, archive, message) in [
        ("empty", vec![], "the archive is empty"),
        ("text", b"<html>not found</html>".repeat(30), "invalid tar header"),
        ("cut", tar(&[file("a", vec![5; 300_000])])[..200_000].to_vec(), "unexpected EOF"),
        ("cut gzip", whole[..whole.len() - 20].to_vec(), ""),
        ("xz", b"\xfd7zXZ\0....".to_vec(), "xz"),
        ("escape", tar(&[file("../a", "x")]), "leads out of the archive's root"),
    ] {
        let e = import(&images, &archive, "i:1").err().unwrap_or_else(|| panic!("{name}: imported"));
        assert!(e.message.contains(message), "{name}: {e}");
        images.snapshots.trash().wait();
        assert_eq!(scratch.inventory(), (0, 0, 0), "{name}");
    }
    let options = ImportOptions { changes: vec!["RUN x".into()], ..ImportOptions::default() };
    let e = images.import(&mut &*whole, options).unwrap_err();
    assert_eq!(e.message, "RUN is not a valid change command");
}

/// A layer that unpacks to more than the disk holds fails, and the disk is free again.
#[test]
fn a_full_disk_fails_cleanly() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path()).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m", "lighter-test"])
        .arg(scratch.path())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: cannot mount a tmpfs");
        return;
    }
    struct Unmount<'a>(&'a Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _unmount = Unmount(scratch.path());
    let images = open_empty(&scratch);
    let small = import(&images, &tar(&[file("a", "x")]), "small:1").unwrap();
    let bomb = tar(&[file("ones", vec![1; 40 << 20])]);
    let compressed = gzip(&bomb);
    let model = Model { compress: gzip, ..Model::new("bomb:1", &[bomb]) };
    for error in
        [import(&images, &compressed, "bomb:1").unwrap_err(), load(&images, &docker_archive(&[&model])).unwrap_err()]
    {
        assert!(error.message.contains("no space left on device"), "{error}");
        images.snapshots.trash().wait();
        assert_eq!(scratch.inventory(), (3, 1, 0));
    }
    assert_eq!(content_of(&images, &images.get(&small).unwrap(), "a").as_deref(), Some("x"));
    import(&images, &tar(&[file("b", vec![1; 1 << 20])]), "again:1").unwrap();
}
