//! Damage: found, named, mended.

use std::os::unix::fs::FileExt;

use super::*;
use crate::{Finding, Part, Remedy, Verification, Verified};

fn verify(images: &Images, repair: bool) -> Verified {
    verify_beside(images, repair, &[])
}

/// With containers that run.
fn verify_beside(images: &Images, repair: bool, running: &[&str]) -> Verified {
    let running_on = |_: &Digest| running.iter().map(|name| (*name).to_owned()).collect();
    let how = Verification { repair, running_on: &running_on, tell: &|_, _| {}, is_over: &|| false };
    images.verify(&how).unwrap()
}

fn only(verified: &Verified) -> &Finding {
    assert_eq!(verified.findings.len(), 1, "{verified:?}");
    &verified.findings[0]
}

fn model() -> Model {
    Model {
        compress: gzip,
        ..Model::new(
            "v:1",
            &[tar(&[dir("etc"), file("etc/a", "one")]), tar(&[file("etc/.wh.a", ""), file("b", "two")])],
        )
    }
}

fn loaded(scratch: &Scratch) -> (Images, Arc<Image>) {
    let images = open_empty(scratch);
    load(&images, &oci_archive(&[&model()])).unwrap();
    let image = images.resolve("v:1").unwrap();
    (images, image)
}

fn blob(scratch: &Scratch, digest: &Digest) -> PathBuf {
    scratch.path().join("images/blobs/sha256").join(digest.hex())
}

/// Its directory, in either form.
fn layer(scratch: &Scratch, image: &Image, n: usize) -> PathBuf {
    let of = |form: &str| scratch.path().join("snapshots").join(form).join(image.chain[n].hex());
    [of("layers"), of("erofs")].into_iter().find(|path| path.exists()).unwrap()
}

/// Other content for a layer's file, without a trace in its attributes; what is then wrong.
pub(super) fn rewrite(scratch: &Scratch, image: &Image, n: usize, (path, old, new): (&str, &str, &str)) -> String {
    let directory = layer(scratch, image, n);
    let tar = directory.join("tar");
    let (file, why) = match tar.exists() {
        true => (tar, "its tar: its content has changed".into()),
        false => (directory.join(path), format!("/{path}: its content has changed")),
    };
    let bytes = fs::read(&file).unwrap();
    let at = bytes.windows(old.len()).position(|part| part == old.as_bytes()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(new.as_bytes(), at as u64).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(time)).unwrap();
    why
}

/// Of the layers, lowest first.
fn blobs(images: &Images, image: &Image) -> Vec<Digest> {
    let manifest: oci::image::Manifest =
        serde_json::from_slice(&images.content(&image.manifest.digest).unwrap()).unwrap();
    manifest.layers.into_iter().map(|layer| layer.digest).collect()
}

/// One bit, without a trace in the file's attributes.
fn rot(path: &Path, keep_time: bool) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    let at = file.metadata().unwrap().len() / 2;
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    if keep_time {
        file.set_times(fs::FileTimes::new().set_modified(time)).unwrap();
    }
}

#[test]
fn what_is_sound_is_left_alone() {
    for native in [false, true] {
        let scratch = Scratch::new();
        let images = if native { scratch.open_native() } else { scratch.open() };
        load(&images, &oci_archive(&[&model()])).unwrap();
        import(&images, &tar(&[file("x", "y")]), "imported").unwrap();
        let verified = verify(&images, true);
        assert_eq!(verified.findings, []);
        // hello-world: three blobs, a layer
        assert_eq!((verified.blobs, verified.layers, verified.images), (3 + 4 + 3, 1 + 2 + 1, 3));
        let staging = scratch.path().join("snapshots/staging");
        assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
    }
}

#[test]
fn damaged_content_is_named_and_loaded_again() {
    for n in 0..2 {
        let scratch = Scratch::new();
        let (images, image) = loaded(&scratch);
        let digest = blobs(&images, &image)[n].clone();
        rot(&blob(&scratch, &digest), true);
        let verified = verify(&images, true);
        let finding = only(&verified);
        assert_eq!((&finding.part, &finding.images[..]), (&Part::Content(digest.clone()), &[image.id.clone()][..]));
        assert_eq!(finding.remedy, Remedy::Wanted("pull v:1, or load it again".into()));
        // it is not passed on
        let selection = images.select(&["v:1".into()], None).unwrap();
        let e = images.save(&selection, &mut Vec::new()).unwrap_err();
        assert!(e.message.contains("it is damaged"), "{e}");
        load(&images, &oci_archive(&[&model()])).unwrap();
        assert_eq!(verify(&images, false).findings, []);
        images.save(&selection, &mut Vec::new()).unwrap();
    }
}

#[test]
fn missing_content_is_named_and_the_image_still_usable() {
    let scratch = Scratch::new();
    let (images, image) = loaded(&scratch);
    let digest = blobs(&images, &image)[0].clone();
    drop(images);
    fs::remove_file(blob(&scratch, &digest)).unwrap();
    let images = scratch.open();
    assert_eq!(images.problems().len(), 1, "{:?}", images.problems());
    let image = images.resolve("v:1").unwrap();
    assert_eq!(content_of(&images, &image, "b").as_deref(), Some("two"));
    assert_eq!(only(&verify(&images, false)).why, "it is missing");
    load(&images, &oci_archive(&[&model()])).unwrap();
    assert_eq!(verify(&images, false).findings, []);
    // all is counted: it goes when the image goes
    images.remove("v:1", false, false, &nobody).unwrap();
    images.snapshots.trash().wait();
    assert_eq!(scratch.inventory(), (0, 0, 0));
}

#[test]
fn a_damaged_layer_is_unpacked_again() {
    for n in 0..2 {
        let scratch = Scratch::new();
        let (images, image) = loaded(&scratch);
        let why = rewrite(&scratch, &image, n, [("etc/a", "one", "xxx"), ("b", "two", "xxx")][n]);
        let found = verify(&images, false);
        assert_eq!(only(&found).why, why);
        assert_eq!(only(&found).part, Part::Layer(image.chain[n].clone()));
        let busy = verify_beside(&images, true, &["web", "db"]);
        assert_eq!(only(&busy).remedy, Remedy::Wanted("stop web, db and repair again".into()));
        assert_eq!(only(&verify(&images, true)).remedy, Remedy::Done("unpacked again".into()));
        assert_eq!(verify(&images, false).findings, []);
        assert_eq!(content_of(&images, &image, "b").as_deref(), Some("two"));
    }
}

#[test]
fn missing_layers_are_unpacked_again() {
    let scratch = Scratch::new();
    let (images, image) = loaded(&scratch);
    for n in 0..2 {
        fs::remove_dir_all(layer(&scratch, &image, n)).unwrap();
    }
    let found = verify(&images, false);
    assert_eq!(found.findings.iter().map(|f| f.why.as_str()).collect::<Vec<_>>(), ["it is missing"; 2]);
    assert!(verify(&images, true).findings.iter().all(|f| matches!(f.remedy, Remedy::Done(_))));
    assert_eq!(verify(&images, false).findings, []);
    // and without its blob it is not
    fs::remove_dir_all(layer(&scratch, &image, 0)).unwrap();
    fs::remove_file(blob(&scratch, &blobs(&images, &image)[0])).unwrap();
    let found = verify(&images, true);
    assert!(
        found.findings.iter().all(|f| matches!(f.remedy, Remedy::Wanted(_))) && found.findings.len() >= 2,
        "{found:?}"
    );
    // nor is it when it only seems to be there
    load(&images, &oci_archive(&[&model()])).unwrap();
    assert_eq!(verify(&images, false).findings, []);
}

#[test]
fn an_image_without_its_configuration_is_named_and_can_be_removed() {
    let scratch = Scratch::new();
    let (images, image) = loaded(&scratch);
    drop(images);
    rot(&blob(&scratch, &image.config_digest), false);
    let images = scratch.open();
    assert!(images.resolve("v:1").is_err());
    let found = verify(&images, true);
    let parts: Vec<_> = found.findings.iter().map(|f| f.part.clone()).collect();
    assert_eq!(parts, [Part::Content(image.config_digest.clone()), Part::Image(image.id.clone())]);
    drop(images);
    let images = scratch.open();
    load(&images, &oci_archive(&[&model()])).unwrap();
    assert_eq!(verify(&images, true).findings, []);
    drop(images);
    rot(&blob(&scratch, &image.config_digest), false);
    let images = scratch.open();
    let removed = images.remove("v:1", false, false, &nobody).unwrap();
    assert_eq!(removed, [Removed::Untagged("v:1".into()), Removed::Deleted(image.id.clone())]);
    images.snapshots.trash().wait();
    assert_eq!(scratch.inventory(), (0, 0, 0));
}

#[test]
fn a_name_of_nothing_is_removed() {
    let scratch = Scratch::new();
    let (images, image) = loaded(&scratch);
    let mut batch = store::Batch::new();
    batch.delete(&crate::records::IMAGES, image.id.as_str());
    images.store.commit(batch, store::Durability::Power).unwrap();
    drop(images);
    let images = scratch.open();
    assert_eq!(only(&verify(&images, false)).part, Part::Name("v:1".into()));
    assert_eq!(only(&verify(&images, true)).remedy, Remedy::Done("removed".into()));
    assert_eq!(verify(&images, false).findings, []);
}

#[test]
fn a_layer_is_not_exchanged_while_somebody_is_inside() {
    let scratch = Scratch::new();
    let (images, image) = loaded(&scratch);
    let images = Arc::new(images);
    rewrite(&scratch, &image, 1, ("b", "two", "xxx"));
    let inside = images.enter(&image.chain).unwrap();
    assert_eq!(only(&verify(&images, true)).remedy, Remedy::Wanted("somebody reads it just now: try again".into()));
    drop(inside);
    assert_eq!(only(&verify(&images, true)).remedy, Remedy::Done("unpacked again".into()));
}
