//! How many columns of a terminal a text takes.

/// Columns of one character: 2 for East Asian wide ones and emoji, 0 for combining marks, else 1.
/// Ranges are the blocks of Unicode's EastAsianWidth.txt that are wide as a whole.
pub fn of_char(c: char) -> usize {
    match c as u32 {
        0x20..0x300 => 1,
        0..0x20 => 0,
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0x33ff
        | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff
        | 0xa000..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Columns of a text.
pub fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// The text, or as much of it as fits `most` columns with `…` at its end.
pub fn ellipsis(text: &str, most: usize) -> String {
    if of(text) <= most {
        return text.into();
    }
    let mut left = most.saturating_sub(1);
    let fits = |c: &char| {
        let width = of_char(*c);
        let fits = width <= left;
        left = if fits { left - width } else { 0 };
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_columns() {
        for (text, most, expected) in [
            ("short", 20, "short"),
            ("exactly-twenty-chars", 20, "exactly-twenty-chars"),
            ("exactly-twenty-chars!", 20, "exactly-twenty-char…"),
            ("日本語テキスト", 14, "日本語テキスト"),
            ("日本語テキスト", 8, "日本語…"),
            ("日本語テキスト", 7, "日本語…"),
            ("añb", 2, "a…"),
        ] {
            assert_eq!(ellipsis(text, most), expected);
        }
    }
}
