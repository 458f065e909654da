use super::*;

fn layer(text: &str) -> Vec<u8> {
    tar(&[file("file", text)])
}

fn used_by(running: bool) -> impl Fn(&Digest) -> Vec<Use> {
    move |_| vec![Use { container: "c".repeat(64), mount: String::new(), running }]
}

#[test]
fn images_are_found_as_docker_finds_them() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let id = import(&images, &layer("1"), "localhost:5000/app:v1").unwrap();
    let found = |name: &str| images.resolve(name).map(|i| i.id.clone()).map_err(|e| e.message);
    images.tag(&id, &"busy".parse().unwrap()).unwrap();
    for name in [
        "localhost:5000/app:v1",
        "busy",
        "busy:latest",
        "docker.io/library/busy",
        id.as_str(),
        id.hex(),
        id.short(),
        &id.hex()[..4],
        &format!("sha256:{}", id.short()),
        &format!("busy@{id}"),
        &format!("busy:whatever@{id}"),
    ] {
        assert_eq!(found(name), Ok(id.clone()), "{name}");
    }
    let other = "f".repeat(64);
    for (name, message) in [
        ("nope", "No such image: nope:latest"),
        ("busy:2", "No such image: busy:2"),
        ("localhost:5000/app", "No such image: localhost:5000/app:latest"),
        (&other, &*format!("No such image: {other}")),
        (&format!("sha256:{other}"), &format!("No such image: sha256:{other}")),
        (&id.hex()[..3], &format!("No such image: {}:latest", &id.hex()[..3])),
        ("Nope", "invalid reference format: repository name (library/Nope) must be lowercase"),
        ("", "invalid reference format"),
        (&format!("nope@{id}"), &format!("No such image: nope@{id}")),
    ] {
        assert_eq!(found(name), Err(message.to_owned()), "{name}");
    }
}

#[test]
fn an_ambiguous_prefix_is_refused() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    // four digits in common: chance, so look for it
    let mut seen = std::collections::HashMap::new();
    let (mut ledger_ids, mut i) = (Vec::new(), 0u64);
    while ledger_ids.is_empty() {
        let id = crate::sha256(&i.to_le_bytes());
        if let Some(other) = seen.insert(id.hex()[..4].to_owned(), id.clone()) {
            ledger_ids = vec![id, other];
        }
        i += 1;
    }
    let model = import(&images, &layer("x"), "x:1").unwrap();
    let image = images.get(&model).unwrap();
    for id in &ledger_ids {
        images.ledger().images.insert(id.clone(), Arc::new(Image { id: id.clone(), ..Image::clone(&image) }));
    }
    let e = images.resolve(&ledger_ids[0].hex()[..4]).unwrap_err();
    assert!(e.message.starts_with("ambiguous reference"), "{e}");
    assert_eq!(images.resolve(ledger_ids[0].short()).unwrap().id, ledger_ids[0]);
}

#[test]
fn a_tag_moves() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let one = import(&images, &layer("1"), "a:1").unwrap();
    let two = import(&images, &layer("2"), "b:1").unwrap();
    assert_eq!(images.tag(&two, &"a:1".parse().unwrap()).unwrap(), Some(one.clone()));
    assert_eq!(images.get(&two).unwrap().repo_tags, ["a:1", "b:1"]);
    assert!(images.get(&one).unwrap().repo_tags.is_empty());
    assert_eq!(images.tag(&two, &"a:1".parse().unwrap()).unwrap(), None);
    let missing = crate::sha256(b"nothing");
    assert_eq!(images.tag(&missing, &"a:1".parse().unwrap()).unwrap_err().message, format!("No such image: {missing}"));
    let digest = format!("a@{missing}").parse().unwrap();
    assert!(images.tag(&two, &digest).unwrap_err().message.contains("digest reference"));
    drop(images);
    let images = scratch.open();
    assert_eq!(images.resolve("a:1").unwrap().id, two);
    assert_eq!(images.list().len(), 2);
}

/// `(name, force, noprune, users)` on an image with names `n:1` and what `more` adds.
#[test]
fn removal_does_or_refuses_what_docker_does() {
    let user = "c".repeat(12);
    type Case<'a> = (&'a [&'a str], &'a str, bool, bool, Option<bool>, Result<&'a [&'a str], &'a str>);
    let cases: &[Case<'_>] = &[
        (&[], "n:1", false, false, None, Ok(&["-n:1", "!"])),
        (&[], "n:1", false, true, None, Ok(&["-n:1"])),
        (&["n:2"], "n:1", false, false, None, Ok(&["-n:1"])),
        (&["n:2"], "n:1", false, false, Some(true), Ok(&["-n:1"])),
        (&["n:2"], "ID", false, false, None, Ok(&["-n:1", "-n:2", "!"])),
        (
            &["m:1"],
            "ID",
            false,
            false,
            None,
            Err("conflict: unable to delete ID (must be forced) - image is referenced in multiple repositories"),
        ),
        (&["m:1"], "ID", true, false, None, Ok(&["-m:1", "-n:1", "!"])),
        (
            &[],
            "n:1",
            false,
            false,
            Some(false),
            Err("conflict: unable to delete n:1 (must be forced) - container USER is using its referenced image ID"),
        ),
        (&[], "n:1", true, false, Some(false), Ok(&["-n:1"])),
        (&[], "n:1", true, false, Some(true), Ok(&["-n:1"])),
        (
            &[],
            "ID",
            true,
            false,
            Some(true),
            Err("conflict: unable to delete ID (cannot be forced) - image is being used by running container USER"),
        ),
        (
            &[],
            "ID",
            false,
            false,
            Some(false),
            Err("conflict: unable to delete ID (must be forced) - image is being used by stopped container USER"),
        ),
        (&[], "ID", true, false, Some(false), Ok(&["-n:1", "!"])),
        (&[], "x:1", false, false, None, Err("No such image: x:1")),
    ];
    for (more, name, force, noprune, users, expected) in cases {
        let scratch = Scratch::new();
        let images = open_empty(&scratch);
        let id = import(&images, &layer("1"), "n:1").unwrap();
        for extra in *more {
            images.tag(&id, &extra.parse().unwrap()).unwrap();
        }
        let name = name.replace("ID", id.short());
        let uses = |i: &Digest| users.map(|running| used_by(running)(i)).unwrap_or_default();
        let result = images.remove(&name, *force, *noprune, &uses);
        let shown = result.map(|removed| {
            removed
                .iter()
                .map(|r| match r {
                    Removed::Untagged(name) => format!("-{name}"),
                    Removed::Deleted(_) => "!".into(),
                })
                .collect::<Vec<_>>()
        });
        let shown = shown.map_err(|e| e.message.replace(id.short(), "ID").replace(&user, "USER"));
        let expected = expected.map(|r| r.iter().map(|s| (*s).to_owned()).collect()).map_err(str::to_owned);
        assert_eq!(shown, expected, "{more:?} {name} {force} {users:?}");
        let gone = shown.is_ok_and(|r| r.contains(&"!".to_owned()));
        assert_eq!(images.get(&id).is_none(), gone);
        drop(images);
        assert_eq!(scratch.open().get(&id).is_none(), gone);
    }
}

#[test]
fn children_keep_their_parent() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let parent = import(&images, &layer("1"), "parent:1").unwrap();
    let child = import(&images, &layer("2"), "child:1").unwrap();
    let mut known = Image::clone(&images.get(&child).unwrap());
    known.parent = Some(parent.clone());
    images.ledger().images.insert(child.clone(), Arc::new(known));
    let e = images.remove(parent.short(), true, false, &nobody).unwrap_err();
    assert!(e.message.ends_with("(cannot be forced) - image has dependent child images"), "{e}");
    assert!(images.descends(&child, &parent) && !images.descends(&parent, &child));
    assert_eq!(images.remove("parent:1", false, false, &nobody).unwrap(), [Removed::Untagged("parent:1".into())]);
    assert!(images.get(&parent).is_some());
}

/// A stopped container outlives its image: its layers stay until it goes.
#[test]
fn a_forced_removal_leaves_a_container_its_layers() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let id = import(&images, &layer("mine"), "n:1").unwrap();
    let chain = images.get(&id).unwrap().chain.clone();
    let container = "c".repeat(64);
    images.snapshots.prepare(&container, &chain, snapshot::Options::default()).unwrap();
    images.remove(id.short(), true, false, &used_by(false)).unwrap();
    assert_eq!(scratch.inventory(), (0, 1, 0));
    drop(images);
    let images = scratch.open();
    assert_eq!(scratch.inventory(), (0, 1, 0));
    images.snapshots.mounts(&container, &chain, snapshot::Options::default()).unwrap();
    images.snapshots.remove(&container).unwrap();
    // noticed with the next removal, or the next opening
    let other = import(&images, &layer("other"), "o:1").unwrap();
    images.remove(other.short(), false, false, &nobody).unwrap();
    assert_eq!(scratch.inventory(), (0, 0, 0));
    drop(images);
    scratch.open();
    assert_eq!(scratch.inventory(), (0, 0, 0));
}
