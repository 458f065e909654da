//! Whatever a registry holds comes through pull, save, load and push with every digest, by both clients.

use std::process::{Command, Stdio};
use std::sync::Arc;

use archive::tar::{Entry, Kind, Writer};
use serde_json::{Value, json};
use testkit::{Cli, Daemon, Registry, Told, Web, digest, real_docker};

const DOCKER: [&str; 2] =
    ["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json"];
const OCI: [&str; 2] = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json"];
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn clients() -> impl Iterator<Item = Cli> {
    [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten()
}

fn busybox() -> Vec<u8> {
    std::fs::read("/var/cache/lighter-tests/busybox.tar").expect("busybox.tar")
}

/// A layer of one file, `/made`.
fn made(text: &str) -> Vec<u8> {
    let mut tar = Writer::new(Vec::new());
    tar.file(&Entry::new(Kind::File, *b"made"), text.as_bytes()).expect("a tar");
    tar.finish().expect("a tar")
}

fn packed(program: &str, bytes: &[u8]) -> Vec<u8> {
    if program.is_empty() {
        return bytes.to_vec();
    }
    let mut child = Command::new(program)
        .args(["-c", "-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/test-setup.sh installs it");
    let mut stdin = child.stdin.take().expect("stdin");
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut stdin, bytes).expect("it reads"));
        child.wait_with_output().expect("its output").stdout
    })
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

/// What an image is put together of.
struct Image {
    kinds: [&'static str; 2],
    layer: &'static str,
    packed: &'static str,
    architecture: &'static str,
    text: &'static str,
}

impl Image {
    fn layers(&self) -> [Vec<u8>; 2] {
        [busybox(), made(self.text)]
    }

    /// Into the registry; the manifest. Of a layer with `urls` the blob is left out.
    fn put(&self, registry: &Registry, name: &str, tag: &str, urls: &[String]) -> Vec<u8> {
        let layers = self.layers();
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let config = json!({"architecture": self.architecture, "os": "linux", "config": {"Cmd": ["cat", "/made"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        .to_string();
        registry.put_blob(name, config.as_bytes());
        let mut descriptors = Vec::new();
        for layer in &layers {
            let blob = packed(self.packed, layer);
            let mut descriptor = self::descriptor(self.layer, &blob);
            if urls.is_empty() {
                registry.put_blob(name, &blob);
            } else {
                descriptor["urls"] = urls.iter().map(|url| format!("{url}{}", digest(&blob))).collect();
            }
            descriptors.push(descriptor);
        }
        let config = self::descriptor(self.kinds[1], config.as_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": self.kinds[0], "config": config, "layers": descriptors});
        let manifest = manifest.to_string().into_bytes();
        registry.put_manifest(name, tag, self.kinds[0], &manifest);
        manifest
    }
}

const OURS: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
const OTHER: &str = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };

fn image(kinds: [&'static str; 2], layer: &'static str, packed: &'static str) -> Image {
    Image { kinds, layer, packed, architecture: OURS, text: "it came through\n" }
}

/// Saved, forgotten, loaded, pushed to another registry: everything is still what it was.
fn comes_through(daemon: &Daemon, from: &str, whole: &str, blobs: &[String]) {
    let other = Registry::start();
    let file = daemon.directory.join("saved.tar").display().to_string();
    let id = || daemon.run(&["image", "inspect", "-f", "{{.Id}}", from]).ok().text().to_owned();
    assert_eq!(id(), whole);
    daemon.run(&["save", "-o", &file, from]).ok();
    daemon.run(&["rmi", from]).ok();
    daemon.run(&["load", "-i", &file]).ok().stdout_has(&format!("Loaded image: {from}\n"));
    assert_eq!(id(), whole);
    let to = other.name("copy/of:1");
    daemon.run(&["tag", from, &to]).ok();
    daemon.run(&["push", &to]).ok().stdout_has(&format!("1: digest: {whole} size: "));
    assert_eq!(other.tag("copy/of", "1").as_deref(), Some(whole));
    for blob in blobs {
        let kept = std::fs::read(other.blob(&blob[7..])).unwrap_or_else(|e| panic!("{blob}: {e}"));
        assert_eq!(digest(&kept), *blob);
    }
    daemon.run(&["rmi", from, &to]).ok();
}

/// Digests of all that a manifest names.
fn named_in(manifest: &[u8]) -> Vec<String> {
    let manifest: Value = serde_json::from_slice(manifest).expect("a manifest");
    let layers = manifest["layers"].as_array().expect("layers");
    [&manifest["config"]]
        .into_iter()
        .chain(layers)
        .map(|d| d["digest"].as_str().expect("a digest").to_owned())
        .collect()
}

#[test]
fn manifests_and_layers_of_every_kind() {
    let (registry, mut daemon) = (Registry::start(), Daemon::start());
    let kinds = [
        ("schema2-gzip", image(DOCKER, "application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip")),
        ("schema2-plain", image(DOCKER, "application/vnd.docker.image.rootfs.diff.tar", "")),
        ("oci-gzip", image(OCI, "application/vnd.oci.image.layer.v1.tar+gzip", "gzip")),
        ("oci-zstd", image(OCI, "application/vnd.oci.image.layer.v1.tar+zstd", "zstd")),
        ("oci-plain", image(OCI, "application/vnd.oci.image.layer.v1.tar", "")),
    ];
    for (name, image) in &kinds {
        let manifest = image.put(&registry, name, "1", &[]);
        let from = registry.name(&format!("{name}:1"));
        for cli in clients() {
            daemon.set_cli(cli);
            daemon.run(&["pull", &from]).ok().stdout_has(&format!("Digest: {}\n", digest(&manifest)));
            daemon.run(&["run", "--rm", &from]).ok().stdout("it came through\n");
            comes_through(&daemon, &from, &digest(&manifest), &named_in(&manifest));
        }
    }
}

#[test]
fn layers_that_are_kept_elsewhere() {
    let (registry, mut daemon) = (Registry::start(), Daemon::start());
    let image = image(DOCKER, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "gzip");
    let blobs: Arc<Vec<Vec<u8>>> = Arc::new(image.layers().iter().map(|layer| packed("gzip", layer)).collect());
    let given = blobs.clone();
    let web = Web::serve("127.0.0.1", move |asked| {
        given
            .iter()
            .find(|blob| asked.target.ends_with(&digest(blob)))
            .map_or(Told::status(404), |b| Told::body(b.clone()))
    });
    let manifest = image.put(&registry, "foreign", "1", &[format!("http://{}/layers/", web.host())]);
    let from = registry.name("foreign:1");
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["run", "--rm", &from]).ok().stdout("it came through\n");
        comes_through(&daemon, &from, &digest(&manifest), &named_in(&manifest));
    }
    assert!(web.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

#[test]
fn indexes_of_several_platforms() {
    let (registry, mut daemon) = (Registry::start(), Daemon::start());
    for (name, index, kinds, layer) in [
        ("list", LIST, DOCKER, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        ("index", INDEX, OCI, "application/vnd.oci.image.layer.v1.tar+gzip"),
    ] {
        let ours = image(kinds, layer, "gzip");
        let other = Image { architecture: OTHER, text: "of another machine\n", ..image(kinds, layer, "gzip") };
        let manifests =
            [&ours, &other].map(|image| (image.architecture, image.put(&registry, name, image.architecture, &[])));
        let entries: Vec<Value> = manifests
            .iter()
            .map(|(architecture, bytes)| {
                let mut entry = descriptor(kinds[0], bytes);
                entry["platform"] = json!({"os": "linux", "architecture": architecture});
                entry
            })
            .collect();
        let all = json!({"schemaVersion": 2, "mediaType": index, "manifests": entries}).to_string();
        let whole = registry.put_manifest(name, "1", index, all.as_bytes());
        let from = registry.name(&format!("{name}:1"));
        for cli in clients() {
            daemon.set_cli(cli);
            for architecture in [OTHER, OURS] {
                let platform = format!("linux/{architecture}");
                daemon.run(&["pull", "--platform", &platform, &from]).ok().stdout_has(&format!("Digest: {whole}\n"));
                assert_eq!(daemon.inspect(&from, "{{.Architecture}} {{.Id}}"), format!("{architecture} {whole}"));
            }
            daemon.run(&["run", "--rm", &from]).ok().stdout("it came through\n");
            let blobs: Vec<String> =
                manifests.iter().flat_map(|(_, m)| named_in(m).into_iter().chain([digest(m)])).collect();
            comes_through(&daemon, &from, &whole, &blobs);
        }
    }
}

#[test]
fn artifacts_are_kept_and_not_run() {
    let (registry, mut daemon) = (Registry::start(), Daemon::start());
    let (config, chart) = (b"{\"name\":\"chart\"}", b"whatever a chart is");
    registry.put_blob("chart", config);
    registry.put_blob("chart", chart);
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI[0], "artifactType": "application/x.chart",
        "config": descriptor("application/x.chart.config+json", config),
        "layers": [descriptor("application/x.chart.content", chart)]})
    .to_string()
    .into_bytes();
    let whole = registry.put_manifest("chart", "1", OCI[0], &manifest);
    let from = registry.name("chart:1");
    for cli in clients() {
        daemon.set_cli(cli);
        daemon.run(&["pull", &from]).ok().stdout_has(&format!("Digest: {whole}\n"));
        let refused = format!("{from} is an artifact and has no root filesystem to run");
        daemon.run(&["run", "--rm", &from]).status(125).stderr_has(&refused);
        daemon.run(&["create", &from, "true"]).status(1).stderr_has(&refused);
        daemon.run(&["images"]).ok().stdout_has("chart");
        daemon.run(&["history", &from]).ok();
        comes_through(&daemon, &from, &whole, &named_in(&manifest));
    }
}
