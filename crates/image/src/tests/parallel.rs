//! Everything at once.

use super::*;

fn layer(n: usize) -> Vec<u8> {
    tar(&[dir("d"), file(&format!("d/{n}"), format!("layer {n}")), file("last", n.to_string())])
}

#[test]
fn loads_imports_and_removals_do_not_disturb_each_other() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    const NAMES: [&str; 4] = ["p:0", "p:1", "p:2", "p:3"];
    let archives: Vec<_> = (0..4)
        .map(|t| {
            // the first two layers are everybody's
            let layers: Vec<_> = [0, 1, 10 + t].map(layer).to_vec();
            let model = Model { compress: gzip, ..Model::new(NAMES[t], &layers) };
            if t % 2 == 0 { oci_archive(&[&model]) } else { docker_archive(&[&model]) }
        })
        .collect();
    std::thread::scope(|scope| {
        for t in 0..4 {
            let (images, archives) = (&images, &archives);
            scope.spawn(move || {
                for round in 0..15 {
                    load(images, &archives[t]).unwrap();
                    let image = images.resolve(NAMES[t]).unwrap();
                    let id = format!("c{t}-{round}");
                    images.prepare(&id, &image, snapshot::Options { volatile: true }).unwrap();
                    images.snapshots.remove(&id).unwrap();
                    let imported = format!("i:{t}");
                    import(images, &layer(0), &imported).unwrap();
                    images.remove(&imported, false, false, &nobody).unwrap();
                    images.remove(NAMES[t], false, false, &nobody).unwrap();
                }
            });
        }
    });
    assert!(images.list().is_empty());
    assert_eq!(scratch.inventory(), (0, 0, 0));
    drop(images);
    let images = scratch.open();
    assert!(images.list().is_empty() && images.problems().is_empty());
}

#[test]
fn the_same_archive_by_many_at_once() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let archive = oci_archive(&[&Model::new("same:1", &[layer(1), layer(2), layer(3)])]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| load(&images, &archive).unwrap());
        }
    });
    assert_eq!(images.list().len(), 1);
    images.snapshots.trash().wait();
    assert_eq!(scratch.inventory(), (5, 3, 0));
    assert_eq!(content_of(&images, &images.resolve("same:1").unwrap(), "last").as_deref(), Some("3"));
}
