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

/// `a=1,b=`
pub fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
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

/// The order of names in which numbers count as such: `net2` comes before `net10`.
pub fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let number = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits_a, digits_b) = (number(a), number(b));
        let ordering = if digits_a > 0 && digits_b > 0 {
            let ((x, rest_a), (y, rest_b)) = (a.split_at(digits_a), b.split_at(digits_b));
            (a, b) = (rest_a, rest_b);
            let (bare_x, bare_y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            bare_x.len().cmp(&bare_y.len()).then_with(|| bare_x.cmp(bare_y)).then_with(|| x.len().cmp(&y.len()))
        } else {
            let (mut chars_a, mut chars_b) = (a.chars(), b.chars());
            let (x, y) = (chars_a.next(), chars_b.next());
            if x.is_none() && y.is_none() {
                return std::cmp::Ordering::Equal;
            }
            (a, b) = (chars_a.as_str(), chars_b.as_str());
            x.cmp(&y)
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

#[cfg(test)]
mod natural_tests {
    use super::natural;

    #[test]
    fn numbers_count_as_such() {
        let mut names = ["net10", "net2", "bridge", "net", "net2a", "net02"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["bridge", "net", "net2", "net2a", "net02", "net10"]);
    }
}
