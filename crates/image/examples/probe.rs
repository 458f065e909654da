use std::{io::Read, sync::Arc, time::Instant};
fn rss() -> String { std::fs::read_to_string("/proc/self/smaps_rollup").unwrap().lines().filter(|l| l.starts_with("Pss:") || l.starts_with("Rss:")).collect::<Vec<_>>().join(" ") }
fn main() {
    let root = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let t = Instant::now();
    let store = Arc::new(store::Store::open(&root.join("db")).unwrap());
    let snapshots = snapshot::open(&root.join("snapshots"), None).unwrap();
    let images = image::Images::open(image::Config { root: root.join("images"), store: store.clone(), snapshots: snapshots.clone() }).unwrap();
    println!("open {:?} {}", t.elapsed(), rss());
    for f in std::env::args().skip(2) {
        let t = Instant::now();
        let mut file = std::fs::File::open(&f).unwrap();
        let id = images.import(&mut file as &mut dyn Read, image::ImportOptions{ reference: Some(format!("img:{}", f.rsplit('.').next().unwrap()).parse().unwrap()), ..Default::default()}).unwrap();
        println!("import {f} {:?} {id} {}", t.elapsed(), rss());
    }
    let image = images.list()[0].clone();
    let t = Instant::now();
    for i in 0..1000 { snapshots.prepare(&format!("c{i}"), &image.chain, snapshot::Options{volatile:true}).unwrap(); }
    println!("prepare x1000 {:?}", t.elapsed());
    let t = Instant::now();
    for i in 0..1000 { snapshots.remove(&format!("c{i}")).unwrap(); }
    println!("remove x1000 {:?}", t.elapsed());
    const T: store::Table<String> = store::Table::new("t", 1);
    let v = "x".repeat(2600);
    let t = Instant::now();
    for i in 0..10000 { let mut b = store::Batch::new(); b.put(&T, &format!("{i:064}"), &v).unwrap(); store.commit(b, store::Durability::Process).unwrap(); }
    println!("commit process x10000 {:?}", t.elapsed());
    let t = Instant::now();
    for i in 0..100 { let mut b = store::Batch::new(); b.put(&T, &format!("{i:064}"), &v).unwrap(); store.commit(b, store::Durability::Power).unwrap(); }
    println!("commit power x100 {:?}", t.elapsed());
    let t = Instant::now();
    for i in 0..10000 { store.get(&T, &format!("{i:064}")).unwrap(); }
    println!("get x10000 {:?} {}", t.elapsed(), rss());
    let mut b = store::Batch::new(); for i in 0..10000 { b.delete(&T, &format!("{i:064}")); } store.commit(b, store::Durability::Power).unwrap();
    snapshots.trash().wait();
    std::thread::sleep(std::time::Duration::from_secs(2));
    println!("end {}", rss());
}
