//! Layers as directories and as EROFS side by side, and what is damaged.

use std::os::unix::fs::OpenOptionsExt;

use super::*;

fn overlay(root: &Path) -> Overlay {
    Overlay::open(root).unwrap()
}

fn erofs(root: &Path) -> Overlay {
    Overlay::open_erofs(root).unwrap()
}

/// One more layer, made of that tar.
fn add(driver: &Overlay, below: &[Digest], n: u8, tar: &[u8]) -> Vec<Digest> {
    let mut stage = driver.stage(below).unwrap();
    stage.apply(tar).unwrap();
    driver.commit(vec![(stage, digest(n))]).unwrap();
    [below, &[digest(n)]].concat()
}

fn count(scratch: &Scratch, dir: &str) -> usize {
    fs::read_dir(scratch.path().join(dir)).unwrap().count()
}

/// Everything one sees of a root filesystem but the times of names that were made for containers, and how many names a file has:
/// links to files of lower layers are copies where layers are directories.
fn seen(mount: &RootMount) -> BTreeMap<String, String> {
    let root = Mounted::new(mount);
    let see = |path: String, kind: char| {
        let at = root.at(&path);
        let meta = fs::symlink_metadata(&at).unwrap();
        let text = match kind {
            'l' => fs::read_link(&at).unwrap().display().to_string(),
            'f' if meta.is_file() => fs::read_to_string(&at).unwrap(),
            _ => String::new(),
        };
        let ours = meta.mtime() > 1_000_000_000;
        let time = if ours { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) };
        let mut names = vec![0; 256];
        let len = rustix::fs::llistxattr(&at, &mut names[..]).unwrap();
        let names = String::from_utf8_lossy(&names[..len]).replace('\0', " ");
        let what =
            format!("{kind} {:o} {}:{} {time:?} {} [{names}] {text}", meta.mode(), meta.uid(), meta.gid(), meta.rdev());
        (path, what)
    };
    root.list().into_iter().map(|(path, kind)| see(path, kind)).collect()
}

fn third() -> Vec<u8> {
    let capable = Entry {
        xattrs: vec![(b"user.note".to_vec(), b"kept".to_vec())],
        mode: 0o4755,
        ..Entry::new(Kind::File, "usr/bin/new")
    };
    tar(&[
        // what lies below it is deleted by this layer, and stays under the new name
        link(Kind::HardLink, "usr/saved", "usr/bin/tool"),
        file("usr/bin/.wh.tool"),
        link(Kind::HardLink, "etc/again", "opt/new"),
        capable,
        link(Kind::Symlink, "nowhere", "usr/dangling"),
        Entry { device: (1, 3), ..Entry::new(Kind::CharDevice, "dev/null") },
        Entry::new(Kind::Fifo, "tmp/fifo"),
    ])
}

#[test]
fn both_forms_and_every_mixture_show_the_same() {
    let tars = [base(), change(), third()];
    // which of them are made by the driver `erofs`, and how many then are
    let mixtures = [
        ([false, false, false], 0),
        ([true, true, true], 3),
        ([true, false, false], 1),
        ([true, true, false], 2),
        ([false, true, true], 0),
        ([true, false, true], 1),
    ];
    let mut expected = None;
    for (packs, number) in mixtures {
        let scratch = Scratch::new();
        let mut chain = Vec::new();
        for (n, (tar, packs)) in tars.iter().zip(packs).enumerate() {
            let driver = if packs { erofs(scratch.path()) } else { overlay(scratch.path()) };
            chain = add(&driver, &chain, n as u8 + 1, tar);
            assert!(driver.has(&chain));
            assert_eq!(driver.layers().unwrap().len(), n + 1);
        }
        assert_eq!((count(&scratch, "erofs"), count(&scratch, "layers")), (number, 3 - number), "{packs:?}");
        for driver in [overlay(scratch.path()), erofs(scratch.path())] {
            let mount = driver.prepare("c", &chain, Options::default()).unwrap();
            let view = seen(&driver.view("v", &chain).unwrap().root);
            let seen = seen(&mount);
            assert!(!view.contains_key("proc") && view.keys().all(|path| seen.contains_key(path)), "{packs:?}");
            let first = expected.get_or_insert((seen.clone(), view.clone()));
            assert_eq!(seen, first.0, "{packs:?}");
            assert_eq!(view, first.1, "{packs:?}");
            assert_eq!(driver.changes("c", &chain).unwrap(), [], "{packs:?}");
            // what a container does makes the same layer
            let root = Mounted::new(&mount);
            fs::write(root.at("srv/b"), "mine").unwrap();
            fs::remove_dir_all(root.at("opt")).unwrap();
            drop(root);
            let changes = driver.changes("c", &chain).unwrap();
            let changes: Vec<_> = changes.iter().map(|c| (String::from_utf8_lossy(&c.path), c.kind)).collect();
            let wanted = [
                ("opt".into(), ChangeKind::Deleted),
                ("srv".into(), ChangeKind::Modified),
                ("srv/b".into(), ChangeKind::Modified),
            ];
            assert_eq!(changes, wanted, "{packs:?}");
            for id in ["c", "v"] {
                driver.remove(id).unwrap();
            }
        }
        let driver = erofs(scratch.path());
        for layer in chain.iter().rev() {
            driver.remove_layer(layer).unwrap();
        }
        driver.trash().wait();
        for dir in ["erofs", "layers", "init", "staging", "roots"] {
            assert_eq!(count(&scratch, dir), 0, "{packs:?}: {dir}");
        }
    }
}

#[test]
fn an_image_is_one_layer_and_mounted_once() {
    let scratch = Scratch::new();
    let driver = erofs(scratch.path());
    let mut tars = vec![base(), change()];
    tars.extend((0..98).map(|n| tar(&[file(&format!("many/{n}"))])));
    let chain = make_layers(&driver, &tars);
    let RootMount::Overlay { lower, .. } = driver.prepare("c1", &chain, Options::default()).unwrap() else {
        panic!("no overlay")
    };
    let [Lower::Erofs(image)] = &lower[..] else { panic!("{lower:?}") };
    assert_eq!(image.devices.len(), 100);
    let device = |chain: &[Digest]| rustix::fs::fstat(driver.lowest(chain).unwrap().unwrap()).unwrap().st_dev;
    assert_eq!(device(&chain), device(&chain));
    let other = device(&chain[..99]);
    assert_ne!(device(&chain), other);
    let root = Mounted::new(&driver.current("c1", &chain).unwrap());
    assert_eq!(fs::read_dir(root.at("many")).unwrap().count(), 98);
    assert_eq!(root.read("many/97").unwrap(), "many/97");
    // where overlayfs is not asked to, nothing is mounted on this machine
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(scratch.path().to_str().unwrap()));
}

#[test]
fn a_tar_that_is_stored_is_linked() {
    let scratch = Scratch::new();
    let driver = erofs(scratch.path());
    let blob = scratch.path().join("blob");
    fs::write(&blob, base()).unwrap();
    let mut stage = driver.stage(&[]).unwrap();
    stage.apply_stored(&base()[..]).unwrap();
    stage.stored_at(&blob).unwrap();
    driver.commit(vec![(stage, digest(1))]).unwrap();
    let links = || fs::metadata(&blob).unwrap().nlink();
    assert_eq!(links(), 2);
    let shared = driver.layer_usage(&digest(1)).unwrap();
    let chain = add(&driver, &[digest(1)], 2, &change());
    assert_eq!(fs::read(scratch.path().join("erofs").join(digest(2).hex()).join("tar")).unwrap(), change());
    // the layer lives on without the blob, and its tar is its own then
    fs::remove_file(&blob).unwrap();
    assert!(driver.layer_usage(&digest(1)).unwrap().disk > shared.disk);
    let root = Mounted::new(&driver.prepare("c", &chain, Options::default()).unwrap());
    assert_eq!(root.read("etc/passwd").unwrap(), "etc/passwd");
    assert_eq!(root.read("srv/b").unwrap(), "changed");
}

#[test]
fn a_stage_without_its_tar_is_no_layer() {
    let scratch = Scratch::new();
    let driver = erofs(scratch.path());
    let mut stage = driver.stage(&[]).unwrap();
    stage.apply_stored(&base()[..]).unwrap();
    assert!(driver.commit(vec![(stage, digest(1))]).is_err());
    assert!(!driver.has(&[digest(1)]));
    assert!(driver.commit(vec![(driver.stage(&[]).unwrap(), digest(1))]).is_err());
}

/// Damages a file of layer 1 or 2, as a power cut or a person does.
fn damage(scratch: &Scratch, n: u8, name: &str, how: &str) {
    let path = scratch.path().join("erofs").join(digest(n).hex()).join(name);
    match how {
        "gone" => fs::remove_file(path).unwrap(),
        "empty" => fs::write(path, "").unwrap(),
        "cut" => {
            let len = fs::metadata(&path).unwrap().len();
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len / 2).unwrap();
        }
        _ => {
            let len = fs::metadata(&path).unwrap().len() as usize;
            let zeros = vec![0; len];
            fs::OpenOptions::new().write(true).truncate(true).mode(0o600).open(&path).unwrap();
            fs::write(path, zeros).unwrap();
        }
    }
}

#[test]
fn what_is_damaged_is_made_again_or_missing() {
    for how in ["gone", "empty", "cut", "zeros"] {
        // the image is made of the rest
        let scratch = Scratch::new();
        let chain = make_layers(&erofs(scratch.path()), &[base(), change()]);
        damage(&scratch, 2, "image", how);
        let driver = erofs(scratch.path());
        let root = Mounted::new(&driver.prepare("c", &chain, Options::default()).unwrap());
        assert_eq!(root.read("srv/b").unwrap(), "changed", "{how}");
        drop((root, driver));
        // an index is only needed for more layers and other images
        damage(&scratch, 1, "index", how);
        damage(&scratch, 2, "image", "gone");
        let driver = erofs(scratch.path());
        let missing = driver.prepare("d", &chain, Options::default()).unwrap_err();
        assert_eq!(missing.kind, ErrorKind::NotFound, "{how}: {missing}");
        assert!(!driver.has(&chain[..1]), "{how}");
        assert_eq!(driver.prepared().unwrap(), ["c"], "{how}");
        add(&driver, &[], 1, &base());
        let root = Mounted::new(&driver.prepare("d", &chain, Options::default()).unwrap());
        assert_eq!(root.read("etc/passwd").unwrap(), "etc/passwd", "{how}");
    }
}

#[test]
fn a_layer_without_its_tar_is_missing() {
    let scratch = Scratch::new();
    let chain = make_layers(&erofs(scratch.path()), &[base(), change()]);
    damage(&scratch, 1, "tar", "gone");
    let driver = erofs(scratch.path());
    assert!(!driver.has(&chain[..1]));
    let missing = driver.prepare("c", &chain, Options::default()).unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound, "{missing}");
    // another driver makes it again: then those above cannot stay what they are
    let driver = overlay(scratch.path());
    add(&driver, &[], 1, &base());
    assert!(driver.has(&chain[..1]) && !driver.has(&chain));
    add(&driver, &chain[..1], 2, &change());
    assert!(driver.has(&chain));
    let root = Mounted::new(&driver.prepare("c", &chain, Options::default()).unwrap());
    assert_eq!(root.read("srv/b").unwrap(), "changed");
    assert_eq!(root.read("etc/passwd").unwrap(), "etc/passwd");
}

/// A file of an image that is open stays as it is when all of the image is removed.
#[test]
fn removing_an_image_takes_nothing_from_who_uses_it() {
    let scratch = Scratch::new();
    let driver = erofs(scratch.path());
    let chain = make_layers(&driver, &[base(), change()]);
    let root = Mounted::new(&driver.prepare("c", &chain, Options::default()).unwrap());
    chain.iter().rev().for_each(|layer| driver.remove_layer(layer).unwrap());
    driver.trash().wait();
    assert_eq!(root.read("usr/local/tool").unwrap(), "usr/bin/tool");
    assert_eq!(driver.lowest(&chain).unwrap_err().kind, ErrorKind::NotFound);
}
