//! Sizes in bytes, read and written as Docker's go-units does.

use crate::{Error, Result};

/// Parses `500m`, `1.5GiB`, `64k`, `100` as bytes, always by powers of 1024 (what `-m` and `--shm-size` take).
pub fn parse_binary(s: &str) -> Result<i64> {
    parse(s, 1024)
}

/// The same by powers of 1000 (`docker system prune`'s and `search`'s kind of sizes).
pub fn parse_decimal(s: &str) -> Result<i64> {
    parse(s, 1000)
}

fn parse(s: &str, base: i64) -> Result<i64> {
    let bad = || Error::invalid(format!("invalid size: '{s}'"));
    let split = s.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(s.len());
    let (number, unit) = s.split_at(split);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let letter = match unit.as_str() {
        "" | "b" => return Ok(number as i64),
        u => u.strip_suffix("ib").or_else(|| u.strip_suffix('b')).unwrap_or(u).to_owned(),
    };
    let power = match letter.as_str() {
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(bad()),
    };
    Ok((number * base.pow(power) as f64) as i64)
}

/// `1.093MB`: powers of 1000, four significant digits.
pub fn human(bytes: f64) -> String {
    human_with_precision(bytes, 4)
}

/// Powers of 1000 with `digits` significant digits.
pub fn human_with_precision(bytes: f64, digits: usize) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], digits)
}

/// `1.043MiB`: powers of 1024, four significant digits.
pub fn human_binary(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"], 4)
}

fn scaled(mut size: f64, base: f64, units: &[&str], digits: usize) -> String {
    let mut i = 0;
    while size >= base && i + 1 < units.len() {
        size /= base;
        i += 1;
    }
    format!("{}{}", significant(size, digits), units[i])
}

/// C's and Go's `%.{digits}g` for numbers ≥ 0.
fn significant(x: f64, digits: usize) -> String {
    if x == 0.0 {
        return "0".into();
    }
    let exponent = x.abs().log10().floor() as i32;
    let text = format!("{:.*}", digits.saturating_sub(1), x / 10f64.powi(exponent));
    // rounding may have carried into one digit more
    let exponent = if text.starts_with("10") { exponent + 1 } else { exponent };
    if exponent >= digits as i32 || exponent < -4 {
        let mantissa = format!("{:.*}", digits.saturating_sub(1), x / 10f64.powi(exponent));
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim_zeros(&mantissa), exponent.abs());
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    trim_zeros(&format!("{x:.decimals$}")).to_owned()
}

fn trim_zeros(s: &str) -> &str {
    if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.') } else { s }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_docker_sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("32", 32),
            ("32b", 32),
            ("32B", 32),
            ("32k", 32 << 10),
            ("32KB", 32 << 10),
            ("32kib", 32 << 10),
            ("1.5m", 3 << 19),
            ("2 GB", 2 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(parse_binary(text).unwrap(), bytes, "{text}");
        }
        assert_eq!(parse_decimal("1k").unwrap(), 1000);
        for bad in ["", "x", "-1", "1x", "1 2", "1bb", ".", "1kk", "1é"] {
            assert!(parse_binary(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_docker_sizes() {
        for (bytes, text) in [
            (0.0, "0B"),
            (999.0, "999B"),
            (1000.0, "1kB"),
            (1024.0, "1.024kB"),
            (4_261_550.0, "4.262MB"),
            (999_999.0, "1000kB"),
            (1e9, "1GB"),
        ] {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(human_binary(1024.0 * 1024.0 * 1.5), "1.5MiB");
        assert_eq!(human_with_precision(1_234_567.0, 3), "1.23MB");
    }
}
