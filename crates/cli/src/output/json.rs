//! JSON text, laid out anew without being read: order, numbers and escapes stay as they are.

/// Indents `json` by `indent` a level, below a first line that is `depth` levels in. Text that is no JSON comes out
/// with its spaces changed, no worse.
pub fn indented(json: &[u8], depth: usize, indent: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = depth;
    let mut in_string = false;
    let mut escaped = false;
    // An opening bracket waits: an empty object stays on its line.
    let mut opened = false;
    for &byte in json {
        if in_string {
            out.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        if opened && !closes {
            depth += 1;
            new_line(&mut out, depth, indent);
        } else if closes && !opened {
            depth = depth.saturating_sub(1);
            new_line(&mut out, depth, indent);
        }
        opened = matches!(byte, b'{' | b'[');
        out.push(byte);
        match byte {
            b',' => new_line(&mut out, depth, indent),
            b':' => out.push(b' '),
            b'"' => in_string = true,
            _ => {}
        }
    }
    out
}

fn new_line(out: &mut Vec<u8>, depth: usize, indent: &str) {
    out.push(b'\n');
    (0..depth).for_each(|_| out.extend_from_slice(indent.as_bytes()));
}

/// Without white space between tokens.
pub fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if byte.is_ascii_whitespace() && !in_string => continue,
            _ => {}
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out() {
        for (json, expected) in [
            (r#"{}"#, "{}"),
            (r#"[ ]"#, "[]"),
            (
                r#"{"b":1.50,"a":[1,{"x":"a\"{,:"}],"e":{ }}"#,
                "{\n  \"b\": 1.50,\n  \"a\": [\n    1,\n    {\n      \"x\": \"a\\\"{,:\"\n    }\n  ],\n  \"e\": {}\n}",
            ),
            ("[[]]", "[\n  []\n]"),
        ] {
            assert_eq!(String::from_utf8(indented(json.as_bytes(), 0, "  ")).unwrap(), expected);
        }
        assert_eq!(indented(b"[1]", 1, " "), b"[\n  1\n ]");
        assert_eq!(compact(b"{ \"a b\" : [ 1 , \"\\\" x\" ] }\n"), b"{\"a b\":[1,\"\\\" x\"]}");
    }
}
