//! What was committed shortly before an end without warning.

use super::*;

fn open_in_boot(scratch: &Scratch, boot: &str) -> Images {
    open_as(scratch.path(), boot)
}

/// One file is another then; until it is repaired it is read as that.
fn damage(scratch: &Scratch, image: &Image) {
    super::verify::rewrite(scratch, image, 0, ("a", "text", "xxxx"));
}

fn text(images: &Images, image: &Image) -> String {
    content_of(images, image, "a").unwrap()
}

fn loaded(scratch: &Scratch) -> Arc<Image> {
    let images = open_in_boot(scratch, "first");
    load(&images, &oci_archive(&[&Model { compress: gzip, ..Model::new("r:1", &[tar(&[file("a", "text")])]) }]))
        .unwrap();
    images.resolve("r:1").unwrap()
}

#[test]
fn after_a_loss_of_power_they_are_looked_at_before_anybody_uses_them() {
    let scratch = Scratch::new();
    let image = loaded(&scratch);
    damage(&scratch, &image);
    let images = open_in_boot(&scratch, "second");
    assert_eq!(text(&images, &image), "text");
    assert_eq!(images.problems().len(), 1, "{:?}", images.problems());
    // once
    drop(images);
    damage(&scratch, &image);
    let images = open_in_boot(&scratch, "third");
    assert_eq!((text(&images, &image).as_str(), images.problems().len()), ("xxxx", 0));
}

#[test]
fn where_the_kernel_went_on_they_are_looked_at_later() {
    let scratch = Scratch::new();
    let image = loaded(&scratch);
    damage(&scratch, &image);
    let images = open_in_boot(&scratch, "first");
    assert_eq!(text(&images, &image), "xxxx");
    let verified = images.verify_recent(&|_| vec![], &|| false).unwrap().unwrap();
    assert_eq!((verified.layers, verified.findings.len()), (2, 1), "{verified:?}");
    assert_eq!(text(&images, &image), "text");
    assert_eq!(images.verify_recent(&|_| vec![], &|| false).unwrap(), None);
}

#[test]
fn after_a_clean_end_nothing_is_looked_at() {
    let scratch = Scratch::new();
    let image = loaded(&scratch);
    open_in_boot(&scratch, "first").close().unwrap();
    damage(&scratch, &image);
    let images = open_in_boot(&scratch, "second");
    assert_eq!(images.verify_recent(&|_| vec![], &|| false).unwrap(), None);
    assert_eq!((text(&images, &image).as_str(), images.problems().len()), ("xxxx", 0));
}

#[test]
fn they_are_recent_for_a_while() {
    let scratch = Scratch::new();
    loaded(&scratch);
    let images = open_in_boot(&scratch, "first");
    let wait = images.settle().unwrap().unwrap();
    assert!(wait.as_secs() > 60 && wait.as_secs() <= 120, "{wait:?}");
    let old = values::Timestamp { secs: values::Timestamp::now().secs - 130, nanos: 0 };
    let mut batch = store::Batch::new();
    for layer in images.store.keys(&crate::records::RECENT) {
        images.note_recent(&mut batch, &layer.parse().unwrap(), old).unwrap();
    }
    images.store.commit(batch, store::Durability::Process).unwrap();
    assert_eq!(images.settle().unwrap(), None);
    assert!(images.store.keys(&crate::records::RECENT).is_empty());
}
