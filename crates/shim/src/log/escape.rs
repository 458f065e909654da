//! Text as the inside of a JSON string, byte for byte as Docker's json-file driver writes it: `"` `\` newline and
//! carriage return by their short escapes; other control characters, `<`, `>`, `&`, U+2028 and U+2029 as `\u00xx`
//! or `\u202x`; every byte which is not UTF-8 as `\ufffd`.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Appends `text` escaped.
pub fn append(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let clean = plain_prefix(rest);
        out.extend_from_slice(&rest[..clean]);
        rest = &rest[clean..];
        let Some(&byte) = rest.first() else { return };
        if byte < 0x80 {
            append_ascii(byte, out);
            rest = &rest[1..];
        } else {
            rest = append_wide(rest, out);
        }
    }
}

/// Length of the longest prefix found to need no escape, eight bytes a step. It may stop early, never late.
fn plain_prefix(text: &[u8]) -> usize {
    let mut at = 0;
    for word in text.chunks_exact(8) {
        let Ok(word) = <[u8; 8]>::try_from(word) else { break };
        let word = u64::from_le_bytes(word);
        let hits = specials(word);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + text[at..].iter().take_while(|&&b| is_plain(b)).count()
}

/// The high bit of each byte which needs an escape (or is not ASCII). Borrows run upwards only, so the lowest hit is true.
fn specials(word: u64) -> u64 {
    let equals = |byte: u8| {
        let x = word ^ (LOW * u64::from(byte));
        x.wrapping_sub(LOW) & !x
    };
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    // `<` and `>` differ in one bit, which is set in `>`.
    let angle = {
        let x = (word | (LOW * 2)) ^ (LOW * u64::from(b'>'));
        x.wrapping_sub(LOW) & !x
    };
    (control | equals(b'"') | equals(b'\\') | equals(b'&') | angle | word) & HIGH
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

fn append_ascii(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b if is_plain(b) => out.push(b),
        b => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
    }
}

/// Appends the run of non-ASCII text at the start of `text`, or one escape; answers what is left.
fn append_wide<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    if let [0xe2, 0x80, last @ (0xa8 | 0xa9), rest @ ..] = text {
        out.extend_from_slice(if *last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
        return rest;
    }
    match wide_char(text) {
        Some(len) => {
            out.extend_from_slice(&text[..len]);
            &text[len..]
        }
        None => {
            out.extend_from_slice(b"\\ufffd");
            &text[1..]
        }
    }
}

/// Length of the valid UTF-8 character of two to four bytes at the start of `text`.
fn wide_char(text: &[u8]) -> Option<usize> {
    let len = sequence_len(*text.first()?);
    std::str::from_utf8(text.get(..len)?).ok().map(|_| len)
}

/// How many bytes the UTF-8 sequence led by `lead` has; 1 for what leads none.
fn sequence_len(lead: u8) -> usize {
    match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

/// Where to cut `text` so that no UTF-8 character is torn: its length, or up to three bytes less.
pub fn char_boundary(text: &[u8]) -> usize {
    for back in 1..=text.len().min(3) {
        let at = text.len() - back;
        let byte = text[at];
        if byte < 0x80 {
            break;
        }
        if byte >= 0xc0 {
            return if sequence_len(byte) > back { at } else { text.len() };
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &str) {
        let mut out = Vec::new();
        append(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
    }

    #[test]
    fn escapes_as_docker() {
        check(b"plain text of more than eight bytes", "plain text of more than eight bytes");
        check(b"a\"b\\c\n\r", "a\\\"b\\\\c\\n\\r");
        check(b"\ttab\x08\x0c\x00\x1b[0m\x7f", "\\u0009tab\\u0008\\u000c\\u0000\\u001b[0m\x7f");
        check(b"<a href=x>&", "\\u003ca href=x\\u003e\\u0026");
        check("é – \u{2028}\u{2029} 😀".as_bytes(), "é – \\u2028\\u2029 😀");
        check(b"\xff\xfe ok \xe2\x82", "\\ufffd\\ufffd ok \\ufffd\\ufffd");
        check(b"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd");
        check(b"\xf4\x90\x80\x80x", "\\ufffd\\ufffd\\ufffd\\ufffdx");
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_is_json() {
        for byte in 0..=255u8 {
            for place in 0..16 {
                let mut text = vec![b'x'; 17];
                text[place] = byte;
                let mut out = Vec::new();
                append(&text, &mut out);
                let json = format!("\"{}\"", String::from_utf8(out).unwrap());
                let back: String = serde_json::from_str(&json).unwrap();
                assert_eq!(back, String::from_utf8_lossy(&text), "{byte:#x} at {place}");
                assert!(!json[1..json.len() - 1].contains(['<', '>', '&', '\n']));
            }
        }
    }

    #[test]
    fn cuts_between_characters() {
        for (text, expected) in [
            (&b"abc"[..], 3),
            ("aé".as_bytes(), 3),
            (&"aé".as_bytes()[..2], 1),
            (&"😀".as_bytes()[..3], 0),
            ("😀".as_bytes(), 4),
            (b"\x80\x80\x80\x80", 4),
            (b"\xff", 1),
            (b"", 0),
        ] {
            assert_eq!(char_boundary(text), expected, "{text:?}");
        }
    }
}
