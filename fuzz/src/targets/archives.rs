//! Archives: alone, unpacked below a directory, and as images.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use archive::tar::{Entry, Kind, Reader, Writer};
use archive::unpack::{self, Deletions};
use image::{Config, Images, ImportOptions};

use super::scratch;

/// More than this an input of a few KB is not worth reading: sparse files are long.
const MOST: u64 = 1 << 20;

pub fn tar(data: &[u8]) {
    let Ok((_, tar)) = archive::decompress(data) else { return };
    let mut reader = Reader::new(tar);
    while let Ok(Some(entry)) = reader.next_entry() {
        let mut file = (&mut reader).take(MOST);
        if std::io::copy(&mut file, &mut std::io::sink()).is_err() || entry.size > MOST {
            return;
        }
    }
}

/// Nothing is made or changed outside of the directory.
pub fn unpack(data: &[u8]) {
    let (outside, root) = (scratch().join("outside"), scratch().join("root"));
    let _ = fs::create_dir(&outside);
    fs::write(outside.join("file"), "untouched").expect("write");
    fs::create_dir_all(root.join("a/b")).expect("mkdir");
    let _ = std::os::unix::fs::symlink(&outside, root.join("a/out"));
    let _ = std::os::unix::fs::symlink("../../outside", root.join("up"));
    let deletions = if data.len() % 2 == 0 { Deletions::Do } else { Deletions::Mark };
    // no file of the input's own size: an entry may claim to be of terabytes, and have them, if sparse
    let _ = unpack::unpack(data.take(MOST), &root, deletions);
    assert_eq!(names(&outside), ["file"]);
    assert_eq!(fs::read(outside.join("file")).expect("read"), b"untouched");
    assert_eq!(names(scratch()), ["outside", "root"]);
    let parent = fs::File::open(scratch()).expect("open");
    archive::remove_tree(parent.as_fd(), b"root").expect("what was unpacked can be removed");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("list").flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn images() -> Images {
    let root = scratch().join("images");
    let _ = fs::remove_dir_all(&root);
    let store = Arc::new(store::Store::open(&root.join("db")).expect("store"));
    let snapshots = snapshot::open(&root.join("snapshots"), Some("native")).expect("snapshots");
    Images::open(Config { root: root.join("content"), store, snapshots, boot: String::new() }).expect("images")
}

thread_local! {
    static IMAGES: Images = images();
}

/// The parts of an image between lines of `---`: `manifest.json`, the configuration, a layer. Their digests are made
/// right, so that more than the check of digests is reached: `CONFIG` and `LAYER` in the manifest stand for the paths.
pub fn load(data: &[u8]) {
    let mut parts = split(data).into_iter();
    let mut next = || parts.next().unwrap_or_default();
    let (manifest, config, layer) = (next(), next(), next());
    let blob = |data: &[u8]| format!("blobs/sha256/{}", image::sha256(data).hex());
    let diff_id = image::sha256(layer).to_string();
    let config = String::from_utf8_lossy(config).replace("DIFF_ID", &diff_id).into_bytes();
    let manifest = String::from_utf8_lossy(manifest);
    let manifest = manifest.replace("CONFIG", &blob(&config)).replace("LAYER", &blob(layer));
    let mut tar = Writer::new(Vec::new());
    for (name, data) in
        [("manifest.json".to_owned(), manifest.as_bytes()), (blob(&config), &config), (blob(layer), layer)]
    {
        tar.file(&Entry::new(Kind::File, name.into_bytes()), data).expect("write");
    }
    let archive = tar.finish().expect("write");
    IMAGES.with(|images| {
        let loaded = images.load(&mut &*archive, true, None, &mut |_| {});
        for one in loaded.unwrap_or_default() {
            let _ = images.remove(&one.id.to_string(), true, false, &|_| vec![]);
        }
    });
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(5).position(|w| w == b"\n---\n") {
        parts.push(&rest[..at]);
        rest = &rest[at + 5..];
    }
    parts.push(rest);
    parts
}

/// Lines of changes, `---`, a root file system.
pub fn import(data: &[u8]) {
    let parts = split(data);
    let changes = String::from_utf8_lossy(parts[0]).lines().map(str::to_owned).collect();
    let root = parts.get(1).copied().unwrap_or_default();
    let options = ImportOptions { changes, ..ImportOptions::default() };
    IMAGES.with(|images| {
        if let Ok(id) = images.import(&mut root.take(MOST), options) {
            images.remove(&id.to_string(), true, false, &|_| vec![]).expect("it can be removed");
        }
    });
}
