//! What is found out about layers on their way to a registry.

use super::*;

#[test]
fn what_was_found_out_goes_after_its_layer() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let compress = |name: &'static str| {
        load(&images, &oci_archive(&[&Model::new(name, &[tar(&[file("of", name)])])])).unwrap();
        let plain = crate::sha256(&tar(&[file("of", name)]));
        assert_eq!(images.known_compressed(&plain), None);
        let made = images.compress(&plain, &mut |_| Ok(()), &mut || false).unwrap();
        assert_eq!(images.known_compressed(&plain), Some((made.digest.clone(), made.size)));
        plain
    };
    let first = compress("a:1");
    let second = compress("b:1");
    assert!(images.known_compressed(&first).is_some(), "both are there");
    images.remove("a:1", true, false, &nobody).unwrap();
    let third = compress("c:1");
    assert_eq!(images.known_compressed(&first), None);
    drop(images);
    let images = scratch.open();
    assert!(images.known_compressed(&second).is_some() && images.known_compressed(&third).is_some());
}
