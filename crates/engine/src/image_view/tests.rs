use super::*;
use std::sync::Arc;

pub(crate) fn digest(letter: char) -> Digest {
    format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap()
}

/// An image with this letter for an id, made at that second.
pub(crate) fn image(letter: char, created: &str, tags: &[&str]) -> Image {
    let manifest = spec::Descriptor::new(spec::media::OCI_MANIFEST, digest(letter), 7);
    Image {
        id: digest(letter),
        descriptor: manifest.clone(),
        manifest,
        config_digest: digest(letter),
        config: Arc::new(spec::Image {
            created: Some(created.parse().unwrap()),
            architecture: "amd64".into(),
            os: "linux".into(),
            rootfs: spec::RootFs { diff_ids: vec![digest('d')], ..spec::RootFs::default() },
            ..spec::Image::default()
        }),
        is_artifact: false,
        chain: vec![digest('c'), digest(letter)],
        layer_sizes: vec![100, 20],
        content_size: 3,
        platform: "linux/amd64".parse().unwrap(),
        parent: None,
        published: None,
        tagged_at: Timestamp::ZERO,
        repo_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        repo_digests: Vec::new(),
    }
}

#[test]
fn one_line() {
    let image = image('a', "2024-05-01T00:00:00Z", &["busybox:1"]);
    let got = summary(&image, 2);
    assert_eq!(got.id, format!("sha256:{}", "a".repeat(64)));
    assert_eq!((got.created, got.size, got.shared_size, got.containers), (1_714_521_600, 123, -1, 2));
    assert_eq!(got.descriptor.unwrap().digest, got.id);
    let json = serde_json::to_value(summary(&image, 0)).unwrap();
    assert_eq!(
        (&json["Labels"], &json["RepoDigests"], &json["ParentId"]),
        (&serde_json::Value::Null, &serde_json::json!([]), &serde_json::json!(""))
    );
}

#[test]
fn shared_layers() {
    let images = [image('a', "2024-05-01T00:00:00Z", &[]), image('b', "2024-05-01T00:00:00Z", &[])];
    let users = layer_users(&images.iter().collect::<Vec<_>>());
    assert_eq!(shared_size(&images[0], &users), 100);
    assert_eq!(shared_size(&images[0], &layer_users(&[&images[0]])), 0);
}

#[test]
fn inspected() {
    let mut image = image('a', "2024-05-01T00:00:00.5Z", &["busybox:1"]);
    let config = Arc::get_mut(&mut image.config).unwrap();
    config.config.cmd = Some(vec!["sh".into()]);
    config.config.env = vec!["A=1".into()];
    config.config.exposed_ports.insert("80/tcp".into(), spec::Empty);
    config.history.push(spec::History { comment: "Imported from -".into(), ..spec::History::default() });
    let json = serde_json::to_value(inspect(&image)).unwrap();
    assert_eq!(json["Created"], "2024-05-01T00:00:00.5Z");
    assert_eq!(json["Comment"], "Imported from -");
    assert_eq!(json["RootFS"]["Layers"][0], digest('d').as_str());
    assert_eq!(json["Config"], serde_json::json!({"ExposedPorts": {"80/tcp": {}}, "Env": ["A=1"], "Cmd": ["sh"]}));
    assert_eq!((&json["Size"], &json["Architecture"]), (&123.into(), &"amd64".into()));
    assert!(json.get("GraphDriver").is_none() && json["Metadata"] == serde_json::json!({}));
    assert_eq!(json["Descriptor"]["mediaType"], spec::media::OCI_MANIFEST);
}

#[test]
fn steps() {
    let step = image::HistoryItem {
        id: "<missing>".into(),
        created: 5,
        created_by: "RUN x".into(),
        tags: vec![],
        size: 9,
        comment: String::new(),
    };
    let json = serde_json::to_value(history(vec![step])).unwrap();
    let expected = r#"[{"Comment":"","Created":5,"CreatedBy":"RUN x","Id":"<missing>","Size":9,"Tags":null}]"#;
    assert_eq!(json.to_string(), expected);
}
