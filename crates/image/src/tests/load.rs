use super::*;

fn base() -> Vec<u8> {
    tar(&[dir("etc"), file("etc/base", "base"), file("etc/both", "lower")])
}

fn top() -> Vec<u8> {
    tar(&[file("etc/both", "upper"), file("run", "program")])
}

#[test]
fn an_empty_store_is_seeded_once() {
    let scratch = Scratch::new();
    let images = scratch.open();
    let image = images.resolve("hello-world").unwrap();
    assert_eq!(image.repo_tags, ["hello-world:latest"]);
    assert_eq!(image.run_config().cmd.as_deref(), Some(&["/hello".to_owned()][..]));
    assert_eq!(image.repo_digests, [format!("hello-world@{}", image.id)]);
    let id = image.id.clone();
    drop((image, images));
    let images = scratch.open();
    assert_eq!(images.resolve("hello-world").unwrap().id, id);
    let removed = images.remove("hello-world", false, false, &nobody).unwrap();
    assert_eq!(removed, [Removed::Untagged("hello-world:latest".into()), Removed::Deleted(id)]);
    assert_eq!(scratch.inventory(), (0, 0, 0));
    drop(images);
    let images = scratch.open();
    assert!(images.list().is_empty());
    let e = images.resolve("hello-world").unwrap_err();
    assert_eq!(e.message, "No such image: hello-world:latest");
}

#[test]
fn every_kind_of_archive_gives_the_same_files() {
    type Pack = fn(&[&Model]) -> Vec<u8>;
    let packs: [(&str, Pack); 2] = [("docker", docker_archive), ("oci", oci_archive)];
    let compressions: [(&str, Compress); 5] =
        [("plain", plain), ("gzip", gzip), ("zstd", zstd), ("xz", xz), ("bzip2", bzip2)];
    let is_rare = |name: &str| matches!(name, "xz" | "bzip2");
    for (kind, pack) in packs {
        for (inner, compress) in compressions {
            for (outer, compress_outer) in compressions.into_iter().filter(|(o, _)| !is_rare(o) || inner == "gzip") {
                let scratch = Scratch::new();
                let images = open_empty(&scratch);
                let model = Model { compress, ..Model::new("a/b:1", &[base(), top()]) };
                let archive = compress_outer(&pack(&[&model]));
                let loaded = load(&images, &archive).unwrap_or_else(|e| panic!("{kind} {inner} {outer}: {e}"));
                assert_eq!(loaded.len(), 1);
                let image = images.resolve("a/b:1").unwrap();
                assert_eq!(
                    (&loaded[0].id, loaded[0].reference.as_ref().unwrap().familiar()),
                    (&image.id, "a/b:1".into())
                );
                if kind == "oci" {
                    assert_eq!(image.id, model.id());
                }
                assert_eq!(image.config_digest, crate::sha256(&model.config()));
                assert_eq!(images.content(&image.config_digest).unwrap(), model.config());
                assert_eq!(image.unpacked_size(), 4 + 5 + 5 + 7);
                assert_eq!(content_of(&images, &image, "etc/both").as_deref(), Some("upper"));
                assert_eq!(content_of(&images, &image, "etc/base").as_deref(), Some("base"));
                // manifest, configuration, two layers; byte for byte
                assert_eq!(scratch.inventory(), (4, 2, 0));
                // what other programs could not read is kept plain, where its digest is nobody's
                let kept = if kind == "docker" && is_rare(inner) { model.layers.clone() } else { model.blobs() };
                for layer in kept {
                    assert_eq!(images.content(&crate::sha256(&layer)).unwrap(), layer);
                }
                drop(images);
                let images = scratch.open();
                assert!(images.problems().is_empty());
                let again = images.resolve("a/b:1").unwrap();
                assert_eq!((again.chain.clone(), again.size()), (image.chain.clone(), image.size()));
            }
        }
    }
}

#[test]
fn a_docker_archive_gets_the_id_docker_gives_it() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let model = Model::new("x:1", &[base()]);
    let loaded = load(&images, &docker_archive(&[&model])).unwrap();
    let layer = crate::sha256(&base());
    let expected = format!(
        concat!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","#,
            r#""config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"{}","size":{}}},"#,
            r#""layers":[{{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","digest":"{}","size":{}}}]}}"#
        ),
        crate::sha256(&model.config()),
        model.config().len(),
        layer,
        base().len()
    );
    assert_eq!(loaded[0].id, crate::sha256(expected.as_bytes()));
    assert_eq!(String::from_utf8(images.content(&loaded[0].id).unwrap()).unwrap(), expected);
}

#[test]
fn messages_are_dockers() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let one = Model::new("n:1", &[base()]);
    let two = Model::new("n:1", &[base(), top()]);
    let unnamed = Model { names: vec![], ..Model::new("", &[top()]) };
    let messages = |archive: &[u8], quiet: bool| {
        let mut out = Vec::new();
        images.load(&mut &*archive, quiet, None, &mut |p| out.push(p)).unwrap();
        out
    };
    let stream = |text: &str| Progress::Stream(text.into());
    let first = messages(&docker_archive(&[&one]), false);
    assert_eq!(first.last().unwrap(), &stream("Loaded image: n:1\n"));
    let Progress::Status { id, status, current, total } = &first[0] else { panic!("{first:?}") };
    assert_eq!((id.as_str(), status.as_str()), (crate::sha256(&base()).short(), "Loading layer"));
    assert_eq!((*current, *total), (base().len() as u64, base().len() as u64));
    let old = images.resolve("n:1").unwrap().id.clone();
    assert_eq!(
        messages(&docker_archive(&[&two]), true),
        [
            stream(&format!("The image n:1 already exists, renaming the old one with ID {old} to empty string\n")),
            stream("Loaded image: n:1\n")
        ]
    );
    assert!(images.get(&old).unwrap().repo_tags.is_empty());
    let unnamed = messages(&docker_archive(&[&unnamed]), true);
    let Progress::Stream(text) = &unnamed[0] else { panic!("{unnamed:?}") };
    assert!(text.starts_with("Loaded image ID: sha256:"), "{text}");
}

#[test]
fn several_images_share_what_they_can() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let one = Model::new("one:1", &[base()]);
    let two = Model { names: vec!["two:1", "two:2", "other/two:1"], ..Model::new("", &[base(), top()]) };
    let loaded = load(&images, &oci_archive(&[&one, &two])).unwrap();
    assert_eq!(loaded.len(), 4);
    assert_eq!(images.list().len(), 2);
    assert_eq!(images.resolve("two:2").unwrap().repo_tags, ["other/two:1", "two:1", "two:2"]);
    // two layers, two configurations, two manifests
    assert_eq!(scratch.inventory(), (6, 2, 0));
    images.remove("one:1", false, false, &nobody).unwrap();
    assert_eq!(scratch.inventory(), (4, 2, 0));
    assert_eq!(content_of(&images, &images.resolve("two:1").unwrap(), "etc/base").as_deref(), Some("base"));
    // the same once more brings nothing
    load(&images, &oci_archive(&[&two])).unwrap();
    assert_eq!(scratch.inventory(), (4, 2, 0));
    assert!(images.descends(&two.id(), &two.id()));
}

#[test]
fn an_old_archive_with_links_between_layers() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let model = Model::new("x:1", &[base(), base()]);
    let config = model.config();
    let manifest =
        serde_json::json!([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}]);
    let archive = tar(&[
        dir("a"),
        file("a/VERSION", "1.0"),
        file("a/json", "{}"),
        file("a/layer.tar", base()),
        link(Kind::Symlink, "b/layer.tar", "../a/layer.tar"),
        file("c.json", config),
        file("manifest.json", manifest.to_string()),
        file("repositories", "{}"),
    ]);
    load(&images, &archive).unwrap();
    let image = images.resolve("x:1").unwrap();
    assert_eq!(image.chain.len(), 2);
    assert_eq!(scratch.inventory(), (3, 2, 0));
}

#[test]
fn an_index_keeps_its_platforms() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let ours = Model::new("multi:1", &[base()]);
    let theirs = Model { platform: ("linux", "s390x"), ..Model::new("", &[top()]) };
    let absent = Model { platform: ("linux", "riscv64"), ..Model::new("", &[base(), top()]) };
    let entry = |model: &Model| {
        serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": model.id(),
            "size": model.manifest().len(), "platform": {"os": model.platform.0, "architecture": model.platform.1}})
    };
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry(&theirs), entry(&absent), entry(&ours)]})
    .to_string();
    let id = crate::sha256(index.as_bytes());
    let top_index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.index.v1+json", "digest": id, "size": index.len(),
        "annotations": {"org.opencontainers.image.ref.name": "multi:1"}}]});
    let mut members = vec![
        file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        file("index.json", top_index.to_string()),
        blob(index.as_bytes()),
        blob(&ours.manifest()),
        blob(&ours.config()),
        blob(&base()),
    ];
    load(&images, &tar(&members)).unwrap();
    assert_eq!(scratch.inventory(), (4, 1, 0));
    // the same index again, with one more platform
    members.extend([blob(&theirs.manifest()), blob(&theirs.config()), blob(&top())]);
    load(&images, &tar(&members)).unwrap();
    let size = images.resolve("multi:1").unwrap().content_size;
    drop(images);
    let images = scratch.open();
    assert_eq!(images.resolve("multi:1").unwrap().content_size, size);
    let image = images.resolve("multi:1").unwrap();
    assert_eq!((&image.id, &image.manifest.digest), (&id, &ours.id()));
    assert_eq!(image.platform.architecture, ours.platform.1);
    // the index and two whole platforms; unpacked is ours only
    assert_eq!(scratch.inventory(), (7, 1, 0));
    // others of its platforms, asked for
    let archive = tar(&members);
    let load_for = |platform: &str| {
        let loaded = images.load(&mut &*archive, false, Some(&platform.parse().unwrap()), &mut |_| {});
        loaded.map(|_| images.resolve("multi:1").unwrap().platform.architecture.clone()).map_err(|e| e.message)
    };
    assert_eq!(load_for("linux/arm").unwrap_err(), "the archive holds no image for the platform linux/arm/v7");
    assert!(load_for("linux/s390x").unwrap_err().ends_with("remove it before it is loaded for linux/s390x"));
    assert_eq!(scratch.inventory(), (7, 1, 0));
    images.remove(id.short(), false, false, &nobody).unwrap();
    assert_eq!(load_for("linux/s390x").unwrap(), "s390x");
    images.remove(id.short(), false, false, &nobody).unwrap();
    assert_eq!(scratch.inventory(), (0, 0, 0));
}

#[test]
fn imports_in_every_compression() {
    let all = [("plain", plain as Compress), ("gzip", gzip), ("zstd", zstd), ("xz", xz), ("bzip2", bzip2)];
    for (kind, compress) in all {
        let scratch = Scratch::new();
        let images = open_empty(&scratch);
        let big = tar(&[file("data", vec![7; 3_000_000]), dir("etc"), file("etc/x", "imported")]);
        let options = ImportOptions {
            reference: Some("deb:1".parse().unwrap()),
            message: String::new(),
            changes: vec!["CMD [\"bash\"]".into(), "ENV A=b".into()],
            platform: Some("linux/arm64".parse().unwrap()),
        };
        let id = images.import(&mut &*compress(&big), options).unwrap();
        let image = images.resolve("deb:1").unwrap();
        assert_eq!((&image.id, image.chain.clone()), (&id, vec![crate::sha256(&big)]), "{kind}");
        assert_eq!(image.run_config().cmd.as_deref(), Some(&["bash".to_owned()][..]));
        assert_eq!(
            (image.run_config().env.join(" "), image.platform.to_string()),
            ("A=b".into(), "linux/arm64".into())
        );
        assert_eq!(images.history(&image).unwrap()[0].comment, "Imported from -");
        assert_eq!(content_of(&images, &image, "etc/x").as_deref(), Some("imported"));
        assert_eq!(scratch.inventory(), (3, 1, 0));
    }
}

#[test]
fn the_native_driver_serves_as_well() {
    let scratch = Scratch::new();
    let images = scratch.open_native();
    let gone = tar(&[file("etc/.wh.base", ""), file("new", "x")]);
    let model = Model { compress: gzip, ..Model::new("n:1", &[base(), top(), gone]) };
    load(&images, &docker_archive(&[&model])).unwrap();
    let image = images.resolve("n:1").unwrap();
    assert_eq!(content_of(&images, &image, "etc/both").as_deref(), Some("upper"));
    assert_eq!(content_of(&images, &image, "etc/base"), None);
    assert_eq!(content_of(&images, &image, "new").as_deref(), Some("x"));
}

#[test]
fn history_names_sizes_and_steps() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    load(&images, &oci_archive(&[&Model::new("h:1", &[base(), top()])])).unwrap();
    let image = images.resolve("h:1").unwrap();
    let rows: Vec<_> = images.history(&image).unwrap();
    let shown: Vec<_> = rows.iter().map(|r| (r.created_by.as_str(), r.size)).collect();
    assert_eq!(shown, [("ENV 1", 0), ("ADD 1", 12), ("ENV 0", 0), ("ADD 0", 9)]);
    assert_eq!((rows[0].id.as_str(), rows[0].tags.join(" ")), (image.id.as_str(), "h:1".into()));
    assert_eq!((rows[1].id.as_str(), rows[1].created, rows[0].created), ("<missing>", 1_704_164_645, 0));
}

#[test]
fn a_layer_that_vanished_is_unpacked_again() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    load(&images, &oci_archive(&[&Model::new("h:1", &[base(), top()])])).unwrap();
    let image = images.resolve("h:1").unwrap();
    drop(images);
    for form in ["layers", "erofs"] {
        let _ = fs::remove_dir_all(scratch.path().join("snapshots").join(form).join(image.chain[0].hex()));
    }
    let images = scratch.open();
    images.prepare("c1", &image, snapshot::Options::default()).unwrap();
    assert_eq!(content_of(&images, &image, "etc/base").as_deref(), Some("base"));
    images.remove("h:1", false, false, &nobody).unwrap();
    assert_eq!(scratch.inventory(), (0, 0, 0));
}
