//! What each byte is kept for.

use std::time::Duration;

use super::*;
use crate::garbage::{Account, Collection, Owner, Standing};

fn account(images: &Images) -> Account {
    let collection = Collection { wanted: 0, min_age: Duration::ZERO, is_pinned: &|_| false, in_use: &nobody };
    let account = images.account(&collection).unwrap();
    assert_eq!(account.shares.iter().map(|share| share.bytes).sum::<u64>(), images.disk_usage());
    account
}

#[test]
fn each_byte_is_somebodys() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    assert_eq!(account(&images), Account::default());
    let base = tar(&[file("shared", "12345")]);
    let models = [("a:1", "1"), ("b:1", "22")]
        .map(|(name, own)| Model { compress: gzip, ..Model::new(name, &[base.clone(), tar(&[file("own", own)])]) });
    load(&images, &oci_archive(&[&models[0], &models[1]])).unwrap();
    let [a, b] = models.map(|model| model.id());
    let found = account(&images);
    let owners: Vec<&[Owner]> = found.shares.iter().map(|share| &share.owners[..]).collect();
    let mut both = [Owner::Image(a.clone()), Owner::Image(b.clone())];
    both.sort();
    let mut expected = vec![&both[..1], &both[..], &both[1..]];
    expected.sort();
    assert_eq!(owners, expected);
    assert!(found.images.iter().all(|rest| rest.standing == Standing::Own) && found.images.len() == 2);
    // a container on an image that is removed
    images.prepare("c1", &images.get(&a).unwrap(), snapshot::Options::default()).unwrap();
    let stopped = |_: &Digest| vec![Use { container: "c1".into(), mount: String::new(), running: false }];
    images.remove(a.as_str(), true, false, &stopped).unwrap();
    let container = [Owner::Container("c1".into())];
    let held = account(&images).shares.into_iter().find(|share| share.owners == container).unwrap();
    assert_eq!(held.bytes, 1);
}
