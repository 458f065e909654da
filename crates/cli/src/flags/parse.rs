//! The parser: words and rows in, values and positional arguments out.

use super::{Flag, Kind};

/// The flag every command has. `run` and `create` have their own row (it is in their help, and `-h` is the
/// host name there).
pub static HELP: Flag = Flag::bool("help", "Print usage").short('h').hidden();

/// What parsing a list of words gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// `(stored name, value)` in the order given.
    pub given: Vec<(&'static str, String)>,
    /// Positional arguments.
    pub args: Vec<String>,
    /// Warnings about deprecated flags, for stderr.
    pub warnings: Vec<String>,
}

/// Parses `words` by `flags`. With `interspersed` off, the first positional argument ends the flags.
///
/// # Errors
/// The sentence that says what is wrong with the command line.
pub fn parse(
    words: &[String],
    flags: &dyn Fn(Wanted<'_>) -> Option<&'static Flag>,
    interspersed: bool,
) -> Result<Parsed, String> {
    let mut parser = Parser { flags, parsed: Parsed::default(), rest: words };
    while let Some((word, rest)) = parser.rest.split_first() {
        parser.rest = rest;
        match word.strip_prefix('-').filter(|shorthands| !shorthands.is_empty()) {
            None if interspersed => parser.parsed.args.push(word.clone()),
            None => {
                parser.parsed.args.push(word.clone());
                break;
            }
            Some("-") => break,
            Some(long) if long.starts_with('-') => parser.long(&long[1..])?,
            Some(shorthands) => parser.short(shorthands)?,
        }
    }
    let rest = parser.rest;
    parser.parsed.args.extend_from_slice(rest);
    Ok(parser.parsed)
}

impl Parsed {
    /// Whether help was asked for.
    pub fn help(&self) -> bool {
        let last = self.given.iter().rev().find(|(name, _)| *name == HELP.name);
        last.is_some_and(|(_, value)| super::check::parse_bool(value) == Some(true))
    }
}

/// Which flag is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// By long name.
    Long(&'a str),
    /// By shorthand.
    Short(char),
}

impl Wanted<'_> {
    /// Whether `flag` is it.
    pub fn is(self, flag: &Flag) -> bool {
        match self {
            Wanted::Long(name) => flag.name == name,
            Wanted::Short(letter) => flag.short == letter,
        }
    }
}

struct Parser<'a> {
    flags: &'a dyn Fn(Wanted<'_>) -> Option<&'static Flag>,
    parsed: Parsed,
    rest: &'a [String],
}

impl Parser<'_> {
    fn long(&mut self, text: &str) -> Result<(), String> {
        if text.is_empty() || text.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: --{text}"));
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some(flag) = (self.flags)(Wanted::Long(name)) else {
            return Err(format!("unknown flag: --{name}"));
        };
        let value = match value {
            Some(value) => value.to_owned(),
            None if flag.is_bool() => "true".to_owned(),
            None => self.next().ok_or_else(|| format!("flag needs an argument: --{name}"))?,
        };
        self.store(flag, value)
    }

    fn short(&mut self, shorthands: &str) -> Result<(), String> {
        let mut left = shorthands;
        while let Some(letter) = left.chars().next() {
            let after = &left[letter.len_utf8()..];
            let Some(flag) = (self.flags)(Wanted::Short(letter)) else {
                return Err(format!("unknown shorthand flag: {letter:?} in -{left}"));
            };
            if flag.name == HELP.name {
                self.parsed.warnings.push("Flag shorthand -h has been deprecated, use --help".into());
            }
            let value = match after.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if flag.is_bool() => {
                    self.store(flag, "true".into())?;
                    left = after;
                    continue;
                }
                None if !after.is_empty() => Some(after.to_owned()),
                None => self.next(),
            };
            let value = value.ok_or_else(|| format!("flag needs an argument: {letter:?} in -{left}"))?;
            return self.store(flag, value);
        }
        Ok(())
    }

    fn next(&mut self) -> Option<String> {
        let (word, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(word.clone())
    }

    fn store(&mut self, flag: &'static Flag, value: String) -> Result<(), String> {
        let bad = |sentence| format!("invalid argument {value:?} for \"{}\" flag: {sentence}", flag.spelled());
        if flag.kind == Kind::ManyCsv {
            for part in split_csv(&value).map_err(bad)? {
                (flag.check)(&part).map_err(bad)?;
                self.parsed.given.push((flag.stores_as, part));
            }
        } else {
            (flag.check)(&value).map_err(bad)?;
            self.parsed.given.push((flag.stores_as, value));
        }
        if !flag.deprecated.is_empty() {
            self.parsed.warnings.push(format!("Flag --{} has been deprecated, {}", flag.name, flag.deprecated));
        }
        Ok(())
    }
}

/// One line of comma-separated values (RFC 4180): quoted fields may hold commas, `""` is a quote within quotes.
///
/// # Errors
/// As Go's `encoding/csv`: `parse error on line 1, column N: …`.
pub fn split_csv(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    if line.is_empty() {
        return Ok(fields);
    }
    let mut rest = line;
    loop {
        let column = line.len() - rest.len();
        if let Some(quoted) = rest.strip_prefix('"') {
            let (field, after) = quoted_field(quoted, column + 1, line)?;
            fields.push(field);
            rest = after;
            if rest.is_empty() {
                return Ok(fields);
            }
            rest = &rest[1..];
            continue;
        }
        let end = rest.find(',').unwrap_or(rest.len());
        let field = &rest[..end];
        if let Some(quote) = field.find('"') {
            return Err(format!("parse error on line 1, column {}: bare \" in non-quoted-field", column + quote + 1));
        }
        fields.push(field.to_owned());
        if end == rest.len() {
            return Ok(fields);
        }
        rest = &rest[end + 1..];
    }
}

/// A field after its opening quote: its text, and what follows it (empty, or from the comma on).
fn quoted_field<'a>(quoted: &'a str, start: usize, line: &str) -> Result<(String, &'a str), String> {
    let mut field = String::new();
    let mut rest = quoted;
    loop {
        let Some(quote) = rest.find('"') else {
            return Err(format!(
                "parse error on line 1, column {}: extraneous or missing \" in quoted-field",
                line.len() + 1
            ));
        };
        field.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        if let Some(after) = rest.strip_prefix('"') {
            field.push('"');
            rest = after;
        } else if rest.is_empty() || rest.starts_with(',') {
            return Ok((field, rest));
        } else {
            let column = start + quoted.len() - rest.len();
            return Err(format!("parse error on line 1, column {column}: extraneous or missing \" in quoted-field"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROWS: &[Flag] = &[
        Flag::bool("interactive", "").short('i'),
        Flag::bool("tty", "").short('t'),
        Flag::bool_on("sig-proxy", ""),
        Flag::list("publish", "").short('p'),
        Flag::text("name", ""),
        Flag::int("timeout", "").short('x'),
        Flag::int("time", "").alias_of("timeout").deprecated("use --timeout instead"),
        Flag::strings("platform", ""),
    ];

    /// Stored values, then positional arguments.
    type Expected<'a> = Result<(&'a [(&'a str, &'a str)], &'a [&'a str]), &'a str>;

    fn check(line: &str, interspersed: bool, expected: Expected<'_>) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let find = |wanted: Wanted<'_>| ROWS.iter().find(|flag| wanted.is(flag));
        let parsed = parse(&words, &find, interspersed);
        match expected {
            Err(message) => assert_eq!(parsed.unwrap_err(), message, "{line}"),
            Ok((given, args)) => {
                let parsed = parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
                let given: Vec<_> = given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
                assert_eq!(parsed.given, given, "{line}");
                assert_eq!(parsed.args, args, "{line}");
            }
        }
    }

    #[test]
    fn spellings() {
        check("-it a", true, Ok((&[("interactive", "true"), ("tty", "true")], &["a"])));
        check("-itp80:80 a", true, Ok((&[("interactive", "true"), ("tty", "true"), ("publish", "80:80")], &["a"])));
        check("-p=1 -p 2 --publish=3 --publish 4", true, {
            Ok((&[("publish", "1"), ("publish", "2"), ("publish", "3"), ("publish", "4")], &[]))
        });
        check("--sig-proxy=false -i=0", true, Ok((&[("sig-proxy", "false"), ("interactive", "0")], &[])));
        check("a --name x b", true, Ok((&[("name", "x")], &["a", "b"])));
        check("a --name x b", false, Ok((&[], &["a", "--name", "x", "b"])));
        check("--name= -- --x", true, Ok((&[("name", "")], &["--x"])));
        check("- a", true, Ok((&[], &["-", "a"])));
        check("--time 3", true, Ok((&[("timeout", "3")], &[])));
        check("--platform a,b", true, Ok((&[("platform", "a"), ("platform", "b")], &[])));
    }

    #[test]
    fn refusals() {
        check("--nope", true, Err("unknown flag: --nope"));
        check("-iZ", true, Err("unknown shorthand flag: 'Z' in -Z"));
        check("--name", true, Err("flag needs an argument: --name"));
        check("-ip", true, Err("flag needs an argument: 'p' in -p"));
        check("---x", true, Err("bad flag syntax: ---x"));
        check("--=x", true, Err("bad flag syntax: --=x"));
        check("-x y", true, {
            Err("invalid argument \"y\" for \"-x, --timeout\" flag: strconv.ParseInt: parsing \"y\": invalid syntax")
        });
    }

    #[test]
    fn csv() {
        assert_eq!(split_csv("a,b").unwrap(), ["a", "b"]);
        assert_eq!(split_csv("\"a,\"\"b\",c,").unwrap(), ["a,\"b", "c", ""]);
        assert!(split_csv("a\"b").is_err());
        assert!(split_csv("\"a").is_err());
        assert!(split_csv("\"a\"b").is_err());
    }
}
