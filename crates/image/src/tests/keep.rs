//! What is about to be needed, and what is about to go.

use super::*;

#[test]
fn what_is_kept_does_not_go() {
    let scratch = Scratch::new();
    let images = Arc::new(open_empty(&scratch));
    load(&images, &oci_archive(&[&Model::new("a:1", &[tar(&[])])])).unwrap();
    let kept = images.keep("a:1").unwrap();
    let id = kept.image().id.clone();
    let again = images.keep(id.as_str()).unwrap();
    drop(kept);
    let refused = images.remove("a:1", false, false, &nobody).unwrap_err().message;
    assert!(refused.contains("container (being created) is using its referenced image"), "{refused}");
    // by force its name goes, as that of any image in use does
    assert_eq!(images.remove("a:1", true, false, &nobody).unwrap(), [Removed::Untagged("a:1".into())]);
    assert!(images.remove(id.as_str(), true, false, &nobody).is_err());
    drop(again);
    images.remove(id.as_str(), true, false, &nobody).unwrap();
    assert_eq!(scratch.inventory(), (0, 0, 0));
}

#[test]
fn what_is_leaving_is_not_found() {
    let scratch = Scratch::new();
    let images = Arc::new(scratch.open());
    let id = images.resolve("hello-world").unwrap().id.clone();
    images.ledger().leaving.insert(id.clone());
    assert_eq!(images.keep("hello-world").err().unwrap().message, "No such image: hello-world:latest");
    images.ledger().leaving.remove(&id);
    assert_eq!(images.keep("hello-world").unwrap().image().id, id);
}
