use std::io::{self, BufRead, Read};

use values::{Error, Result, Timestamp};

use super::{
    BLOCK, Entry, Kind,
    header::{self, Block, bad},
    pax, sparse,
};

/// Longest extended header or long name that is read into memory.
const EXTENSION_MAX: u64 = 1 << 20;

/// Bytes behind the last entry; programs fill up to a record, of 10 KiB as a rule.
const FILLER_MAX: u64 = 1 << 30;

/// Reads a tar entry by entry. [`Reader::next_entry`] skips what was not read of the one before; the current entry's data is
/// what [`Read`] gives.
pub struct Reader<R> {
    inner: Counted<R>,
    /// Data of the current entry not yet read.
    left: u64,
    /// Filler behind it.
    padding: u64,
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    at: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.at += n as u64;
        self.inner.consume(n);
    }
}

/// What extended headers say of the entry that follows them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<Timestamp>,
    atime: Option<Timestamp>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    sparse: PaxSparse,
}

/// `GNU.sparse.*`
#[derive(Default)]
struct PaxSparse {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    /// Offsets and lengths in turn (formats 0.0 and 0.1).
    numbers: Vec<u64>,
    is_sparse: bool,
    /// Format 1.0: the map is at the beginning of the data.
    map_in_data: bool,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Self {
        Self { inner: Counted { inner, at: 0 }, left: 0, padding: 0 }
    }

    /// Reads what is behind the last entry, which is filler, to the stream's end; its bytes.
    ///
    /// # Errors
    /// The stream's, and `InvalidArgument` for more filler than any program writes: a few KB can be decompressed for years.
    pub fn drain(self) -> Result<u64> {
        let mut rest = self.inner.inner.take(FILLER_MAX + 1);
        let filler = io::copy(&mut rest, &mut io::sink()).map_err(read_error)?;
        if filler > FILLER_MAX {
            return Err(bad("too much behind its end"));
        }
        Ok(filler)
    }

    /// Bytes of the tar read so far. Right after [`Reader::next_entry`]: where in the tar the entry's data begins, that of a
    /// sparse file behind its map.
    pub fn position(&self) -> u64 {
        self.inner.at
    }

    /// The next entry, or `None` at the end (two empty blocks, one, or the stream's end between entries).
    ///
    /// # Errors
    /// `InvalidArgument` where it is no tar or an unsupported one, or ends within an entry.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_rest()?;
            let Some(block) = self.header()? else { return Ok(None) };
            let size = header::unsigned(&block[header::SIZE])?;
            match block[header::TYPE] {
                b'x' | b'X' => extensions.read_pax(&self.extension(size)?)?,
                b'L' => extensions.path = Some(header::text(&self.extension(size)?).to_vec()),
                b'K' => extensions.link = Some(header::text(&self.extension(size)?).to_vec()),
                // Defaults for all that follows, a volume's name: nothing a layer's writer uses them for concerns a file.
                b'g' | b'V' => self.expect(size),
                kind => return self.entry(&block, kind, size, extensions).map(Some),
            }
        }
    }

    fn entry(&mut self, block: &Block, kind: u8, size: u64, ext: Extensions) -> Result<Entry> {
        let path = ext.path.unwrap_or_else(|| header::path(block));
        let (kind, is_gnu_sparse) = match kind {
            0 if path.ends_with(b"/") => (Kind::Directory, false),
            0 | b'0' | b'7' => (Kind::File, false),
            b'S' => (Kind::File, true),
            b'1' => (Kind::HardLink, false),
            b'2' => (Kind::Symlink, false),
            b'3' => (Kind::CharDevice, false),
            b'4' => (Kind::BlockDevice, false),
            b'5' => (Kind::Directory, false),
            b'6' => (Kind::Fifo, false),
            other => return Err(bad(&format!("unsupported entry type {:?}", char::from(other)))),
        };
        let mut entry = Entry {
            kind,
            path,
            link: ext.link.unwrap_or_else(|| header::text(&block[header::LINK]).to_vec()),
            mode: (header::number(&block[header::MODE])? & 0o7777) as u32,
            uid: owner(ext.uid, &block[header::UID])?,
            gid: owner(ext.gid, &block[header::GID])?,
            mtime: match ext.mtime {
                Some(time) => time,
                None => Timestamp { secs: header::number(&block[header::MTIME])?, nanos: 0 },
            },
            atime: ext.atime,
            size: 0,
            device: (0, 0),
            xattrs: ext.xattrs,
            extents: None,
        };
        match kind {
            Kind::File => {
                let stored = ext.size.unwrap_or(size);
                self.expect(stored);
                entry.size = stored;
                if is_gnu_sparse {
                    self.gnu_sparse(block, &mut entry)?;
                } else if ext.sparse.is_sparse {
                    self.pax_sparse(ext.sparse, &mut entry)?;
                }
            }
            Kind::CharDevice | Kind::BlockDevice => {
                entry.device = (device(&block[header::MAJOR])?, device(&block[header::MINOR])?);
            }
            // Links and the like have no data, whatever their size field says.
            _ => self.expect(0),
        }
        Ok(entry)
    }

    fn gnu_sparse(&mut self, block: &Block, entry: &mut Entry) -> Result<()> {
        let mut extents = Vec::new();
        let mut more = sparse::push_gnu(&mut extents, &block[header::SPARSE])? && block[header::SPARSE_MORE] != 0;
        while more {
            let continuation = self.block()?.ok_or_else(unexpected_end)?;
            more = sparse::push_gnu_block(&mut extents, &continuation)?;
        }
        let stored = entry.size;
        entry.size = header::unsigned(&block[header::SPARSE_SIZE])?;
        sparse::check(&extents, entry.size, stored)?;
        entry.extents = Some(extents);
        Ok(())
    }

    fn pax_sparse(&mut self, map: PaxSparse, entry: &mut Entry) -> Result<()> {
        let numbers = if map.map_in_data { self.sparse_map()? } else { map.numbers };
        let extents = sparse::from_numbers(&numbers)?;
        entry.size = map.size.ok_or_else(|| bad("sparse file without a size"))?;
        if let Some(name) = map.name {
            entry.path = name;
        }
        sparse::check(&extents, entry.size, self.left)?;
        entry.extents = Some(extents);
        Ok(())
    }

    /// PAX sparse format 1.0: a count, then offsets and lengths, one a line, filled up to a block.
    fn sparse_map(&mut self) -> Result<Vec<u64>> {
        let mut lines = Vec::new();
        let mut line = Vec::new();
        let mut wanted = 1;
        while lines.len() < wanted {
            let mut block = [0; BLOCK];
            self.read_exact(&mut block).map_err(|_| bad("invalid sparse map"))?;
            for byte in block {
                if lines.len() == wanted {
                    break;
                }
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let number = pax::decimal(&line).ok_or_else(|| bad("invalid sparse map"))?;
                line.clear();
                if lines.is_empty() {
                    if number > sparse::EXTENTS_MAX as u64 {
                        return Err(bad("too many extents in a sparse file"));
                    }
                    wanted = 1 + 2 * number as usize;
                }
                lines.push(number);
            }
            if line.len() > 20 {
                return Err(bad("invalid sparse map"));
            }
        }
        lines.remove(0);
        Ok(lines)
    }

    /// An extended header's data.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > EXTENSION_MAX {
            return Err(bad("extended header is too large"));
        }
        self.expect(size);
        let mut data = vec![0; size as usize];
        self.read_exact(&mut data).map_err(read_error)?;
        Ok(data)
    }

    /// The next header block; `None` at the end.
    fn header(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        if !header::checks(&block) {
            return Err(bad("invalid tar header"));
        }
        Ok(Some(block))
    }

    fn block(&mut self) -> Result<Option<Block>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(unexpected_end()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(read_error(e)),
            }
        }
        Ok(Some(block))
    }

    /// `size` bytes of data follow.
    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    fn skip_rest(&mut self) -> Result<()> {
        let rest = self.left.checked_add(self.padding).ok_or_else(|| bad("number too large"))?;
        (self.left, self.padding) = (0, 0);
        if rest > 0 && io::copy(&mut self.inner.by_ref().take(rest), &mut io::sink()).map_err(read_error)? < rest {
            return Err(unexpected_end());
        }
        Ok(())
    }
}

impl<R: BufRead> Reader<R> {
    /// Passes over what was not read of the current entry's data, without copying it.
    ///
    /// # Errors
    /// The stream's, and `InvalidArgument` where it ends before the data does.
    pub fn skip_data(&mut self) -> Result<()> {
        while self.left > 0 {
            let there = match self.inner.fill_buf() {
                Ok(bytes) => bytes.len() as u64,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(read_error(e)),
            };
            if there == 0 {
                return Err(unexpected_end());
            }
            let n = there.min(self.left);
            self.inner.consume(n as usize);
            self.left -= n;
        }
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    /// The current entry's data; an error where the stream ends before it does.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let n = self.inner.read(&mut buffer[..wanted])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

impl Extensions {
    fn read_pax(&mut self, data: &[u8]) -> Result<()> {
        for (key, value) in pax::records(data)? {
            // an empty value takes back what an earlier header said
            let text = (!value.is_empty()).then_some(value);
            let number = || text.map(|text| pax::decimal(text).ok_or_else(|| bad("invalid PAX record"))).transpose();
            match key {
                b"path" => self.path = text.map(<[u8]>::to_vec),
                b"linkpath" => self.link = text.map(<[u8]>::to_vec),
                b"size" => self.size = number()?,
                b"uid" => self.uid = number()?,
                b"gid" => self.gid = number()?,
                b"mtime" => self.mtime = text.map(pax::time).transpose()?,
                b"atime" => self.atime = text.map(pax::time).transpose()?,
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.xattrs.push((name.to_vec(), value.to_vec()));
                    } else if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
                        self.sparse.read(name, value)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl PaxSparse {
    fn read(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        let number = || pax::decimal(value).ok_or_else(|| bad("invalid sparse map"));
        self.is_sparse = true;
        match name {
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number()?),
            b"offset" | b"numbytes" => self.numbers.push(number()?),
            b"map" => {
                let numbers = value.split(|b| *b == b',').filter(|n| !n.is_empty());
                let numbers: Option<Vec<u64>> = numbers.map(pax::decimal).collect();
                self.numbers = numbers.ok_or_else(|| bad("invalid sparse map"))?;
            }
            b"major" => self.map_in_data = number()? == 1,
            _ => {}
        }
        Ok(())
    }
}

fn owner(pax: Option<u64>, field: &[u8]) -> Result<u32> {
    let id = match pax {
        Some(id) => id,
        None => header::unsigned(field)?,
    };
    // the kernel takes the largest for "leave it"
    u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or_else(|| bad(&format!("owner {id} is out of range")))
}

fn device(field: &[u8]) -> Result<u32> {
    u32::try_from(header::unsigned(field)?).map_err(|_| bad("number too large"))
}

fn unexpected_end() -> Error {
    Error::invalid("unexpected EOF")
}

fn read_error(e: io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => unexpected_end(),
        // what a decompressor says of its input
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Error::invalid(e.to_string()),
        _ => e.into(),
    }
}
