use std::io::{self, Write};

use values::Timestamp;

use super::{
    BLOCK, Entry, Kind,
    header::{self, Block},
    pax,
};

/// Writes a tar: ustar blocks, with PAX headers where those do not suffice. Sparse files are not written as such.
pub struct Writer<W> {
    inner: W,
    /// Data of the current entry still owed.
    left: u64,
    padding: u64,
}

/// Largest number in an octal field of eight and of twelve bytes.
const SMALL_MAX: u64 = 0o7_777_777;
const LARGE_MAX: u64 = 0o77_777_777_777;

impl<W: Write> Writer<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, left: 0, padding: 0 }
    }

    /// Begins an entry; exactly `entry.size` bytes of data are to be written next if it is a file.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.end_entry()?;
        let extended = extended(entry);
        if !extended.is_empty() {
            let mut head = Entry::new(Kind::File, *b"PaxHeaders.0/x");
            head.size = extended.len() as u64;
            self.inner.write_all(&block(&head, b'x'))?;
            self.inner.write_all(&extended)?;
            self.inner.write_all(&[0; BLOCK][..padding(head.size) as usize])?;
        }
        self.inner.write_all(&block(entry, type_flag(entry.kind)))?;
        if entry.kind == Kind::File {
            self.left = entry.size;
            self.padding = padding(entry.size);
        }
        Ok(())
    }

    /// An entry and its data at once.
    pub fn file(&mut self, entry: &Entry, data: &[u8]) -> io::Result<()> {
        self.entry(&Entry { size: data.len() as u64, ..entry.clone() })?;
        self.write_all(data)
    }

    /// Ends the tar; the writer below it.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_entry()?;
        self.inner.write_all(&[0; 2 * BLOCK])?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn end_entry(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::other(format!("{} bytes of the entry are missing", self.left)));
        }
        self.inner.write_all(&[0; BLOCK][..self.padding as usize])?;
        self.padding = 0;
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() as u64 > self.left {
            return Err(io::Error::other("more data than the entry's size"));
        }
        let n = self.inner.write(data)?;
        self.left -= n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

fn type_flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::CharDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

/// What the ustar block cannot say.
fn extended(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    if entry.path.len() > header::NAME.len() || !entry.path.is_ascii() {
        pax::push(&mut out, b"path", &entry.path);
    }
    if entry.link.len() > header::LINK.len() || !entry.link.is_ascii() {
        pax::push(&mut out, b"linkpath", &entry.link);
    }
    if entry.size > LARGE_MAX {
        pax::push(&mut out, b"size", entry.size.to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], entry.uid), (b"gid", entry.gid)] {
        if u64::from(id) > SMALL_MAX {
            pax::push(&mut out, key, id.to_string().as_bytes());
        }
    }
    if !is_plain(entry.mtime) {
        pax::push(&mut out, b"mtime", pax::time_text(entry.mtime).as_bytes());
    }
    if let Some(atime) = entry.atime {
        pax::push(&mut out, b"atime", pax::time_text(atime).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        pax::push(&mut out, &[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    out
}

/// Whether the block's own field can hold the time.
fn is_plain(time: Timestamp) -> bool {
    time.nanos == 0 && u64::try_from(time.secs).is_ok_and(|s| s <= LARGE_MAX)
}

fn block(entry: &Entry, flag: u8) -> Block {
    let mut block = [0; BLOCK];
    let mut text = |range: std::ops::Range<usize>, bytes: &[u8]| {
        let n = bytes.len().min(range.len());
        block[range.start..range.start + n].copy_from_slice(&bytes[..n]);
    };
    text(header::NAME, &entry.path);
    text(header::LINK, &entry.link);
    text(header::MAGIC, header::USTAR);
    text(header::MODE, &octal(entry.mode.into(), 7));
    text(header::UID, &octal(entry.uid.into(), 7));
    text(header::GID, &octal(entry.gid.into(), 7));
    let size = if entry.kind == Kind::File { entry.size } else { 0 };
    text(header::SIZE, &octal(size, 11));
    text(header::MTIME, &octal(if is_plain(entry.mtime) { entry.mtime.secs as u64 } else { 0 }, 11));
    text(header::MAJOR, &octal(entry.device.0.into(), 7));
    text(header::MINOR, &octal(entry.device.1.into(), 7));
    block[header::TYPE] = flag;
    let (sum, _) = header::sums(&block);
    block[header::CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// `digits` octal digits; what does not fit is zero here and said by an extended header.
fn octal(number: u64, digits: usize) -> Vec<u8> {
    let text = format!("{number:0digits$o}");
    if text.len() > digits { vec![b'0'; digits] } else { text.into_bytes() }
}
