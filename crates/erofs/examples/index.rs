//! Indexes a plain tar and says how long it took: `index TAR INDEX [DIR]`; with DIR, unpacks it there too, to compare.

use std::{env, fs::File, io::BufReader, os::unix::fs::FileExt, path::Path, time::Instant};

use erofs::Device;

fn main() -> values::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [tar, index, dir @ ..] = &arguments[..] else {
        eprintln!("usage: index TAR INDEX [DIR]");
        std::process::exit(2);
    };
    let started = Instant::now();
    let file = File::open(tar)?;
    let layer = erofs::index(BufReader::with_capacity(256 << 10, &file), Device::new("", 0)?)?;
    let read = started.elapsed();
    let data = |_: &Device, at: u64, buffer: &mut [u8]| file.read_exact_at(buffer, at);
    erofs::write(&layer.tree, &data, &mut File::create(index)?)?;
    let written = started.elapsed();
    let tree = erofs::read(&File::open(index)?, "")?;
    let all = started.elapsed();
    println!("{} entries, {} bytes of files, {} inodes", layer.entries, layer.bytes, layer.tree.len());
    println!("tree {read:?}, index written {:?}: {written:?}", written - read);
    println!(
        "index of {} bytes read back {:?}, the same: {}",
        File::open(index)?.metadata()?.len(),
        all - written,
        tree == layer.tree
    );
    if let [dir] = dir {
        std::fs::create_dir_all(dir)?;
        let started = Instant::now();
        archive::unpack::unpack(&File::open(tar)?, Path::new(dir), archive::unpack::Deletions::Mark)?;
        println!("unpacked {:?}", started.elapsed());
    }
    Ok(())
}
