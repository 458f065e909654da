//! The reader against our own writer and against GNU tar.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
    process::Command,
};

use archive::tar::{Entry, Kind, Reader, Writer};
use values::Timestamp;

fn read_all(bytes: &[u8]) -> values::Result<Vec<(Entry, Vec<u8>)>> {
    let mut reader = Reader::new(bytes);
    let mut out = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut data = Vec::new();
        reader.read_to_end(&mut data).map_err(|e| values::Error::invalid(e.to_string()))?;
        out.push((entry, data));
    }
    Ok(out)
}

fn samples() -> Vec<(Entry, &'static [u8])> {
    let long = "d/".repeat(200) + "file";
    let mut odd = Entry::new(Kind::File, long.into_bytes());
    odd.uid = 4_000_000_000;
    odd.gid = 2_097_152;
    odd.mode = 0o4755;
    odd.mtime = Timestamp { secs: -5, nanos: 250_000_000 };
    odd.atime = Some(Timestamp { secs: 7, nanos: 1 });
    odd.xattrs = vec![(b"user.a".to_vec(), b"with\0zero\nand=line".to_vec())];
    let mut link = Entry::new(Kind::Symlink, *b"link");
    link.link = vec![b't'; 300];
    let mut hard = Entry::new(Kind::HardLink, "h\u{e9}".as_bytes());
    hard.link = b"plain".to_vec();
    let mut device = Entry::new(Kind::CharDevice, *b"dev/null");
    device.device = (1, 3);
    vec![
        (Entry::new(Kind::Directory, *b"dir/"), b""),
        (Entry::new(Kind::File, *b"plain"), b"hello"),
        (odd, &[7; 513]),
        (link, b""),
        (hard, b""),
        (device, b""),
        (Entry::new(Kind::Fifo, *b"fifo"), b""),
    ]
}

fn write_all(entries: &[(Entry, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in entries {
        if entry.kind == Kind::File {
            writer.file(entry, data).unwrap();
        } else {
            writer.entry(entry).unwrap();
        }
    }
    writer.finish().unwrap()
}

#[test]
fn what_is_written_is_read() {
    let tar = write_all(&samples());
    assert_eq!(tar.len() % 512, 0);
    let found = read_all(&tar).unwrap();
    assert_eq!(found.len(), samples().len());
    for ((entry, data), (expected, expected_data)) in found.iter().zip(samples()) {
        assert_eq!(entry, &Entry { size: expected_data.len() as u64, ..expected });
        assert_eq!(data, expected_data);
    }
}

/// Cut anywhere, it is an error or ends between two entries; it never panics and never gives wrong data.
#[test]
fn a_cut_tar_is_an_error() {
    let tar = write_all(&samples());
    let whole = read_all(&tar).unwrap();
    for len in 0..tar.len() {
        match read_all(&tar[..len]) {
            Ok(found) => assert!(whole.starts_with(&found), "{len}"),
            Err(e) => assert!(e.message.contains("EOF") || e.message.contains("end of file"), "{len}: {e}"),
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let tar = write_all(&samples());
    for at in 0..tar.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = tar.clone();
            bytes[at] ^= flip;
            let _ = read_all(&bytes);
        }
    }
}

#[test]
fn headers_that_claim_too_much_are_refused() {
    let mut entry = Entry::new(Kind::File, *b"x");
    entry.xattrs = vec![(b"user.big".to_vec(), vec![b'x'; 2 << 20])];
    let e = read_all(&write_all(&[(entry, b"")])).unwrap_err();
    assert!(e.message.contains("extended header is too large"), "{e}");
    let mut tar = write_all(&[(Entry::new(Kind::File, *b"x"), b"data")]);
    // a size of 2^63 and what follows: unsigned in the field, far more than there is
    tar[124..136].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    let sum: u32 = (0..512).map(|i| if (148..156).contains(&i) { 32 } else { u32::from(tar[i]) }).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(read_all(&tar).is_err());
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lighter-tar-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All ways in which GNU tar writes long names and holes.
#[test]
fn reads_what_gnu_tar_writes() {
    let dir = Scratch::new("gnu");
    let long = "n".repeat(150);
    let deep = dir.0.join("d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join(&long), "long").unwrap();
    let mut sparse = fs::File::create(dir.0.join("sparse")).unwrap();
    let mut expected = Vec::new();
    for i in 0..30u64 {
        sparse.seek(SeekFrom::Start(i * (1 << 16))).unwrap();
        sparse.write_all(&[i as u8 + 1; 4096]).unwrap();
        expected.resize((i << 16) as usize, 0);
        expected.extend([i as u8 + 1; 4096]);
    }
    sparse.set_len(4 << 20).unwrap();
    expected.resize(4 << 20, 0);
    for arguments in [
        &["--format=gnu", "-S"][..],
        &["--format=posix", "-S", "--sparse-version=0.0"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
        &["--format=posix", "-S", "--sparse-version=1.0"],
        &["--format=posix"],
        &["--format=gnu"],
    ] {
        let out = Command::new("tar").args(arguments).arg("-C").arg(&dir.0).args(["-cf", "-", "."]).output();
        let Ok(out) = out else {
            eprintln!("skipped: no tar program");
            return;
        };
        let found = read_all(&out.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}"));
        let by_name = |name: &str| found.iter().find(|(e, _)| e.path.ends_with(name.as_bytes())).unwrap();
        assert_eq!(by_name(&long).1, b"long", "{arguments:?}");
        let (entry, data) = by_name("sparse");
        assert_eq!(entry.size, 4 << 20, "{arguments:?}");
        assert_eq!(entry.path, b"./sparse", "{arguments:?}");
        let whole = match &entry.extents {
            None => data.clone(),
            Some(extents) => {
                let mut whole = vec![0; entry.size as usize];
                let mut at = 0;
                for extent in extents {
                    let (offset, len) = (extent.offset as usize, extent.len as usize);
                    whole[offset..offset + len].copy_from_slice(&data[at..at + len]);
                    at += len;
                }
                whole
            }
        };
        assert!(whole == expected, "{arguments:?}");
        assert_eq!(entry.extents.is_some(), arguments.contains(&"-S"), "{arguments:?}");
    }
}
