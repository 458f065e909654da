//! Frames (RFC 6455, section 5), pure: bytes in, events out, and the other way.

/// What a frame is (section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn of(byte: u8) -> Option<Opcode> {
        [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong]
            .into_iter()
            .find(|code| *code as u8 == byte)
    }

    fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Why a connection is closed (section 7.4).
pub(crate) mod status {
    pub(crate) const NORMAL: u16 = 1000;
    pub(crate) const PROTOCOL_ERROR: u16 = 1002;
}

/// The most that a control frame may carry.
const CONTROL: usize = 125;

/// What came from the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A piece of a message; where messages begin and end means nothing in a stream of bytes.
    Data(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// With the reason given, to be answered alike.
    Close(Vec<u8>),
}

/// The client broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation;

/// The frames of one client.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Bytes not understood yet.
    pending: Vec<u8>,
    /// The data frame whose payload is coming.
    current: Option<Payload>,
    /// A message whose last frame has not come.
    fragmented: bool,
}

#[derive(Debug)]
struct Payload {
    left: u64,
    mask: [u8; 4],
    /// Bytes of it that have come, for the mask's place.
    seen: usize,
}

struct Header {
    last: bool,
    opcode: Opcode,
    mask: [u8; 4],
    length: u64,
    /// Its own bytes.
    size: usize,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next event; `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Violation> {
        loop {
            if let Some(data) = self.payload() {
                return Ok(Some(Event::Data(data)));
            }
            if self.current.is_some() {
                return Ok(None);
            }
            let Some(header) = Header::parse(&self.pending)? else { return Ok(None) };
            if !header.opcode.is_control() {
                self.begin(&header)?;
                continue;
            }
            let Ok(length) = usize::try_from(header.length) else { return Err(Violation) };
            if !header.last || length > CONTROL {
                return Err(Violation);
            }
            let Some(payload) = self.pending.get(header.size..header.size + length) else { return Ok(None) };
            let payload = unmasked(payload, header.mask, 0);
            self.pending.drain(..header.size + length);
            return Ok(Some(match header.opcode {
                Opcode::Ping => Event::Ping(payload),
                Opcode::Pong => Event::Pong,
                _ => Event::Close(payload),
            }));
        }
    }

    /// What has come of the current data frame.
    fn payload(&mut self) -> Option<Vec<u8>> {
        let current = self.current.as_mut()?;
        let take = self.pending.len().min(usize::try_from(current.left).unwrap_or(usize::MAX));
        let data = unmasked(&self.pending[..take], current.mask, current.seen);
        self.pending.drain(..take);
        current.left -= take as u64;
        current.seen += take;
        if current.left == 0 {
            self.current = None;
        }
        (take > 0).then_some(data)
    }

    fn begin(&mut self, header: &Header) -> Result<(), Violation> {
        // a message goes on exactly when one has begun
        if (header.opcode == Opcode::Continuation) != self.fragmented {
            return Err(Violation);
        }
        self.fragmented = !header.last;
        self.pending.drain(..header.size);
        self.current = Some(Payload { left: header.length, mask: header.mask, seen: 0 });
        Ok(())
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let opcode = Opcode::of(first & 0x0f).ok_or(Violation)?;
        // no extension gives the reserved bits a meaning; a client must mask
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(Violation);
        }
        let long = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let size = 2 + long + 4;
        let Some(rest) = bytes.get(2..size) else { return Ok(None) };
        let (length, mask) = rest.split_at(long);
        let length = match long {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if length >> 63 != 0 {
            return Err(Violation);
        }
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        Ok(Some(Header { last: first & 0x80 != 0, opcode, mask, length, size }))
    }
}

fn unmasked(bytes: &[u8], mask: [u8; 4], from: usize) -> Vec<u8> {
    bytes.iter().zip(from..).map(|(byte, at)| byte ^ mask[at % 4]).collect()
}

/// A whole message in one frame, as a server sends it: unmasked.
pub(crate) fn encode(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(0x80 | opcode as u8);
    match payload.len() {
        short @ 0..126 => frame.push(short as u8),
        medium @ 126..0x1_0000 => {
            frame.push(126);
            frame.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// The payload of a close frame.
pub(crate) fn reason(status: u16) -> Vec<u8> {
    status.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = encode(Opcode::Continuation, payload);
        frame[0] = first;
        frame[1] |= 0x80;
        let head = frame.len() - payload.len();
        frame.truncate(head);
        frame.extend_from_slice(&mask);
        frame.extend(unmasked(payload, mask, 0));
        frame
    }

    /// Decodes in pieces of every size; pieces of data are put together.
    fn check(bytes: &[u8], expected: Result<Vec<Event>, Violation>) {
        for step in [1, 2, 3, 7, 1 << 20] {
            let mut decoder = Decoder::default();
            let mut events: Vec<Event> = Vec::new();
            let mut run = || {
                for piece in bytes.chunks(step) {
                    decoder.push(piece);
                    while let Some(event) = decoder.next()? {
                        match (events.last_mut(), event) {
                            (Some(Event::Data(data)), Event::Data(more)) => data.extend(more),
                            (_, event) => events.push(event),
                        }
                    }
                }
                Ok(())
            };
            let outcome = run().map(|()| events);
            assert_eq!(outcome, expected, "{} bytes in pieces of {step}", bytes.len());
        }
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        check(&hello, Ok(vec![Event::Data(b"Hello".to_vec())]));
        assert_eq!(encode(Opcode::Text, b"Hello"), [0x81, 5, b'H', b'e', b'l', b'l', b'o']);
    }

    #[test]
    fn messages() {
        let long = vec![7; 70_000];
        for payload in [&b"x"[..], &[8; 125], &[8; 126], &[8; 300], &long] {
            check(&client(0x82, payload), Ok(vec![Event::Data(payload.to_vec())]));
        }
        let ping_within = [client(0x02, b"one "), client(0x89, b"?"), client(0x80, b"two")].concat();
        check(
            &ping_within,
            Ok(vec![Event::Data(b"one ".to_vec()), Event::Ping(b"?".to_vec()), Event::Data(b"two".to_vec())]),
        );
        check(&client(0x82, b""), Ok(vec![]));
        check(
            &[client(0x8a, b""), client(0x88, &reason(1000))].concat(),
            Ok(vec![Event::Pong, Event::Close(vec![3, 232])]),
        );
    }

    #[test]
    fn violations() {
        for bad in [
            encode(Opcode::Binary, b"unmasked"),
            client(0xc2, b"reserved bit"),
            client(0x83, b"opcode"),
            client(0x80, b"nothing to continue"),
            [client(0x02, b"a"), client(0x82, b"message within a message")].concat(),
            client(0x09, b"a ping in parts"),
            client(0x89, &[0; 126]),
            vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let mut decoder = Decoder::default();
            decoder.push(&bad);
            let mut last = decoder.next();
            while let Ok(Some(_)) = last {
                last = decoder.next();
            }
            assert_eq!(last, Err(Violation), "{bad:?}");
        }
    }
}
