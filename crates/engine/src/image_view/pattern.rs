//! Shell patterns as Go's `path.Match` reads them: `*` and `?` stop at `/`, `[a-z]`, `[^a]`, `\x`.

use values::{Error, Result};

/// Refuses a malformed pattern.
///
/// # Errors
/// `InvalidArgument` naming the filter.
pub(super) fn check(pattern: &str) -> Result<()> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut rest = &letters[..];
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            '[' => class(after, 'x').map(|(_, after)| after),
            '\\' => after.split_first().map(|(_, after)| after),
            _ => Some(after),
        }
        .ok_or_else(|| Error::invalid(format!("invalid filter 'reference={pattern}'")))?;
    }
    Ok(())
}

/// True when the whole of `text` fits; a malformed pattern fits nothing.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (&pattern[..], &text[..]);
    // Where to go on when what follows the last `*` does not fit: it takes one letter more.
    let mut retry: Option<(&[char], &[char])> = None;
    loop {
        if let Some((first, after)) = p.split_first() {
            if *first == '*' {
                retry = Some((after, t));
                p = after;
                continue;
            }
            if let Some(next) = step(*first, after, t) {
                (p, t) = next;
                continue;
            }
        } else if t.is_empty() {
            return true;
        }
        match retry {
            Some((after, [skipped, rest @ ..])) if *skipped != '/' => {
                retry = Some((after, rest));
                (p, t) = (after, rest);
            }
            _ => return false,
        }
    }
}

/// Takes one letter of the text by one element (not `*`) of the pattern.
fn step<'p, 't>(first: char, after: &'p [char], text: &'t [char]) -> Option<(&'p [char], &'t [char])> {
    let (letter, rest) = text.split_first()?;
    let (fits, after) = match first {
        '?' => (*letter != '/', after),
        '[' => class(after, *letter)?,
        '\\' => {
            let (escaped, after) = after.split_first()?;
            (escaped == letter, after)
        }
        plain => (plain == *letter, after),
    };
    fits.then_some((after, rest))
}

/// Reads a class after its `[`: whether the letter is in it, and what follows. None: malformed.
fn class(mut pattern: &[char], letter: char) -> Option<(bool, &[char])> {
    let negated = pattern.first() == Some(&'^');
    if negated {
        pattern = &pattern[1..];
    }
    let (mut inside, mut ranges) = (false, 0);
    loop {
        if pattern.first() == Some(&']') && ranges > 0 {
            return Some((inside != negated, &pattern[1..]));
        }
        let (low, after) = member(pattern)?;
        let (high, after) = match after.split_first() {
            Some(('-', after)) => member(after)?,
            _ => (low, after),
        };
        inside |= (low..=high).contains(&letter);
        ranges += 1;
        pattern = after;
    }
}

fn member(pattern: &[char]) -> Option<(char, &[char])> {
    let (first, after) = pattern.split_first()?;
    match first {
        '-' | ']' => None,
        '\\' => after.split_first().map(|(escaped, after)| (*escaped, after)),
        plain => Some((*plain, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Go's own documentation in substance.
    #[test]
    fn as_go() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^e-g]", "abc", true),
            ("ab[^b-d]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a?b", "a/b", false),
            ("a[^a]b", "a☺b", true),
            ("[]a]", "]", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        for (pattern, good) in
            [("a[", false), ("[^", false), ("[]", false), ("a\\", false), ("[a-]", false), ("a[b]*?", true)]
        {
            assert_eq!(check(pattern).is_ok(), good, "{pattern}");
        }
    }
}
