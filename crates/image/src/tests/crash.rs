//! Death at every step: a child process of this test dies there, then the store is opened again.

use std::process::Command;

use super::*;

const ROOT: &str = "LIGHTER_TEST_ROOT";
const DIE_AT: &str = "LIGHTER_CRASH_AT";
const STEPS: [&str; 13] = [
    "image.member-staged",
    "image.blob-synced",
    "image.blob-placed",
    "snapshot.layers-settled",
    "snapshot.layers-synced",
    "snapshot.layer-named",
    "image.layer-placed",
    "image.content-synced",
    "image.record-next",
    "image.record-written",
    "image.removed",
    "image.collected",
    "snapshot.image-written",
];

fn old() -> Model {
    Model { compress: gzip, ..Model::new("old:1", &[tar(&[file("shared", "1")]), tar(&[file("old", "1")])]) }
}

fn new() -> Model {
    Model { compress: gzip, ..Model::new("new:1", &[tar(&[file("shared", "1")]), tar(&[file("new", "1")])]) }
}

/// The layer that both share, by itself.
fn base() -> Model {
    Model { compress: gzip, ..Model::new("base:1", &[tar(&[file("shared", "1")])]) }
}

/// What the child does: load an image that shares a layer with another, then remove that other one; then load one of layers that
/// are there.
#[test]
fn child() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let images = open(Path::new(&root));
    load(&images, &oci_archive(&[&new()])).unwrap();
    images.remove("old:1", false, false, &nobody).unwrap();
    load(&images, &oci_archive(&[&base()])).unwrap();
}

#[test]
fn a_crash_at_any_step_leaves_whole_images_only() {
    // only indexes are merged
    let last = STEPS.len() - usize::from(std::env::var_os(DIRECTORIES).is_some());
    for step in &STEPS[..last] {
        let step = *step;
        let scratch = Scratch::new();
        let images = open_empty(&scratch);
        load(&images, &oci_archive(&[&old()])).unwrap();
        drop(images);
        let program = std::env::current_exe().unwrap();
        let child = Command::new(program)
            .args(["--exact", "tests::crash::child", "--nocapture"])
            .env(ROOT, scratch.path())
            .env(DIE_AT, step)
            .output()
            .unwrap();
        assert!(!child.status.success(), "{step} was not reached: {}", String::from_utf8_lossy(&child.stdout));
        let images = scratch.open();
        assert!(images.problems().is_empty(), "{step}: {:?}", images.problems());
        let shown: Vec<_> = ["old:1", "new:1"].into_iter().filter(|name| images.resolve(name).is_ok()).collect();
        let expected: &[&str] = match step {
            "image.record-written" => &["old:1", "new:1"],
            "image.removed" | "image.collected" | "snapshot.image-written" => &["new:1"],
            _ => &["old:1"],
        };
        assert_eq!(shown, expected, "{step}");
        images.snapshots.trash().wait();
        // each image: manifest, configuration, two layers, one of them shared
        let many = shown.len();
        assert_eq!(scratch.inventory(), (3 * many + 1, many + 1, 0), "{step}");
        for name in shown {
            let image = images.resolve(name).unwrap();
            assert_eq!(content_of(&images, &image, "shared").as_deref(), Some("1"), "{step}");
            assert_eq!(content_of(&images, &image, &name[..3]).as_deref(), Some("1"), "{step}");
        }
        load(&images, &oci_archive(&[&new()])).unwrap();
        images.remove("new:1", false, false, &nobody).unwrap();
    }
}
