//! Tars for tests, here and in the crate `erofs`.

use archive::tar::{Entry, Kind, Writer};

/// A tar said in a few words.
#[derive(Default)]
pub struct Tar(pub Vec<(Entry, Vec<u8>)>);

impl Tar {
    pub fn with(mut self, entry: Entry, data: &[u8]) -> Self {
        self.0.push((entry, data.to_vec()));
        self
    }
    pub fn dir(self, path: &str) -> Self {
        self.with(Entry::new(Kind::Directory, path), b"")
    }
    pub fn file(self, path: &str, data: &str) -> Self {
        self.with(Entry::new(Kind::File, path), data.as_bytes())
    }
    pub fn link(self, kind: Kind, path: &str, target: &str) -> Self {
        self.with(Entry { link: target.into(), ..Entry::new(kind, path) }, b"")
    }
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.link(Kind::Symlink, path, target)
    }
    pub fn hardlink(self, path: &str, target: &str) -> Self {
        self.link(Kind::HardLink, path, target)
    }
    pub fn bytes(self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (entry, data) in self.0 {
            if entry.kind == Kind::File {
                writer.file(&entry, &data).unwrap();
            } else {
                writer.entry(&entry).unwrap();
            }
        }
        writer.finish().unwrap()
    }
}

/// What a hostile layer may hold, and whether [`archive::unpack`] takes it with `Deletions::Mark`. `OUTSIDE` in a link
/// stands for a directory outside of the root.
pub fn hostile() -> Vec<(&'static str, Tar, bool)> {
    let t = Tar::default;
    let huge = Entry { link: b"x".to_vec(), ..Entry::new(Kind::HardLink, *b"self") };
    vec![
        ("absolute", t().file("/escape", "x"), true),
        ("dotdot", t().file("../escape", "x"), false),
        ("dotdot deep", t().file("a/../../escape", "x"), false),
        ("dotdot inside", t().file("a/../escape", "x"), true),
        ("symlink to parent", t().symlink("s", "..").file("s/escape", "x"), true),
        ("symlink to absolute", t().symlink("s", "/").file("s/escape", "x"), true),
        ("symlink chain", t().symlink("a", "b").symlink("b", "../..").file("a/escape", "x"), true),
        ("symlink to outside", t().symlink("s", "OUTSIDE").file("s/escape", "x"), false),
        ("symlink loop", t().symlink("a", "b").symlink("b", "a").file("a/escape", "x"), false),
        ("file over symlink", t().symlink("s", "OUTSIDE/victim").file("s", "x"), true),
        ("hard link outside", t().hardlink("h", "../victim").file("h", "x"), false),
        ("hard link absolute", t().hardlink("h", "OUTSIDE/victim"), true),
        ("hard link by symlink", t().symlink("s", "OUTSIDE").hardlink("h", "s/victim"), true),
        (
            "hard link to a symlink, then a file",
            t().symlink("s", "OUTSIDE/victim").hardlink("h", "s").file("h", "x"),
            true,
        ),
        ("hard link to itself", t().hardlink("h", "h"), false),
        ("hard link to the root", t().hardlink("h", "/"), false),
        ("hard link to a directory", t().dir("d").hardlink("h", "d"), false),
        ("whiteout of dotdot", t().file("a/.wh...", ""), false),
        ("whiteout of dot", t().file("a/.wh..", ""), false),
        ("whiteout through symlink", t().symlink("s", "OUTSIDE").file("s/.wh.victim", ""), false),
        ("opaque through symlink", t().symlink("s", "OUTSIDE").file("s/.wh..wh..opq", ""), false),
        ("directory attributes through symlink", t().symlink("s", "OUTSIDE").dir("s"), true),
        ("magic link", t().symlink("s", "/proc/self/root").file("s/escape", "x"), false),
        ("the root as a file", t().file(".", "x"), false),
        ("the root as a symlink", t().symlink("./", "OUTSIDE").file("escape", "x"), false),
        ("below a file", t().file("f", "x").file("f/g", "x"), false),
        ("long component", t().file(&"x".repeat(300), "x"), false),
        ("long path", t().file(&"d/".repeat(3000), "x"), false),
        ("dangling link", t().with(huge, b""), true),
    ]
}
