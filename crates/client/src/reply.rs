//! An HTTP/1.1 answer (RFC 9112): its head, and its body as a reader.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use crate::connection::{Connection, Socket};
use crate::{Error, Hijacked};

/// A head may be this long at most.
const MAX_HEAD: usize = 64 << 10;
/// A body that is read whole (JSON) may be this long at most.
const MAX_WHOLE: u64 = 1 << 30;

/// Status and header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    /// A header field's value; names are compared without case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn parse(bytes: &[u8]) -> Option<Head> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Some(Head { status, fields })
    }
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// After so many bytes more.
    Length(u64),
    /// In chunks; so many bytes are left of the current one.
    Chunked(u64),
    /// With the connection.
    Close,
    /// It has ended.
    Done,
}

/// An answer whose head has been read. As [`Read`] it gives the body.
#[derive(Debug)]
pub struct Reply {
    /// The head.
    pub head: Head,
    connection: Option<Connection>,
    framing: Framing,
}

impl Reply {
    /// Reads the head of the answer to a request with method `method`.
    pub(crate) fn read(mut connection: Connection, method: &str) -> io::Result<Reply> {
        let head = loop {
            let bytes = connection.read_until(b"\r\n\r\n", MAX_HEAD)?;
            let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed HTTP response");
            let head = Head::parse(&bytes).ok_or_else(malformed)?;
            if head.status == 101 || head.status >= 200 {
                break head;
            }
        };
        let framing = framing(&head, method);
        Ok(Reply { head, connection: Some(connection), framing })
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn whole(&mut self) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        self.by_ref().take(MAX_WHOLE).read_to_end(&mut whole).map_err(|error| Error::broken(&error))?;
        Ok(whole)
    }

    /// Whether the daemon may have sent body bytes that `poll(2)` on the socket would not show.
    pub fn has_read_ahead(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| !connection.ahead().is_empty())
    }

    /// The connection, if the body was read to its end and the daemon keeps it open.
    pub(crate) fn into_idle(self) -> Option<Connection> {
        let closes = self.head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let connection = self.connection?;
        (self.framing == Framing::Done && !closes && connection.ahead().is_empty()).then_some(connection)
    }

    /// The raw connection after a 101 (or a 200 whose body is the raw stream).
    pub(crate) fn into_hijacked(self) -> Option<Hijacked> {
        let (socket, early) = self.connection?.into_parts();
        Some(Hijacked::new(socket, early, self.head))
    }

    fn next_chunk(connection: &mut Connection) -> io::Result<u64> {
        let line = connection.read_until(b"\r\n", MAX_HEAD)?;
        let text = String::from_utf8_lossy(&line);
        let digits = text.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(digits.trim(), 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "malformed chunk"))?;
        if size == 0 {
            // trailer fields, up to an empty line
            while connection.read_until(b"\r\n", MAX_HEAD)?.len() > 2 {}
        }
        Ok(size)
    }
}

fn framing(head: &Head, method: &str) -> Framing {
    if head.status == 101 {
        return Framing::Close;
    }
    if method == "HEAD" || head.status == 204 || head.status == 304 {
        return Framing::Done;
    }
    if head.field("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        return Framing::Chunked(0);
    }
    match head.field("content-length").and_then(|value| value.parse().ok()) {
        Some(0) => Framing::Done,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    }
}

impl Read for Reply {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(connection) = self.connection.as_mut() else { return Ok(0) };
        if into.is_empty() {
            return Ok(0);
        }
        if self.framing == Framing::Chunked(0) {
            self.framing = match Self::next_chunk(connection)? {
                0 => Framing::Done,
                size => Framing::Chunked(size),
            };
        }
        let limit = match self.framing {
            Framing::Done => return Ok(0),
            Framing::Close => into.len(),
            Framing::Length(left) | Framing::Chunked(left) => {
                into.len().min(usize::try_from(left).unwrap_or(usize::MAX))
            }
        };
        let count = connection.read(&mut into[..limit])?;
        if count == 0 {
            if self.framing != Framing::Close {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.framing = Framing::Done;
            return Ok(0);
        }
        self.framing = match self.framing {
            Framing::Length(left) if left == count as u64 => Framing::Done,
            Framing::Length(left) => Framing::Length(left - count as u64),
            Framing::Chunked(left) if left == count as u64 => {
                connection.read_until(b"\r\n", 2)?;
                Framing::Chunked(0)
            }
            Framing::Chunked(left) => Framing::Chunked(left - count as u64),
            other => other,
        };
        Ok(count)
    }
}

impl AsFd for Reply {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let socket: &Socket =
            &self.connection.as_ref().expect("a reply has its connection until it is taken apart").socket;
        socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn check(wire: &str, method: &str, status: u16, body: Result<&str, ()>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(wire.as_bytes()).unwrap();
        drop(theirs);
        let mut reply = Reply::read(Connection::new(Socket::Unix(ours)), method).unwrap();
        assert_eq!(reply.head.status, status);
        let got = reply.whole().map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(got.map_err(drop), body.map(str::to_owned), "{wire}");
    }

    #[test]
    fn bodies() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhixx", "GET", 200, Ok("hi"));
        check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi", "GET", 200, Err(()));
        check("HTTP/1.1 200 OK\r\n\r\nto the end", "GET", 200, Ok("to the end"));
        check("HTTP/1.1 204 No Content\r\n\r\nxx", "POST", 204, Ok(""));
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD", 200, Ok(""));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{chunked}2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nT: v\r\n\r\n"), "GET", 200, Ok("abcde"));
        check(&format!("{chunked}2\r\nab\r\n"), "GET", 200, Err(()));
        check(&format!("{chunked}zz\r\nab\r\n"), "GET", 200, Err(()));
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "GET", 404, Ok(""));
    }
}
