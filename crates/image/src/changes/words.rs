//! Words of an instruction: quotes, escapes, `$NAME` and `${NAME:-default}`.

use values::{Error, Result};

/// Splits and expands; nothing of it is kept.
pub(super) struct Words;

impl Words {
    /// Words between blanks, quotes taken away, variables of `env` put in.
    pub(super) fn split(text: &str, env: &[String]) -> Result<Vec<String>> {
        Ok(Expander { rest: text.chars().peekable(), env }.words()?.into_iter().map(|word| word.text).collect())
    }

    /// The whole text as one word, its blanks kept.
    pub(super) fn one(text: &str, env: &[String]) -> Result<String> {
        Ok(Expander { rest: text.chars().peekable(), env }.word(false)?.unwrap_or_default().text)
    }

    /// `name=value …`, or the old form `name value` in which the value is the rest of the line.
    pub(super) fn pairs(text: &str, env: &[String], instruction: &str) -> Result<Vec<(String, String)>> {
        let blank = || Error::invalid(format!("{instruction} names can not be blank"));
        let words = Expander { rest: text.chars().peekable(), env }.words()?;
        if words.first().is_some_and(|word| word.equals.is_none()) {
            let (name, value) = text
                .split_once(char::is_whitespace)
                .ok_or_else(|| Error::invalid(format!("{instruction} must have two arguments")))?;
            return Ok(vec![(Self::one(name, env)?, Self::one(value.trim(), env)?)]);
        }
        let pair = |word: Word| {
            let Some(equals) = word.equals else {
                return Err(Error::invalid(format!(
                    "Syntax error - can't find = in {:?}. Must be of the form: name=value",
                    word.text
                )));
            };
            let (name, value) = word.text.split_at(equals);
            if name.is_empty() { Err(blank()) } else { Ok((name.to_owned(), value[1..].to_owned())) }
        };
        words.into_iter().map(pair).collect()
    }
}

#[derive(Default)]
struct Word {
    text: String,
    /// Where the first `=` outside of quotes and variables is.
    equals: Option<usize>,
}

struct Expander<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    env: &'a [String],
}

impl Expander<'_> {
    fn words(mut self) -> Result<Vec<Word>> {
        let mut out = Vec::new();
        while let Some(word) = self.word(true)? {
            out.push(word);
        }
        Ok(out)
    }

    /// The next word, up to a blank where `splits`; `None` at the end.
    fn word(&mut self, splits: bool) -> Result<Option<Word>> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        if self.rest.peek().is_none() {
            return Ok(None);
        }
        let mut word = Word::default();
        while let Some(c) = self.rest.next_if(|c| !(splits && c.is_whitespace())) {
            match c {
                '\'' => self.single_quoted(&mut word.text)?,
                '"' => self.double_quoted(&mut word.text)?,
                '\\' => word.text.push(self.rest.next().unwrap_or('\\')),
                '$' => word.text.push_str(&self.variable()?),
                '=' => {
                    word.equals.get_or_insert(word.text.len());
                    word.text.push('=');
                }
                other => word.text.push(other),
            }
        }
        Ok(Some(word))
    }

    fn single_quoted(&mut self, out: &mut String) -> Result<()> {
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(c) => out.push(c),
                None => return Err(unclosed("single-quote")),
            }
        }
    }

    fn double_quoted(&mut self, out: &mut String) -> Result<()> {
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('$') => out.push_str(&self.variable()?),
                // only these three lose their backslash
                Some('\\') => match self.rest.next_if(|c| matches!(c, '"' | '$' | '\\')) {
                    Some(c) => out.push(c),
                    None => out.push('\\'),
                },
                Some(c) => out.push(c),
                None => return Err(unclosed("double-quote")),
            }
        }
    }

    /// What follows a `$`.
    fn variable(&mut self) -> Result<String> {
        if self.rest.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(if name.is_empty() { "$".into() } else { self.value(&name).unwrap_or_default() });
        }
        let name = self.name();
        let value = self.value(&name);
        match self.rest.next() {
            Some('}') if !name.is_empty() => Ok(value.unwrap_or_default()),
            Some(':') => {
                let operator = self.rest.next();
                let word = self.braced()?;
                let set = value.filter(|v| !v.is_empty());
                match operator {
                    Some('-') => Ok(set.unwrap_or(word)),
                    Some('+') => Ok(set.map(|_| word).unwrap_or_default()),
                    _ => Err(Error::invalid("unsupported modifier in substitution")),
                }
            }
            None => Err(Error::invalid("syntax error: missing '}'")),
            Some(_) => Err(Error::invalid("bad substitution")),
        }
    }

    /// The word up to the closing brace.
    fn braced(&mut self) -> Result<String> {
        let mut out = String::new();
        loop {
            match self.rest.next() {
                Some('}') => return Ok(out),
                Some('$') => out.push_str(&self.variable()?),
                Some(c) => out.push(c),
                None => return Err(Error::invalid("syntax error: missing '}'")),
            }
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        self.env.iter().find_map(|entry| entry.split_once('=').filter(|(n, _)| *n == name).map(|(_, v)| v.to_owned()))
    }
}

fn unclosed(what: &str) -> Error {
    Error::invalid(format!("unexpected end of statement while looking for matching {what}"))
}
