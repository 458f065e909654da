//! Images on the real filesystem. Needs root.

mod account;
mod compress;
mod crash;
mod hostile;
mod keep;
mod load;
mod names;
mod parallel;
mod pull;
mod recent;
mod verify;

use std::{
    fs,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use archive::tar::{Entry, Kind, Writer};
use snapshot::{Native, Overlay, Snapshotter};
use store::Store;
use values::{Digest, Lower, Result, RootMount};

use crate::{Config, Image, Images, ImportOptions, Loaded, Progress, Removed, Use};

/// A daemon's roots, which go away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("lighter-image-{}-{n}", std::process::id())))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn open(&self) -> Images {
        open(&self.0)
    }

    fn open_native(&self) -> Images {
        let snapshots = Arc::new(Native::open(&self.0.join("snapshots")).unwrap());
        open_with(&self.0, snapshots, "this").unwrap()
    }

    /// What is on the disk: blobs, layers, and anything in staging.
    fn inventory(&self) -> (usize, usize, usize) {
        let count = |dir: &str| fs::read_dir(self.0.join(dir)).unwrap().count();
        let staging = count("images/ingest") + count("snapshots/staging");
        (count("images/blobs/sha256"), count("snapshots/layers") + count("snapshots/erofs"), staging)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Set where layers shall be directories, not tars with an index.
const DIRECTORIES: &str = "LIGHTER_TEST_DIRECTORIES";

#[test]
fn all_that_with_directories() {
    if std::env::var_os(DIRECTORIES).is_some() {
        return;
    }
    let again = Command::new(std::env::current_exe().unwrap()).env(DIRECTORIES, "1").output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
}

fn open(root: &Path) -> Images {
    open_as(root, "this")
}

/// In the start of the machine with that name.
fn open_as(root: &Path, boot: &str) -> Images {
    let open = if std::env::var_os(DIRECTORIES).is_some() { Overlay::open } else { Overlay::open_erofs };
    open_with(root, Arc::new(open(&root.join("snapshots")).unwrap()), boot).unwrap()
}

fn open_with(root: &Path, snapshots: Arc<dyn Snapshotter>, boot: &str) -> Result<Images> {
    let store = Arc::new(Store::open(&root.join("db"))?);
    Images::open(Config { root: root.join("images"), store, snapshots, boot: boot.into() })
}

/// Without the seed, for tests that count.
fn open_empty(scratch: &Scratch) -> Images {
    let images = scratch.open();
    images.remove("hello-world", false, false, &nobody).unwrap();
    images.snapshots.trash().wait();
    images
}

fn nobody(_: &Digest) -> Vec<Use> {
    Vec::new()
}

fn dir(path: &str) -> (Entry, Vec<u8>) {
    (Entry::new(Kind::Directory, path), Vec::new())
}

fn file(path: &str, data: impl AsRef<[u8]>) -> (Entry, Vec<u8>) {
    (Entry::new(Kind::File, path), data.as_ref().to_vec())
}

fn link(kind: Kind, path: &str, target: &str) -> (Entry, Vec<u8>) {
    (Entry { link: target.into(), ..Entry::new(kind, path) }, Vec::new())
}

fn tar(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in entries {
        if entry.kind == Kind::File {
            writer.file(entry, data).unwrap();
        } else {
            writer.entry(entry).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// By the program of that name.
fn by_program(name: &str, bytes: &[u8]) -> Vec<u8> {
    use std::{io::Write, process::Stdio};
    let mut child = Command::new(name).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    by_program("xz", bytes)
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    by_program("bzip2", bytes)
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

/// An image to be put into an archive.
struct Model {
    /// Plain tars, lowest first.
    layers: Vec<Vec<u8>>,
    compress: Compress,
    names: Vec<&'static str>,
    platform: (&'static str, &'static str),
}

fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

impl Model {
    fn new(name: &'static str, layers: &[Vec<u8>]) -> Self {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        Self { layers: layers.to_vec(), compress: plain, names: vec![name], platform: ("linux", architecture) }
    }

    fn config(&self) -> Vec<u8> {
        let ids: Vec<String> = self.layers.iter().map(|l| crate::sha256(l).to_string()).collect();
        let history: Vec<_> = (0..ids.len())
            .flat_map(|i| {
                let step = serde_json::json!({"created": "2024-01-02T03:04:05Z", "created_by": format!("ADD {i}")});
                let empty = serde_json::json!({"created_by": format!("ENV {i}"), "empty_layer": true});
                [step, empty]
            })
            .collect();
        let config = serde_json::json!({
            "architecture": self.platform.1, "os": self.platform.0, "created": "2024-01-02T03:04:05.5Z",
            "config": {"Cmd": ["/run"], "Env": ["A=b"], "Labels": {"k": "v"}},
            "rootfs": {"type": "layers", "diff_ids": ids}, "history": history,
        });
        config.to_string().into_bytes()
    }

    fn blobs(&self) -> Vec<Vec<u8>> {
        self.layers.iter().map(|l| (self.compress)(l)).collect()
    }

    fn manifest(&self) -> Vec<u8> {
        let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": crate::sha256(bytes), "size": bytes.len()});
        let config = descriptor("application/vnd.oci.image.config.v1+json", &self.config());
        let layers: Vec<_> =
            self.blobs().iter().map(|b| descriptor("application/vnd.oci.image.layer.v1.tar", b)).collect();
        serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": layers})
        .to_string()
        .into_bytes()
    }

    fn id(&self) -> Digest {
        crate::sha256(&self.manifest())
    }
}

fn blob(bytes: &[u8]) -> (Entry, Vec<u8>) {
    file(&format!("blobs/sha256/{}", crate::sha256(bytes).hex()), bytes)
}

/// As `docker save` wrote it before 25.
fn docker_archive(models: &[&Model]) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut manifest = Vec::new();
    for model in models {
        let mut paths = Vec::new();
        for layer in model.blobs() {
            let path = format!("{}/layer.tar", crate::sha256(&layer).hex());
            entries.push(file(&path, &layer));
            paths.push(path);
        }
        let config = format!("{}.json", crate::sha256(&model.config()).hex());
        entries.push(file(&config, model.config()));
        manifest.push(serde_json::json!({"Config": config, "RepoTags": model.names, "Layers": paths}));
    }
    entries.push(file("manifest.json", serde_json::Value::from(manifest).to_string()));
    tar(&entries)
}

/// As `docker save` writes it now: an OCI layout, content in any order, names in annotations.
fn oci_archive(models: &[&Model]) -> Vec<u8> {
    let mut entries = vec![file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)];
    let mut manifests = Vec::new();
    for model in models {
        entries.extend(model.blobs().iter().map(|b| blob(b)));
        entries.push(blob(&model.config()));
        entries.push(blob(&model.manifest()));
        for name in &model.names {
            manifests.push(serde_json::json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": model.id(),
                "size": model.manifest().len(), "annotations": {"io.containerd.image.name": name},
            }));
        }
    }
    entries.push(file("index.json", serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string()));
    tar(&entries)
}

fn load(images: &Images, archive: &[u8]) -> Result<Vec<Loaded>> {
    images.load(&mut &*archive, false, None, &mut |_| {})
}

fn import(images: &Images, archive: &[u8], name: &str) -> Result<Digest> {
    let options = ImportOptions { reference: Some(name.parse().unwrap()), ..ImportOptions::default() };
    images.import(&mut &*archive, options)
}

/// Files of an image by path, looked up through its layers' directories.
fn content_of(images: &Images, image: &Image, path: &str) -> Option<String> {
    let root = images.snapshots.prepare("probe", &image.chain, snapshot::Options::default()).unwrap();
    let dirs = match root {
        RootMount::Directory { path } => vec![Lower::from(path)],
        RootMount::Overlay { lower, .. } | RootMount::Stack { lower } => lower,
    };
    let found = dirs.iter().find_map(|lower| match lower {
        Lower::Directory(dir) => fs::read_to_string(dir.join(path)).ok(),
        Lower::Erofs(erofs) => {
            let mount = sys::erofs::mount(&erofs.index, &erofs.devices).unwrap();
            fs::read_to_string(format!("/proc/self/fd/{}/{path}", mount.as_raw_fd())).ok()
        }
    });
    images.snapshots.remove("probe").unwrap();
    found
}
