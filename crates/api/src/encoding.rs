//! Percent-encoding of paths and queries (RFC 3986; queries as in HTML forms).

/// Appends `text` percent-encoded for a query: a blank is `+`.
pub fn push_query(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            _ if unreserved(byte) => out.push(char::from(byte)),
            _ => push_escape(out, byte),
        }
    }
}

/// Appends `text` percent-encoded for a path, with its slashes kept.
pub fn push_path(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'/' | b':' | b'@' | b'+' | b',' | b'=' => out.push(char::from(byte)),
            _ if unreserved(byte) => out.push(char::from(byte)),
            _ => push_escape(out, byte),
        }
    }
}

/// Decodes percent escapes; `plus` says whether `+` is a blank. Malformed escapes and invalid UTF-8 give `None`.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'%' => {
                let high = char::from(*bytes.get(i + 1)?).to_digit(16)?;
                let low = char::from(*bytes.get(i + 2)?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
                i += 2;
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        i += 1;
    }
    String::from_utf8(out).ok()
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["", "a b", "ä/ö?&=%+", "{\"status\":[\"exited\"]}", "x:1@sha256:00"] {
            let mut query = String::new();
            push_query(&mut query, text);
            assert_eq!(decode(&query, true).as_deref(), Some(text));
            let mut path = String::new();
            push_path(&mut path, text);
            assert_eq!(decode(&path, false).as_deref(), Some(text));
        }
    }

    #[test]
    fn malformed() {
        for text in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decode(text, true), None, "{text}");
        }
    }
}
