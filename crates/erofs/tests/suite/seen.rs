//! A tree of files told path by path, from a disk or from a [`Tree`], to be compared.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, FileTypeExt, MetadataExt},
    },
    path::Path,
};

use erofs::{Content, Device, Id, Tree};
use rustix::fs::{SeekFrom, major, minor, seek};

#[derive(Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// As `find -printf %y` shows it.
    pub kind: char,
    pub mode: u32,
    pub owner: (u32, u32),
    /// `None` where it is nobody's to say.
    pub mtime: Option<(i64, i64)>,
    pub device: (u32, u32),
    /// Not of directories, where it is a filesystem's own business.
    pub size: u64,
    pub target: Vec<u8>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of the data, but for zeros.
    pub checksum: u32,
    /// The first path of the same file.
    pub first: Vec<u8>,
    pub links: u64,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        write!(f, "{} {:o} {:?} {:?} {:?} {}", self.kind, self.mode, self.owner, self.mtime, self.device, self.size)?;
        write!(f, " -> {:?} {:08x} = {:?} {}", text(&self.target), self.checksum, text(&self.first), self.links)?;
        self.xattrs.iter().try_for_each(|(name, value)| write!(f, " {}={value:?}", text(name)))
    }
}

/// By path; the root is the empty one.
pub type Seen = BTreeMap<Vec<u8>, Item>;

/// All below a directory.
pub fn on_disk(root: &Path) -> Seen {
    below(root, false)
}

/// All that overlayfs shows, which lists deletions of nothing and then has nothing there.
pub fn on_overlay(root: &Path) -> Seen {
    below(root, true)
}

fn below(root: &Path, may_miss: bool) -> Seen {
    let mut seen = Seen::new();
    let mut firsts: HashMap<u64, Vec<u8>> = HashMap::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let at = if path.is_empty() { root.to_owned() } else { root.join(std::ffi::OsStr::from_bytes(&path)) };
        let meta = match if path.is_empty() { fs::metadata(&at) } else { fs::symlink_metadata(&at) } {
            Err(e) if may_miss && e.kind() == std::io::ErrorKind::NotFound => continue,
            meta => meta.unwrap(),
        };
        let kind = meta.file_type();
        let mut item = Item {
            mode: meta.mode() & 0o7777,
            owner: (meta.uid(), meta.gid()),
            mtime: Some((meta.mtime(), meta.mtime_nsec())),
            xattrs: xattrs(&at),
            first: firsts.entry(meta.ino()).or_insert_with(|| path.clone()).clone(),
            links: meta.nlink(),
            ..Item::default()
        };
        item.kind = match () {
            () if kind.is_dir() => 'd',
            () if kind.is_file() => 'f',
            () if kind.is_symlink() => 'l',
            () if kind.is_char_device() => 'c',
            () if kind.is_block_device() => 'b',
            () => 'p',
        };
        match item.kind {
            'd' => {
                let mut names: Vec<_> = fs::read_dir(&at).unwrap().map(|e| e.unwrap().file_name()).collect();
                names.sort();
                open.extend(names.iter().rev().map(|name| join(&path, name.as_bytes())));
            }
            'f' => (item.size, item.checksum) = (meta.len(), file_checksum(&at)),
            'l' => {
                item.target = fs::read_link(&at).unwrap().as_os_str().as_bytes().to_vec();
                item.size = meta.len();
            }
            'c' | 'b' => item.device = (major(meta.rdev()), minor(meta.rdev())),
            _ => {}
        }
        seen.insert(path, item);
    }
    seen
}

/// Those that go with a file.
fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 64 << 10];
    let n = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut out = BTreeMap::new();
    for name in names[..n].split(|b| *b == 0).filter(|name| !name.is_empty() && *name != b"security.selinux") {
        let mut value = vec![0; 64 << 10];
        let n = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        out.insert(name.to_vec(), value[..n].to_vec());
    }
    out
}

const PIECE: u64 = 4096;

/// Over all pieces that are not zero: holes and written zeros are the same.
fn file_checksum(path: &Path) -> u32 {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let mut sum = crc32fast::Hasher::new();
    let mut at = 0;
    while at < size {
        let Ok(data) = seek(&file, SeekFrom::Data(at)) else { break };
        let hole = seek(&file, SeekFrom::Hole(data)).unwrap();
        at = data / PIECE * PIECE;
        while at < hole {
            let mut piece = vec![0; PIECE.min(size - at) as usize];
            file.read_exact_at(&mut piece, at).unwrap();
            add(&mut sum, at, &piece);
            at += PIECE;
        }
    }
    sum.finalize()
}

fn add(sum: &mut crc32fast::Hasher, at: u64, piece: &[u8]) {
    if piece.iter().any(|b| *b != 0) {
        sum.update(&at.to_le_bytes());
        sum.update(piece);
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// All of a tree but orphans. Times of what a tar says nothing of are `None`: implied directories, deletions.
pub fn in_tree(tree: &Tree, read: &dyn Fn(&Device, u64, &mut [u8])) -> Seen {
    let mut seen = Seen::from([(Vec::new(), item(tree, Tree::ROOT, read))]);
    let mut firsts: HashMap<Id, Vec<u8>> = HashMap::new();
    let mut walk = tree.walk();
    while let Some(id) = walk.step() {
        if tree.inode(id).is_orphan() {
            continue;
        }
        let first = firsts.entry(id).or_insert_with(|| walk.path().to_vec()).clone();
        seen.insert(walk.path().to_vec(), Item { first, ..item(tree, id, read) });
    }
    seen
}

fn item(tree: &Tree, id: Id, read: &dyn Fn(&Device, u64, &mut [u8])) -> Item {
    let inode = tree.inode(id);
    let meta = &inode.meta;
    let mut item = Item {
        mode: meta.mode.into(),
        owner: (meta.uid, meta.gid),
        mtime: Some((meta.mtime.secs, meta.mtime.nanos.into())),
        xattrs: meta.xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        links: tree.links(id).into(),
        ..Item::default()
    };
    if tree.is_implied(id) || inode.is_whiteout() {
        item.mtime = None;
    }
    item.kind = match inode.content() {
        Content::Directory(_) => 'd',
        Content::File(file) => {
            item.size = file.size();
            item.checksum = tree_checksum(tree, file, read);
            'f'
        }
        Content::Symlink(target) => {
            (item.target, item.size) = (target.to_vec(), target.len() as u64);
            'l'
        }
        Content::CharDevice(major, minor) => {
            item.device = (*major, *minor);
            'c'
        }
        Content::BlockDevice(major, minor) => {
            item.device = (*major, *minor);
            'b'
        }
        Content::Fifo => 'p',
        Content::Orphan(_) => 'o',
    };
    item
}

fn tree_checksum(tree: &Tree, file: &erofs::File, read: &dyn Fn(&Device, u64, &mut [u8])) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    let mut at = 0;
    for extent in file.extents() {
        at = at.max(extent.offset / PIECE * PIECE);
        while at < extent.offset + extent.len {
            let mut piece = vec![0; PIECE.min(file.size() - at) as usize];
            let end = at + piece.len() as u64;
            for part in file.extents() {
                let (from, to) = (part.offset.max(at), (part.offset + part.len).min(end));
                if from < to {
                    let place = &mut piece[(from - at) as usize..(to - at) as usize];
                    read(&tree.devices[usize::from(part.device)], part.at + (from - part.offset), place);
                }
            }
            add(&mut sum, at, &piece);
            at = end.next_multiple_of(PIECE);
        }
    }
    sum.finalize()
}

/// Fails with the first paths that differ; a time that one side does not know is not compared.
#[track_caller]
pub fn assert_same(what: &str, ours: &Seen, theirs: &Seen) {
    let mut differ = Vec::new();
    for path in ours.keys().chain(theirs.keys().filter(|path| !ours.contains_key(*path))) {
        let (mut a, mut b) = (ours.get(path).cloned(), theirs.get(path).cloned());
        if let (Some(a), Some(b)) = (&mut a, &mut b)
            && (a.mtime.is_none() || b.mtime.is_none())
        {
            // the kernel gives new files in a set-group-id directory its group
            (a.mtime, b.mtime, a.owner) = (None, None, b.owner);
        }
        if a != b {
            differ.push(format!("{}\n  ours   {a:?}\n  theirs {b:?}", String::from_utf8_lossy(path)));
        }
    }
    assert!(differ.is_empty(), "{what}: {} differ\n{}", differ.len(), differ[..differ.len().min(5)].join("\n"));
}
