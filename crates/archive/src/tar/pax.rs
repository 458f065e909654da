//! PAX extended headers: `LENGTH KEY=VALUE\n`, the length in decimal and of the whole record.

use values::{Result, Timestamp};

use super::header::bad;

/// The records of one extended header, in order.
pub(super) fn records(mut data: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let invalid = || bad("invalid PAX record");
    let mut out = Vec::new();
    while !data.is_empty() && data[0] != 0 {
        let space = data.iter().take(20).position(|b| *b == b' ').ok_or_else(invalid)?;
        let len = decimal(&data[..space]).and_then(|n| usize::try_from(n).ok()).ok_or_else(invalid)?;
        if len <= space + 1 || len > data.len() || data[len - 1] != b'\n' {
            return Err(invalid());
        }
        let record = &data[space + 1..len - 1];
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(invalid)?;
        if equals == 0 {
            return Err(invalid());
        }
        out.push((&record[..equals], &record[equals + 1..]));
        data = &data[len..];
    }
    Ok(out)
}

/// Adds a record to an extended header.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    // the length counts its own digits
    while rest + len.to_string().len() != len {
        len = rest + len.to_string().len();
    }
    out.extend_from_slice(len.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Decimal digits and nothing else.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `[-]SECONDS[.FRACTION]`; digits past nanoseconds are cut.
pub(super) fn time(text: &[u8]) -> Result<Timestamp> {
    let invalid = || bad("invalid PAX time");
    let text = std::str::from_utf8(text).map_err(|_| invalid())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole),
    };
    let secs = decimal(digits.as_bytes()).and_then(|n| i64::try_from(n).ok()).ok_or_else(invalid)?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid());
    }
    let nanos: u32 = format!("{:0<9}", &fraction[..fraction.len().min(9)]).parse().map_err(|_| invalid())?;
    Ok(match (negative, nanos) {
        (false, _) => Timestamp { secs, nanos },
        (true, 0) => Timestamp { secs: -secs, nanos: 0 },
        (true, _) => Timestamp { secs: -secs - 1, nanos: 1_000_000_000 - nanos },
    })
}

/// As [`time`] reads it.
pub(super) fn time_text(time: Timestamp) -> String {
    let (sign, secs, nanos) = match time.secs {
        s if s < 0 && time.nanos > 0 => ("-", -(s + 1), 1_000_000_000 - time.nanos),
        s if s < 0 => ("-", -s, 0),
        s => ("", s, time.nanos),
    };
    if nanos == 0 {
        return format!("{sign}{secs}");
    }
    format!("{sign}{secs}.{}", format!("{nanos:09}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_as_written() {
        for len in [1, 50, 89, 90, 91, 92, 93, 985, 986, 987, 988, 9980] {
            let value = vec![b'v'; len];
            let mut data = Vec::new();
            push(&mut data, b"path", &value);
            push(&mut data, b"a=b", b"\n=");
            let found = records(&data).unwrap();
            assert_eq!(found[0], (&b"path"[..], &value[..]), "{len}");
            assert_eq!(found[1], (&b"a"[..], &b"b=\n="[..]));
        }
    }

    #[test]
    fn broken_records_are_refused() {
        for bad in [&b"x path=a\n"[..], b"99 path=a\n", b"9 path=a", b"5 a=b", b"5 =a\n", b"0 a=b\n", b"7 path\n"] {
            assert!(records(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times() {
        for (text, secs, nanos) in
            [("5", 5, 0), ("5.5", 5, 500_000_000), ("-1.25", -2, 750_000_000), ("-3", -3, 0), ("1.000000001", 1, 1)]
        {
            let found = time(text.as_bytes()).unwrap();
            assert_eq!(found, Timestamp { secs, nanos }, "{text}");
            assert_eq!(time_text(found), text);
        }
        for bad in ["", "x", "1.x", ".", "-", "99999999999999999999"] {
            assert!(time(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
