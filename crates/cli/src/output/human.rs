//! Lengths of time, sizes and names for people.

use std::time::Duration;

use values::Timestamp;

/// `5 minutes ago`
pub fn ago(unix_seconds: i64) -> String {
    let seconds = Timestamp::now().secs.saturating_sub(unix_seconds);
    format!("{} ago", values::duration::human(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

/// `1.23MB`: decimal, three significant digits.
pub fn size(bytes: i64) -> String {
    values::size::human_with_precision(bytes as f64, 3)
}

/// The first twelve digits of an id, without its algorithm.
pub fn short_id(id: &str) -> &str {
    let digits = id.split_once(':').map_or(id, |(_, digits)| digits);
    digits.get(..12).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cut() {
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("abc"), "abc");
        assert_eq!(short_id("ééééééé"), "éééééé");
    }

    #[test]
    fn the_future_is_now() {
        assert_eq!(ago(i64::MAX), "Less than a second ago");
    }
}
