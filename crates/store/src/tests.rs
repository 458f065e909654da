//! The store on a real filesystem: crashes, full disks, many threads, compaction under load.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use values::ErrorKind;

use crate::{Batch, Durability, Store, Table};

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lighter-store-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Dog {
    name: String,
    age: u32,
}

const DOGS: Table<Dog> = Table::new("dogs", 2);
const WORDS: Table<String> = Table::new("words", 1);

fn dog(name: &str, age: u32) -> Dog {
    Dog { name: name.into(), age }
}

fn put_word(store: &Store, key: &str, word: &str, durability: Durability) {
    let mut batch = Batch::new();
    batch.put(&WORDS, key, &word.to_owned()).unwrap();
    store.commit(batch, durability).unwrap();
}

fn words(store: &Store) -> BTreeMap<String, String> {
    store.all(&WORDS).unwrap().into_iter().collect()
}

#[test]
fn records_are_there_again_after_opening() {
    let dir = Scratch::new();
    {
        let store = Store::open(&dir.0).unwrap();
        let mut batch = Batch::new();
        batch.put(&DOGS, "rex", &dog("Rex", 3)).unwrap();
        batch.put(&DOGS, "bello", &dog("Bello", 5)).unwrap();
        batch.put(&WORDS, "rex", &"not a dog".to_owned()).unwrap();
        store.commit(batch, Durability::Power).unwrap();
        let mut batch = Batch::new();
        batch.delete(&DOGS, "rex");
        batch.delete(&DOGS, "nobody");
        batch.put(&DOGS, "bello", &dog("Bello", 6)).unwrap();
        store.commit(batch, Durability::Process).unwrap();
        assert_eq!(store.get(&DOGS, "rex").unwrap(), None);
    }
    let store = Store::open(&dir.0).unwrap();
    assert_eq!((store.opened().records, store.opened().cut), (2, 0));
    assert_eq!(store.all(&DOGS).unwrap(), [("bello".to_owned(), dog("Bello", 6))]);
    assert_eq!(store.get(&WORDS, "rex").unwrap().as_deref(), Some("not a dog"));
    assert!(store.contains(&WORDS, "rex") && !store.contains(&DOGS, "rex"));
    assert_eq!(store.keys(&DOGS), ["bello"]);
}

#[test]
fn one_process_at_a_time() {
    let dir = Scratch::new();
    let store = Store::open(&dir.0).unwrap();
    assert_eq!(Store::open(&dir.0).err().unwrap().kind, ErrorKind::Conflict);
    drop(store);
    Store::open(&dir.0).unwrap();
}

#[test]
fn old_schemas_are_migrated_and_newer_ones_refused() {
    const OLD: Table<String> = Table::new("dogs", 1);
    const NEW: Table<Dog> = Table::new("dogs", 3);
    fn to_two(from: u32, old: serde_json::Value) -> values::Result<serde_json::Value> {
        assert_eq!(from, 1);
        Ok(serde_json::json!({"name": old, "age": 0}))
    }
    const MIGRATING: Table<Dog> = DOGS.migrating(to_two);
    let dir = Scratch::new();
    let store = Store::open(&dir.0).unwrap();
    let mut batch = Batch::new();
    batch.put(&OLD, "rex", &"Rex".to_owned()).unwrap();
    batch.put(&NEW, "future", &dog("F", 1)).unwrap();
    store.commit(batch, Durability::Process).unwrap();
    assert_eq!(store.get(&MIGRATING, "rex").unwrap(), Some(dog("Rex", 0)));
    let e = store.get(&DOGS, "rex").unwrap_err();
    assert!(e.message.contains("no way from schema 1 to 2"), "{e}");
    let e = store.get(&DOGS, "future").unwrap_err();
    assert!(e.message.contains("a newer Lighter wrote it"), "{e}");
}

/// Cut anywhere, the file opens with a prefix of the transactions, each whole, and takes new ones.
#[test]
fn a_crash_at_any_byte_loses_only_the_end() {
    let dir = Scratch::new();
    let mut states = vec![(0, BTreeMap::new())];
    {
        let store = Store::open(&dir.0).unwrap();
        for i in 0..12 {
            let mut batch = Batch::new();
            batch.put(&WORDS, &format!("k{}", i % 5), &format!("value {i}")).unwrap();
            batch.put(&WORDS, "count", &i.to_string()).unwrap();
            if i % 4 == 3 {
                batch.delete(&WORDS, &format!("k{}", i % 3));
            }
            store.commit(batch, Durability::Process).unwrap();
            states.push((store.usage().0, words(&store)));
        }
    }
    let whole = fs::read(dir.journal()).unwrap();
    states[0].0 = 16;
    for len in 16..=whole.len() {
        let copy = Scratch::new();
        fs::write(copy.journal(), &whole[..len]).unwrap();
        let store = Store::open(&copy.0).unwrap();
        let (end, expected) = states.iter().rev().find(|(end, _)| *end <= len as u64).unwrap();
        assert_eq!(&words(&store), expected, "cut at {len}");
        assert_eq!(store.opened().cut, len as u64 - end, "cut at {len}");
        put_word(&store, "after", "the crash", Durability::Process);
        drop(store);
        let store = Store::open(&copy.0).unwrap();
        assert_eq!(store.opened().cut, 0);
        assert_eq!(words(&store).len(), expected.len() + 1);
    }
}

/// A flipped byte below what was synced is an error which changes nothing; salvage keeps all but what it hit.
#[test]
fn damage_in_the_middle_is_never_passed_over() {
    let dir = Scratch::new();
    {
        let store = Store::open(&dir.0).unwrap();
        for i in 0..6 {
            put_word(&store, &format!("k{i}"), &format!("value {i}"), Durability::Power);
        }
    }
    let whole = fs::read(dir.journal()).unwrap();
    let frame = (whole.len() - 16) / 6;
    for at in 0..16 + 4 * frame {
        let copy = Scratch::new();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(copy.journal(), &bytes).unwrap();
        let e = Store::open(&copy.0).err().unwrap_or_else(|| panic!("byte {at} passed"));
        assert!(e.message.contains("damaged at byte"), "{e}");
        assert_eq!(fs::read(copy.journal()).unwrap(), bytes);
        let salvaged = Store::salvage(&copy.0).unwrap();
        assert_eq!(salvaged.records, if at < 16 { 6 } else { 5 }, "byte {at}");
        assert_eq!(fs::read(&salvaged.kept).unwrap(), bytes);
        let store = Store::open(&copy.0).unwrap();
        assert_eq!(words(&store).len(), salvaged.records);
        assert!(words(&store).iter().all(|(k, v)| v.strip_prefix("value ") == k.strip_prefix('k')));
    }
}

/// What was never synced may be lost in any way by a power cut: zeros in the middle of it are an end, not damage.
#[test]
fn a_hole_in_what_was_not_synced_is_an_end() {
    let dir = Scratch::new();
    let synced;
    {
        let store = Store::open(&dir.0).unwrap();
        put_word(&store, "safe", "yes", Durability::Power);
        synced = store.usage().0;
        for i in 0..4 {
            put_word(&store, &format!("k{i}"), "maybe", Durability::Process);
        }
    }
    let mut bytes = fs::read(dir.journal()).unwrap();
    bytes[synced as usize..synced as usize + 30].fill(0);
    fs::write(dir.journal(), &bytes).unwrap();
    let store = Store::open(&dir.0).unwrap();
    assert_eq!(words(&store).into_keys().collect::<Vec<_>>(), ["safe"]);
    assert_eq!(store.opened().cut, bytes.len() as u64 - synced);
}

#[test]
fn many_threads_share_syncs() {
    let dir = Scratch::new();
    let store = Arc::new(Store::open(&dir.0).unwrap());
    std::thread::scope(|scope| {
        for t in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..50 {
                    put_word(store, &format!("{t}/{i}"), "x", Durability::Power);
                }
            });
        }
    });
    drop(store);
    assert_eq!(words(&Store::open(&dir.0).unwrap()).len(), 800);
}

#[test]
fn compaction_runs_beside_commits_and_keeps_what_lives() {
    let dir = Scratch::new();
    let store = Arc::new(Store::open_with_floor(&dir.0, 16 << 10).unwrap());
    let filler = "x".repeat(200);
    std::thread::scope(|scope| {
        for t in 0..4 {
            let (store, filler) = (&store, &filler);
            scope.spawn(move || {
                for i in 0..3000 {
                    let mut batch = Batch::new();
                    batch.put(&WORDS, &format!("{t}/{}", i % 10), &format!("{i} {filler}")).unwrap();
                    batch.put(&WORDS, &format!("{t}/gone"), filler).unwrap();
                    batch.delete(&WORDS, &format!("{t}/gone"));
                    let durability = if i % 100 == 0 { Durability::Power } else { Durability::Process };
                    store.commit(batch, durability).unwrap();
                    assert!(store.get(&WORDS, &format!("{t}/{}", i % 10)).unwrap().is_some());
                }
            });
        }
    });
    store.wait_for_compaction();
    let expected = words(&store);
    let (len, live) = store.usage();
    assert_eq!(expected.len(), 40);
    assert!(live < 12 << 10, "{live}");
    assert!(len < 4 << 20, "never compacted: {len}");
    drop(store);
    let store = Store::open(&dir.0).unwrap();
    assert_eq!((words(&store), store.opened().cut), (expected, 0));
    for t in 0..4 {
        for i in 0..10 {
            let word = store.get(&WORDS, &format!("{t}/{i}")).unwrap().unwrap();
            assert!(word.starts_with(&format!("{} ", 2990 + i)));
        }
    }
}

/// A crash at any point of a compaction leaves the old journal or the new one.
#[test]
fn a_left_over_new_journal_is_thrown_away() {
    let dir = Scratch::new();
    drop(Store::open(&dir.0).unwrap());
    fs::write(dir.0.join("journal.new"), b"half").unwrap();
    let store = Store::open(&dir.0).unwrap();
    assert_eq!(store.opened().records, 0);
    assert!(!dir.0.join("journal.new").exists());
}

/// A small tmpfs, mounted for one test.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let dir = Scratch::new();
        let size = format!("size={bytes}");
        let args = ["-t", "tmpfs", "-o", &size, "lighter-test"];
        let status = std::process::Command::new("mount").args(args).arg(&dir.0).status().ok()?;
        status.success().then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        &self.0.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

#[test]
fn a_full_disk_fails_one_commit_and_spoils_nothing() {
    let Some(disk) = SmallDisk::mount(256 << 10) else {
        eprintln!("skipped: cannot mount a tmpfs");
        return;
    };
    let store = Store::open(disk.path()).unwrap();
    let filler = "x".repeat(10_000);
    let mut written = 0;
    let error = loop {
        let mut batch = Batch::new();
        batch.put(&WORDS, &format!("{written:04}"), &filler).unwrap();
        match store.commit(batch, Durability::Power) {
            Ok(()) => written += 1,
            Err(e) => break e,
        }
    };
    assert!(error.message.contains("no space left on device"), "{error}");
    assert!(written > 10);
    assert_eq!(store.keys(&WORDS).len(), written);
    assert_eq!(store.get(&WORDS, "0003").unwrap().unwrap(), filler);
    let len = fs::metadata(disk.path().join("journal")).unwrap().len();
    assert_eq!(len, store.usage().0, "the failed write was not taken back");
    // A small one still fits, and so the store still works.
    put_word(&store, "small", "fits", Durability::Power);
    drop(store);
    let store = Store::open(disk.path()).unwrap();
    assert_eq!(store.opened().cut, 0);
    assert_eq!(store.keys(&WORDS).len(), written + 1);
}

/// What a record costs: not a limit to hold, but a figure to look at (`--nocapture`).
#[test]
fn ten_thousand_records() {
    let dir = Scratch::new();
    let store = Store::open(&dir.0).unwrap();
    let record = "x".repeat(2600);
    let start = std::time::Instant::now();
    for i in 0..10_000 {
        put_word(&store, &format!("{i:064}"), &record, Durability::Process);
    }
    let written = start.elapsed();
    drop(store);
    let start = std::time::Instant::now();
    let store = Store::open(&dir.0).unwrap();
    println!("10,000 commits {written:?}, open {:?}, file {} bytes", start.elapsed(), store.usage().0);
    assert_eq!(store.opened().records, 10_000);
}
