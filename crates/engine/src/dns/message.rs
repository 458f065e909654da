//! DNS messages, as much of them as a server needs that answers or passes on (RFC 1035, EDNS: RFC 6891).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// Response codes.
pub const NO_ERROR: u8 = 0;
pub const FORMAT_ERROR: u8 = 1;
pub const SERVER_FAILURE: u8 = 2;
pub const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

const HEADER: usize = 12;
/// Where the header says how many records answer.
const ANSWERS: usize = 6;
/// Docker's, in seconds.
const TTL: u32 = 600;
/// What a client takes that does not say (RFC 1035 §4.2.1).
const PLAIN_SIZE: u16 = 512;
/// What we say we take.
const OWN_SIZE: u16 = 4096;
/// Most names are shorter, in bytes.
const SHORT_NAME: usize = 48;
/// Bits of the flags.
const RESPONSE: u16 = 0x8000;
const TRUNCATED: u16 = 0x0200;
const WANTS_RECURSION: u16 = 0x0100;
const HAS_RECURSION: u16 = 0x0080;
/// Of OPT's flags.
const WANTS_SIGNATURES: u16 = 0x8000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub id: u16,
    flags: u16,
    /// In lower case, without the last dot.
    pub name: String,
    pub kind: u16,
    pub class: u16,
    /// As it came, names and all: an answer repeats it.
    question: Vec<u8>,
    /// `None` without EDNS.
    extension: Option<Extension>,
}

/// What an OPT record says (RFC 6891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extension {
    /// The largest answer by UDP.
    size: u16,
    wants_signatures: bool,
    /// Something that is meant for this question alone, such as a cookie.
    has_options: bool,
}

/// What queries have in common that get the same answer: name, kind, class, flags, and with EDNS whether signatures are wanted.
pub type Key = (String, u16, u16, u16, Option<bool>);

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Address(IpAddr),
    Name(String),
}

impl Query {
    /// # Errors
    /// A response code, with the query's id if that much could be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, (u16, u8)> {
        let id = half(bytes, 0).ok_or((0, FORMAT_ERROR))?;
        let bad = (id, FORMAT_ERROR);
        let flags = half(bytes, 2).ok_or(bad)?;
        if flags & RESPONSE != 0 {
            return Err((0, FORMAT_ERROR));
        }
        if flags >> 11 & 0xf != 0 {
            return Err((id, NOT_IMPLEMENTED));
        }
        if half(bytes, 4) != Some(1) {
            return Err(bad);
        }
        // no name comes before it that it could point to
        let (name, end) = name(bytes, HEADER).ok_or(bad)?;
        let (kind, class) = (half(bytes, end).ok_or(bad)?, half(bytes, end + 2).ok_or(bad)?);
        let question = bytes[HEADER..end + 4].to_vec();
        let extension = extension(bytes, end + 4);
        Ok(Self { id, flags, name, kind, class, question, extension })
    }

    /// The largest answer by UDP, in bytes.
    pub fn size(&self) -> usize {
        self.extension.map_or(PLAIN_SIZE, |extension| extension.size.max(PLAIN_SIZE)).into()
    }

    pub fn is_internet(&self) -> bool {
        self.class == INTERNET
    }

    /// The address whose name is asked for, of `4.3.2.1.in-addr.arpa` or `….ip6.arpa`.
    pub fn reverse(&self) -> Option<IpAddr> {
        if self.kind != PTR {
            return None;
        }
        if let Some(labels) = self.name.strip_suffix(".in-addr.arpa") {
            let octets: Vec<u8> = labels.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            let [d, c, b, a] = octets.try_into().ok()?;
            return Some(Ipv4Addr::new(a, b, c, d).into());
        }
        let labels = self.name.strip_suffix(".ip6.arpa")?;
        let digit = |label: &str| if label.len() == 1 { u128::from_str_radix(label, 16).ok() } else { None };
        let digits: Vec<u128> = labels.split('.').map(digit).collect::<Option<_>>()?;
        if digits.len() != 32 {
            return None;
        }
        let bits = digits.iter().rev().fold(0, |bits, digit| bits << 4 | digit);
        Some(Ipv6Addr::from_bits(bits).into())
    }

    /// An answer of our own.
    pub fn answer(&self, code: u8, records: &[Record]) -> Vec<u8> {
        let mut bytes = self.head(code, 0);
        let count = records.iter().filter(|record| encode(record, &mut bytes)).count() as u16;
        bytes[ANSWERS..ANSWERS + 2].copy_from_slice(&count.to_be_bytes());
        self.extend(&mut bytes);
        bytes
    }

    /// In place of an answer that is too large: the client asks again by TCP.
    pub fn truncated(&self) -> Vec<u8> {
        let mut bytes = self.head(NO_ERROR, TRUNCATED);
        self.extend(&mut bytes);
        bytes
    }

    fn head(&self, code: u8, more: u16) -> Vec<u8> {
        let flags = RESPONSE | HAS_RECURSION | self.flags & WANTS_RECURSION | more | u16::from(code);
        let mut bytes = Vec::with_capacity(128);
        let extra = u16::from(self.extension.is_some());
        for word in [self.id, flags, 1, 0, 0, extra] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&self.question);
        bytes
    }

    fn extend(&self, bytes: &mut Vec<u8>) {
        if self.extension.is_some() {
            bytes.push(0);
            bytes.extend_from_slice(&OPT.to_be_bytes());
            bytes.extend_from_slice(&OWN_SIZE.to_be_bytes());
            bytes.extend_from_slice(&[0; 6]);
        }
    }

    /// Whether `reply` answers this question, asked under `id`.
    pub fn is_answered_by(&self, reply: &[u8], id: u16) -> bool {
        let same =
            || reply.get(HEADER..HEADER + self.question.len()).is_some_and(|q| q.eq_ignore_ascii_case(&self.question));
        half(reply, 0) == Some(id) && half(reply, 2).is_some_and(|flags| flags & RESPONSE != 0) && same()
    }

    /// `None` for one whose answer is nobody else's.
    pub fn key(&self) -> Option<Key> {
        let extension = self.extension;
        let signatures = extension.map(|extension| extension.wants_signatures);
        let shared = !extension.is_some_and(|extension| extension.has_options);
        shared.then(|| (self.name.clone(), self.kind, self.class, self.flags, signatures))
    }
}

/// An error for what could not be read.
pub fn refusal(id: u16, code: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    for word in [id, RESPONSE | HAS_RECURSION | u16::from(code), 0, 0, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// Puts another id into a message.
pub fn set_id(message: &mut [u8], id: u16) {
    if let Some(bytes) = message.get_mut(..2) {
        bytes.copy_from_slice(&id.to_be_bytes());
    }
}

pub fn id(message: &[u8]) -> u16 {
    half(message, 0).unwrap_or(0)
}

/// Its server could not, or would not, find out.
pub fn has_failed(reply: &[u8]) -> bool {
    half(reply, 2).is_none_or(|flags| matches!((flags & 0xf) as u8, SERVER_FAILURE | REFUSED))
}

#[cfg(test)]
pub fn is_truncated(reply: &[u8]) -> bool {
    half(reply, 2).is_some_and(|flags| flags & TRUNCATED != 0)
}

/// The shortest time to live of a good answer's records, in seconds; `None` for what should not be kept.
pub fn lifetime(reply: &[u8]) -> Option<u32> {
    let flags = half(reply, 2)?;
    let answers = half(reply, 6)?;
    if flags & 0xf != 0 || flags & TRUNCATED != 0 || answers == 0 {
        return None;
    }
    times(reply)?.into_iter().map(|at| word(reply, at)).min()?
}

/// Takes the time that passed off each record.
pub fn age(reply: &mut [u8], seconds: u32) {
    for at in times(reply).unwrap_or_default() {
        let left = word(reply, at).unwrap_or(0).saturating_sub(seconds);
        reply[at..at + 4].copy_from_slice(&left.to_be_bytes());
    }
}

/// Offsets of the records' times to live.
fn times(reply: &[u8]) -> Option<Vec<usize>> {
    let counts = [half(reply, 6)?, half(reply, 8)?, half(reply, 10)?];
    let mut at = HEADER;
    for _ in 0..half(reply, 4)? {
        at = after_name(reply, at)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..counts.iter().map(|count| u32::from(*count)).sum::<u32>() {
        at = after_name(reply, at)?;
        let length = usize::from(half(reply, at + 8)?);
        if half(reply, at)? != OPT {
            found.push(at + 4);
        }
        at += 10 + length;
    }
    (at <= reply.len()).then_some(found)
}

/// What an OPT record behind the question tells.
fn extension(bytes: &[u8], mut at: usize) -> Option<Extension> {
    let before = u32::from(half(bytes, 6)?) + u32::from(half(bytes, 8)?);
    for _ in 0..before + u32::from(half(bytes, 10)?) {
        let end = after_name(bytes, at)?;
        let length = half(bytes, end + 8)?;
        if half(bytes, end)? == OPT {
            let (size, flags) = (half(bytes, end + 2)?, half(bytes, end + 6)?);
            return Some(Extension { size, wants_signatures: flags & WANTS_SIGNATURES != 0, has_options: length != 0 });
        }
        at = end + 10 + usize::from(length);
    }
    None
}

/// Appends it; nothing, and false, of one that does not fit.
fn encode(record: &Record, bytes: &mut Vec<u8>) -> bool {
    let begin = bytes.len();
    bytes.extend_from_slice(&[0xc0, HEADER as u8]); // the question's name
    let kind = match record {
        Record::Address(IpAddr::V4(_)) => A,
        Record::Address(IpAddr::V6(_)) => AAAA,
        Record::Name(_) => PTR,
    };
    for word in [kind, INTERNET] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.extend_from_slice(&TTL.to_be_bytes());
    let length = bytes.len();
    bytes.extend_from_slice(&[0; 2]);
    match record {
        Record::Address(IpAddr::V4(ip)) => bytes.extend_from_slice(&ip.octets()),
        Record::Address(IpAddr::V6(ip)) => bytes.extend_from_slice(&ip.octets()),
        Record::Name(name) => match labels(name) {
            Some(labels) => bytes.extend_from_slice(&labels),
            None => {
                bytes.truncate(begin);
                return false;
            }
        },
    }
    let data = (bytes.len() - length - 2) as u16;
    bytes[length..length + 2].copy_from_slice(&data.to_be_bytes());
    true
}

/// A name as labels; `None` for one that does not fit.
fn labels(name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    (bytes.len() <= 255).then_some(bytes)
}

/// The name at `at`, and where what follows it begins. A question's own: it has nothing to point to.
fn name(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let (mut text, mut position) = (String::with_capacity(SHORT_NAME), at);
    loop {
        match usize::from(*bytes.get(position)?) {
            0 => {
                text.make_ascii_lowercase();
                return Some((text, position + 1));
            }
            length @ 1..64 => {
                let label = bytes.get(position + 1..position + 1 + length)?;
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&String::from_utf8_lossy(label));
                if text.len() > 1024 {
                    return None;
                }
                position += 1 + length;
            }
            _ => return None,
        }
    }
}

/// Where what follows the name at `at` begins. A pointer ends it and is not followed: whatever a time to live becomes, records stay
/// where they are.
fn after_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + length,
            0xc0.. => return bytes.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, kind: u16, size: Option<u16>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [7, WANTS_RECURSION, 1, 0, 0, u16::from(size.is_some())] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&labels(name).unwrap());
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&INTERNET.to_be_bytes());
        if let Some(size) = size {
            bytes.push(0);
            bytes.extend_from_slice(&OPT.to_be_bytes());
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.extend_from_slice(&[0; 6]);
        }
        bytes
    }

    #[test]
    fn a_query_and_its_answer() {
        let bytes = ask("Db.Back", A, None);
        let query = Query::parse(&bytes).unwrap();
        assert_eq!((query.id, query.name.as_str(), query.kind, query.size()), (7, "db.back", A, 512));
        let answer = query.answer(NO_ERROR, &[Record::Address([10, 0, 0, 1].into())]);
        assert_eq!(answer[..12], [0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[answer.len() - 16..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 2, 88, 0, 4, 10, 0, 0, 1]);
        assert!(query.is_answered_by(&answer, 7) && !query.is_answered_by(&answer, 8));
        assert_eq!(lifetime(&answer), Some(600));
        let mut old = answer.clone();
        age(&mut old, 599);
        assert_eq!(lifetime(&old), Some(1));
        assert_eq!(lifetime(&query.answer(SERVER_FAILURE, &[])), None);
    }

    #[test]
    fn sizes() {
        assert_eq!(Query::parse(&ask("db", A, Some(1232))).unwrap().size(), 1232);
        assert_eq!(Query::parse(&ask("db", A, Some(5))).unwrap().size(), 512);
        let query = Query::parse(&ask("db", A, Some(4096))).unwrap();
        assert!(is_truncated(&query.truncated()));
        assert_eq!(query.answer(NO_ERROR, &[])[11], 1, "EDNS is answered by EDNS");
    }

    #[test]
    fn pointers() {
        let own = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\xc0\x0c\0\x01\0\x01";
        assert_eq!(Query::parse(own), Err((7, FORMAT_ERROR)), "a question's name that points to itself");
        for (bytes, expected) in [
            (&b"\0"[..], Some(1)),
            (b"\x01a\x02bc\0rest", Some(6)),
            (b"\x01a\xc0\x0crest", Some(4)),
            (b"\xc0\0", Some(2)),
            (b"\xc0", None),
            (b"\x02a", None),
            (b"\x01a", None),
            (b"\x80a\0", None),
        ] {
            assert_eq!(after_name(bytes, 0), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_name_that_points_to_a_time_to_live() {
        let head = b"\0\x07\x81\x80\0\x01\0\x02\0\0\0\0\x02db\0\0\x01\0\x01";
        let address = b"\xc0\x0c\0\x01\0\x01\0\0\x01\0\0\x04\x0a\0\0\x01";
        // 29: the last byte of the first one's, which ends a name before and begins none after
        let odd = b"\xc0\x1d\0\x01\0\x01\0\0\x01\0\0\x04\x0a\0\0\x01";
        let mut reply = [&head[..], address, odd].concat();
        assert_eq!(lifetime(&reply), Some(256));
        age(&mut reply, 1);
        assert_eq!(lifetime(&reply), Some(255));
    }

    #[test]
    fn addresses_backwards() {
        let check = |name: &str, ip: Option<&str>| {
            let found = Query::parse(&ask(name, PTR, None)).unwrap().reverse();
            assert_eq!(found, ip.map(|ip| ip.parse().unwrap()), "{name}");
        };
        check("2.0.18.172.in-addr.arpa", Some("172.18.0.2"));
        check("0.18.172.in-addr.arpa", None);
        check(&format!("2.{}d.f.ip6.arpa", "0.".repeat(29)), Some("fd00::2"));
        check("x.ip6.arpa", None);
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for round in 0..20_000 {
            let mut bytes: Vec<u8> = (0..round % 80).map(|_| if next() < 160 { next() % 4 } else { next() }).collect();
            let _ = (Query::parse(&bytes), lifetime(&bytes));
            age(&mut bytes, 1);
        }
    }
}
