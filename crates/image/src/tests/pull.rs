//! Pulls from a registry that is a table, at the same time.

use std::{
    collections::HashMap,
    io::{Cursor, Read},
    sync::{Condvar, Mutex},
    time::Duration,
};

use oci::image::{Descriptor, media};

use super::*;
use crate::{PullEvent, PullRequest, Pulled, Remote};

/// Closed at first.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap();
        let (open, _) = self.changed.wait_timeout_while(open, Duration::from_secs(20), |open| !*open).unwrap();
        assert!(*open, "nobody opened the gate");
    }
}

#[derive(Default)]
struct Table {
    blobs: HashMap<Digest, Vec<u8>>,
    /// What was asked for.
    asked: Mutex<Vec<Digest>>,
    /// Comes when the gate is open.
    held: HashMap<Digest, Arc<Gate>>,
    /// Breaks off.
    broken: Mutex<Vec<Digest>>,
}

impl Table {
    fn of(models: &[&Model]) -> Self {
        let all = models.iter().flat_map(|m| [m.blobs(), vec![m.config(), m.manifest()]].concat());
        Self { blobs: all.map(|bytes| (crate::sha256(&bytes), bytes)).collect(), ..Self::default() }
    }

    fn times(&self, blob: &[u8]) -> usize {
        let digest = crate::sha256(blob);
        self.asked.lock().unwrap().iter().filter(|asked| **asked == digest).count()
    }
}

struct Held {
    gate: Option<Arc<Gate>>,
    broken: bool,
    bytes: Cursor<Vec<u8>>,
}

impl Read for Held {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(gate) = self.gate.take() {
            gate.wait();
        }
        if self.broken {
            return Err(std::io::Error::other("the line is dead"));
        }
        self.bytes.read(buffer)
    }
}

impl Remote for Table {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        Ok(self.blobs[&descriptor.digest].clone())
    }

    fn small(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        Ok(self.blobs[&descriptor.digest].clone())
    }

    fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>> {
        self.asked.lock().unwrap().push(descriptor.digest.clone());
        let mut bytes = Cursor::new(self.blobs[&descriptor.digest].clone());
        bytes.set_position(offset);
        let broken = self.broken.lock().unwrap().contains(&descriptor.digest);
        Ok(Box::new(Held { gate: self.held.get(&descriptor.digest).cloned(), broken, bytes }))
    }

    fn parallel(&self) -> usize {
        3
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn tell(&self, _: PullEvent<'_>) {}
}

fn pull(images: &Images, table: &Table, model: &Model) -> Result<Pulled> {
    let bytes = model.manifest();
    let reference = model.names[0].parse().unwrap();
    let descriptor = Descriptor::new(media::OCI_MANIFEST, crate::sha256(&bytes), bytes.len() as u64);
    images.pull(&PullRequest { descriptor, bytes: &bytes, platform: None, reference: Some(&reference) }, table)
}

/// Large enough to be put aside.
fn layer(name: &str) -> Vec<u8> {
    tar(&[file(name, name.repeat(100_000))])
}

fn model(name: &'static str, layers: &[&str]) -> Model {
    let layers: Vec<Vec<u8>> = layers.iter().map(|name| layer(name)).collect();
    Model::new(name, &layers)
}

#[test]
fn who_shares_a_base_does_not_wait_for_the_rest() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let (slow, quick) = (model("slow:1", &["base", "more", "large"]), model("quick:1", &["base", "more", "small"]));
    let mut table = Table::of(&[&slow, &quick]);
    let (base, large) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    table.held.insert(crate::sha256(&layer("base")), base.clone());
    table.held.insert(crate::sha256(&layer("large")), large.clone());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| pull(&images, &table, &slow).unwrap());
        while table.times(&layer("large")) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let second = scope.spawn(|| pull(&images, &table, &quick).unwrap());
        // its own layer is fetched while the base is another's
        while table.times(&layer("small")) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        base.open();
        second.join().unwrap();
        let image = images.resolve("quick:1").unwrap();
        assert_eq!(content_of(&images, &image, "base").map(|text| text.len()), Some(400_000));
        assert!(images.resolve("slow:1").is_err());
        large.open();
        first.join().unwrap();
    });
    for name in ["base", "more", "large", "small"] {
        assert_eq!(table.times(&layer(name)), 1, "{name}");
    }
    assert_eq!(scratch.inventory(), (4 + 4, 4, 0));
}

#[test]
fn the_same_by_many_is_fetched_once() {
    for native in [false, true] {
        let scratch = Scratch::new();
        let images = if native { scratch.open_native() } else { scratch.open() };
        let model = model("same:1", &["a", "b", "c", "d", "e"]);
        let table = Table::of(&[&model]);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| pull(&images, &table, &model).unwrap());
            }
        });
        let asked = table.asked.lock().unwrap().len();
        assert_eq!(asked, 5);
        assert_eq!(images.list().len(), 2);
    }
}

/// Blobs at other places of each other's chains, loads of the same, and removals.
#[test]
fn nobody_waits_for_one_who_waits_for_him() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let models = [
        model("x:1", &["a", "b", "c"]),
        model("y:1", &["c", "b", "a"]),
        model("z:1", &["b", "a", "c", "b"]),
        model("w:1", &["a", "b", "d"]),
    ];
    let table = Table::of(&models.iter().collect::<Vec<_>>());
    let archives: Vec<Vec<u8>> = models.iter().map(|model| oci_archive(&[model])).collect();
    for _ in 0..6 {
        std::thread::scope(|scope| {
            for (i, model) in models.iter().enumerate() {
                let (images, table, archive) = (&images, &table, &archives[i]);
                scope.spawn(move || pull(images, table, model).unwrap());
                scope.spawn(move || load(images, archive).unwrap());
            }
        });
        for model in &models {
            let image = images.resolve(model.names[0]).unwrap();
            assert!(content_of(&images, &image, "a").is_some());
            images.remove(model.names[0], false, false, &nobody).unwrap();
        }
        images.snapshots.trash().wait();
        assert_eq!(scratch.inventory(), (0, 0, 0));
    }
    assert!(images.claimed().is_empty());
}

#[test]
fn what_came_before_a_failure_need_not_come_again() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let model = model("f:1", &["a", "b", "c"]);
    let table = Table::of(&[&model]);
    table.broken.lock().unwrap().push(crate::sha256(&layer("c")));
    let e = pull(&images, &table, &model).unwrap_err();
    assert!(e.message.contains("the line is dead"), "{e}");
    images.snapshots.trash().wait();
    assert_eq!(scratch.inventory(), (0, 0, 0));
    assert!(images.resolve("f:1").is_err() && images.claimed().is_empty());
    table.broken.lock().unwrap().clear();
    let before = table.times(&layer("a"));
    pull(&images, &table, &model).unwrap();
    // what is there whole is asked for from its end on
    assert!(table.times(&layer("a")) <= before + 1);
    let partial = fs::read_dir(scratch.path().join("images/partial")).unwrap().count();
    assert_eq!(partial, 0);
}

#[test]
fn what_came_before_a_death_waits_aside() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let mut lease = images.lease();
    for bytes in [layer("a"), b"small".to_vec()] {
        lease.place(images.content.stage_bytes(&bytes).unwrap()).unwrap();
    }
    std::mem::forget(lease);
    drop(images);
    let images = scratch.open();
    let aside = scratch.path().join("images/partial").join(crate::sha256(&layer("a")).hex());
    assert!(aside.exists());
    assert_eq!(scratch.inventory(), (0, 0, 0));
    let model = model("g:1", &["a"]);
    pull(&images, &Table::of(&[&model]), &model).unwrap();
    assert!(!aside.exists());
}

#[test]
fn zeros_of_a_plain_layer_need_no_room() {
    use std::os::unix::fs::MetadataExt;

    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let layer = tar(&[file("zeros", vec![0; 8 << 20]), file("end", "end")]);
    let model = Model::new("z:1", std::slice::from_ref(&layer));
    // the beginning of it came before
    fs::write(scratch.path().join("images/partial").join(crate::sha256(&layer).hex()), &layer[..100_000]).unwrap();
    pull(&images, &Table::of(&[&model]), &model).unwrap();
    let blob = scratch.path().join("images/blobs/sha256").join(crate::sha256(&layer).hex());
    assert!(fs::read(&blob).unwrap() == layer);
    assert!(fs::metadata(&blob).unwrap().blocks() * 512 < 1 << 20);
    let image = images.resolve("z:1").unwrap();
    assert_eq!(content_of(&images, &image, "end").as_deref(), Some("end"));
}

#[test]
fn one_to_be_made_whole_is_no_other_that_the_registry_has() {
    let scratch = Scratch::new();
    let images = open_empty(&scratch);
    let model = model("there:1", &["some"]);
    let (table, bytes) = (Table::of(&[&model]), model.manifest());
    let whole = || {
        let descriptor = Descriptor::new(media::OCI_MANIFEST, crate::sha256(&bytes), bytes.len() as u64);
        images.pull(&PullRequest { descriptor, bytes: &bytes, platform: None, reference: None }, &table)
    };
    assert_eq!(whole().unwrap_err().kind, values::ErrorKind::NotFound);
    assert!(images.list().is_empty() && table.asked.lock().unwrap().is_empty());
    pull(&images, &table, &model).unwrap();
    assert!(!whole().unwrap().is_news);
}

#[test]
fn one_of_another_platform_is_made_whole_as_that() {
    let scratch = Scratch::new();
    let here = model("some:1", &["here"]);
    let other = Model { platform: ("linux", "riscv64"), ..model("some:1", &["there"]) };
    let manifests: Vec<_> = [&here, &other]
        .map(|model| {
            serde_json::json!({"mediaType": media::OCI_MANIFEST, "digest": model.id(), "size": model.manifest().len(),
                "platform": {"os": "linux", "architecture": model.platform.1}})
        })
        .into();
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": manifests});
    let (table, bytes) = (Table::of(&[&here, &other]), index.to_string().into_bytes());
    let id = crate::sha256(&bytes);
    let (name, platform) = ("some:1".parse().unwrap(), "linux/riscv64".parse().unwrap());
    let descriptor = || Descriptor::new(media::OCI_INDEX, id.clone(), bytes.len() as u64);
    let request =
        PullRequest { descriptor: descriptor(), bytes: &bytes, platform: Some(&platform), reference: Some(&name) };
    let images = open_empty(&scratch);
    images.pull(&request, &table).unwrap();
    drop(images);
    let config = crate::sha256(&other.config());
    fs::remove_file(scratch.path().join("images/blobs/sha256").join(config.hex())).unwrap();
    let images = scratch.open();
    assert!(images.resolve("some:1").is_err());
    let request = PullRequest { descriptor: descriptor(), bytes: &bytes, platform: None, reference: None };
    assert_eq!(images.pull(&request, &table).unwrap().platform.architecture, "riscv64");
    assert_eq!(images.resolve("some:1").unwrap().platform.architecture, "riscv64");
}
