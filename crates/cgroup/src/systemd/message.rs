//! Messages of D-Bus, as many of their types as talking to systemd needs.
//! <https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling>

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Call,
    Return,
    Error,
    Signal,
}

const KINDS: [(u8, Kind); 4] = [(1, Kind::Call), (2, Kind::Return), (3, Kind::Error), (4, Kind::Signal)];

/// A value of one of the types that we write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    U32(u32),
    U64(u64),
    Text(String),
    Path(String),
    Texts(Vec<String>),
    U32s(Vec<u32>),
    Bytes(Vec<u8>),
    /// `a(sv)`.
    Properties(Vec<(String, Value)>),
    /// `a(sa(sv))` without an element: the auxiliary units of a transient one.
    NoUnits,
}

/// A message, both ways. Of bodies read, only the leading strings, paths and `u32`s are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: Kind,
    pub serial: u32,
    pub reply_serial: u32,
    pub path: String,
    pub interface: String,
    pub member: String,
    pub error: String,
    pub destination: String,
    pub body: Vec<Value>,
}

impl Message {
    pub fn new(kind: Kind, serial: u32) -> Self {
        Self {
            kind,
            serial,
            reply_serial: 0,
            path: String::new(),
            interface: String::new(),
            member: String::new(),
            error: String::new(),
            destination: String::new(),
            body: Vec::new(),
        }
    }

    /// A method call to `destination`.
    pub fn call(serial: u32, destination: &str, path: &str, interface: &str, member: &str, body: Vec<Value>) -> Self {
        Self {
            path: path.to_owned(),
            interface: interface.to_owned(),
            member: member.to_owned(),
            destination: destination.to_owned(),
            body,
            ..Self::new(Kind::Call, serial)
        }
    }
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Bool(_) => "b",
            Self::U32(_) => "u",
            Self::U64(_) => "t",
            Self::Text(_) => "s",
            Self::Path(_) => "o",
            Self::Texts(_) => "as",
            Self::U32s(_) => "au",
            Self::Bytes(_) => "ay",
            Self::Properties(_) => "a(sv)",
            Self::NoUnits => "a(sa(sv))",
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Path(text) => Some(text),
            _ => None,
        }
    }
}

/// Bytes with every value at a multiple of its alignment; little-endian.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn pad(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, value: u32) {
        self.pad(4);
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(text.len() as u8);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// An array: its length does not count the padding before the first element.
    fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length_at = self.0.len() - 4;
        self.pad(alignment);
        let start = self.0.len();
        elements(self);
        let length = (self.0.len() - start) as u32;
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        self.value(value);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => self.u32(u32::from(*value)),
            Value::U32(value) => self.u32(*value),
            Value::U64(value) => {
                self.pad(8);
                self.0.extend(value.to_le_bytes());
            }
            Value::Text(text) | Value::Path(text) => self.text(text),
            Value::Texts(list) => self.array(4, |w| list.iter().for_each(|text| w.text(text))),
            Value::U32s(list) => self.array(4, |w| list.iter().for_each(|number| w.u32(*number))),
            Value::Bytes(bytes) => self.array(1, |w| w.0.extend(bytes)),
            Value::Properties(list) => self.array(8, |w| {
                for (name, value) in list {
                    w.pad(8);
                    w.text(name);
                    w.variant(value);
                }
            }),
            Value::NoUnits => self.array(8, |_| {}),
        }
    }
}

const VERSION: u8 = 1;
/// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// Bytes before the array of fields.
const FIXED: usize = 12;

/// The bytes of a message.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut body = Writer::default();
    message.body.iter().for_each(|value| body.value(value));
    let signature: String = message.body.iter().map(Value::signature).collect();
    let mut out = Writer::default();
    let kind = KINDS.iter().find(|(_, kind)| *kind == message.kind).map_or(1, |(code, _)| *code);
    out.0.extend([b'l', kind, 0, VERSION]);
    out.u32(body.0.len() as u32);
    out.u32(message.serial);
    out.array(8, |w| {
        let mut field = |code: u8, write: &dyn Fn(&mut Writer)| {
            w.pad(8);
            w.0.push(code);
            write(w);
        };
        if !message.path.is_empty() {
            field(PATH, &|w| w.variant(&Value::Path(message.path.clone())));
        }
        for (code, text) in [
            (INTERFACE, &message.interface),
            (MEMBER, &message.member),
            (ERROR, &message.error),
            (DESTINATION, &message.destination),
        ] {
            if !text.is_empty() {
                field(code, &|w| w.variant(&Value::Text(text.clone())));
            }
        }
        if message.reply_serial != 0 {
            field(REPLY_SERIAL, &|w| w.variant(&Value::U32(message.reply_serial)));
        }
        if !signature.is_empty() {
            field(SIGNATURE, &|w| {
                w.signature("g");
                w.signature(&signature);
            });
        }
    });
    out.pad(8);
    out.0.extend(body.0);
    out.0
}

/// The largest message the specification allows, bytes.
const LONGEST: usize = 128 << 20;

/// How many bytes the message that begins here has; None while its head is not whole. An error: this is no D-Bus.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    if bytes.len() < FIXED + 4 {
        return Ok(None);
    }
    let mut reader = Reader::of(bytes)?;
    reader.at = 4;
    let body = reader.u32().ok_or(BROKEN)? as usize;
    reader.at = FIXED;
    let fields = reader.u32().ok_or(BROKEN)? as usize;
    match (FIXED + 4 + fields).next_multiple_of(8).checked_add(body) {
        Some(length) if length <= LONGEST => Ok(Some(length)),
        _ => Err(BROKEN),
    }
}

const BROKEN: &str = "malformed D-Bus message";

/// Reads one whole message.
pub fn decode(bytes: &[u8]) -> Result<Message, &'static str> {
    let mut reader = Reader::of(bytes)?;
    let kind = KINDS.iter().find(|(code, _)| bytes.get(1) == Some(code)).map(|(_, kind)| *kind).ok_or(BROKEN)?;
    reader.at = 8;
    let mut message = Message::new(kind, reader.u32().ok_or(BROKEN)?);
    let length = reader.u32().ok_or(BROKEN)? as usize;
    let end = reader.at.checked_add(length).filter(|end| *end <= bytes.len()).ok_or(BROKEN)?;
    let mut signature = String::new();
    while reader.at < end {
        reader.field(&mut message, &mut signature).ok_or(BROKEN)?;
    }
    reader.at = end.next_multiple_of(8);
    for kind in signature.chars() {
        // what comes behind a type that we do not read is not needed
        let Some(value) = reader.simple(kind) else { break };
        message.body.push(value);
    }
    Ok(message)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, &'static str> {
        match bytes.first() {
            Some(b'l') => Ok(Self { bytes, at: 0, little: true }),
            Some(b'B') => Ok(Self { bytes, at: 0, little: false }),
            _ => Err(BROKEN),
        }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.at = self.at.next_multiple_of(4);
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Some(text)
    }

    fn signature(&mut self) -> Option<String> {
        let length = usize::from(*self.take(1)?.first()?);
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Some(text)
    }

    fn simple(&mut self, kind: char) -> Option<Value> {
        match kind {
            's' => self.text().map(Value::Text),
            'o' => self.text().map(Value::Path),
            'u' => self.u32().map(Value::U32),
            'b' => self.u32().map(|value| Value::Bool(value != 0)),
            _ => None,
        }
    }

    fn field(&mut self, message: &mut Message, signature: &mut String) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let code = *self.take(1)?.first()?;
        let kind = self.signature()?;
        if kind == "g" {
            let text = self.signature()?;
            if code == SIGNATURE {
                *signature = text;
            }
            return Some(());
        }
        let value = self.simple(kind.chars().next()?)?;
        let text = value.text().unwrap_or_default().to_owned();
        match (code, value) {
            (PATH, _) => message.path = text,
            (INTERFACE, _) => message.interface = text,
            (MEMBER, _) => message.member = text,
            (ERROR, _) => message.error = text,
            (DESTINATION, _) => message.destination = text,
            (REPLY_SERIAL, Value::U32(serial)) => message.reply_serial = serial,
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of a `Hello` as libdbus sends it.
    #[test]
    fn bytes() {
        let hello = Message::call(
            1,
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "Hello",
            Vec::new(),
        );
        let bytes = encode(&hello);
        assert_eq!(&bytes[..16], b"l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x6d\x00\x00\x00");
        assert_eq!(&bytes[16..24], b"\x01\x01o\x00\x15\x00\x00\x00");
        assert_eq!(&bytes[24..45], b"/org/freedesktop/DBus");
        assert_eq!((bytes.len(), length(&bytes)), (128, Ok(Some(128))));
        assert_eq!(decode(&bytes), Ok(hello));
    }

    #[test]
    fn there_and_back() {
        let message = Message {
            reply_serial: 7,
            body: vec![Value::U32(5), Value::Path("/a".into()), Value::Text("b c".into()), Value::Bool(true)],
            ..Message::new(Kind::Return, 9)
        };
        assert_eq!(decode(&encode(&message)), Ok(message));
        let error = Message { error: "org.x.Error".into(), reply_serial: 3, ..Message::new(Kind::Error, 1) };
        assert_eq!(decode(&encode(&error)), Ok(error));
    }

    #[test]
    fn properties_are_aligned() {
        let body = vec![
            Value::Text("x".into()),
            Value::Properties(vec![("A".into(), Value::U64(1)), ("B".into(), Value::U32s(vec![7]))]),
            Value::NoUnits,
        ];
        let bytes = encode(&Message { body, ..Message::call(2, "d", "/p", "i.i", "M", Vec::new()) });
        let body = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let body = &bytes[bytes.len() - body..];
        assert_eq!(body[..8], [1, 0, 0, 0, b'x', 0, 0, 0]);
        // "A": length, text, signature "t", padding, value; "B": length, text, signature "au", padding, length, value
        let elements: &[u8] = &[
            1, 0, 0, 0, b'A', 0, 1, b't', 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, //
            1, 0, 0, 0, b'B', 0, 2, b'a', b'u', 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0,
        ];
        // the array's length, padding to its first element, the elements, the length of the empty array
        assert_eq!(body[8..16], [elements.len() as u8, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(body[16..], *[elements, &[0, 0, 0, 0]].concat());
    }

    #[test]
    fn broken() {
        assert_eq!(length(b"l\x01\x00"), Ok(None));
        assert!(length(b"GET / HTTP/1.1\r\n").is_err());
        assert!(decode(b"l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\xff\x00\x00\x00").is_err());
        let good = encode(&Message { body: vec![Value::Text("abc".into())], ..Message::new(Kind::Signal, 1) });
        for cut in 16..good.len() {
            let _ = decode(&good[..cut]);
        }
    }
}
