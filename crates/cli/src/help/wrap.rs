//! Line breaking of option texts, with pflag's habits: the last word may overhang by five columns rather than
//! be left alone on a line, a break in the text counts as a word end, and a column too far right drops the
//! text to a block of its own.

/// How far a text's end may overhang.
const OVERHANG: usize = 5;
/// Below this many columns a text is not wrapped beside its option.
const NARROWEST: usize = 24;
/// Indent of a text that found no room beside its option.
const BLOCK_INDENT: usize = 16;

/// Wraps `text` into lines that start in column `indent` and end before column `width`; the first line is not
/// indented. A `width` of 0 means no limit.
pub fn wrap(text: &str, indent: usize, width: usize) -> String {
    let break_at = |indent: usize| format!("\n{}", " ".repeat(indent));
    if width == 0 {
        return text.replace('\n', &break_at(indent));
    }
    let (indent, lead) = match width.checked_sub(indent) {
        Some(room) if room >= NARROWEST => (indent, String::new()),
        _ => (BLOCK_INDENT, break_at(BLOCK_INDENT)),
    };
    let Some(room) = width.checked_sub(indent).filter(|room| *room >= NARROWEST) else {
        return text.replace('\n', &lead);
    };
    let newline = break_at(indent);
    let mut wrapped = lead;
    let mut rest = text;
    loop {
        let (line, after) = split(rest, room - OVERHANG);
        wrapped += &line.replace('\n', &newline);
        if after.is_empty() {
            return wrapped;
        }
        wrapped += &newline;
        rest = after;
    }
}

/// Splits at the last blank within `limit` bytes; an earlier line break takes precedence over a blank after it.
fn split(text: &str, limit: usize) -> (&str, &str) {
    if limit + OVERHANG > text.len() {
        return (text, "");
    }
    let window = &text.as_bytes()[..limit];
    let Some(blank) = window.iter().rposition(|b| matches!(b, b' ' | b'\t' | b'\n')).filter(|at| *at > 0) else {
        return (text, "");
    };
    let newline = window.iter().rposition(|b| *b == b'\n').filter(|at| *at > 0 && *at < blank);
    let at = newline.unwrap_or(blank);
    (&text[..at], &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks() {
        assert_eq!(wrap("short", 10, 79), "short");
        assert_eq!(
            wrap("Add a custom host-to-IP mapping (host:ip)", 39, 79),
            format!("Add a custom host-to-IP mapping\n{}(host:ip)", " ".repeat(39))
        );
        // an end that overhangs by less than five columns stays
        assert_eq!(wrap("Keep STDIN open even if not attached", 39, 79), "Keep STDIN open even if not attached");
        assert_eq!(wrap("a\nb", 2, 0), "a\n  b");
        assert!(wrap("some text", 70, 79).starts_with(&format!("\n{}", " ".repeat(16))));
    }
}
