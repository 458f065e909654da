//! Flags: `--name value`, `--name=value`, `-n value`; one dash is as good as two for long names.

use super::Failure;

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    name: &'static str,
    short: &'static str,
    takes_value: bool,
}

impl Flag {
    pub(super) const fn text(name: &'static str, short: &'static str) -> Self {
        Self { name, short, takes_value: true }
    }
    pub(super) const fn switch(name: &'static str, short: &'static str) -> Self {
        Self { name, short, takes_value: false }
    }
}

/// A command line, read.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    values: Vec<(&'static str, String)>,
    /// What is no flag.
    pub(super) rest: Vec<String>,
}

impl Arguments {
    /// Reads flags up to the first other word (`stop`) or among all words.
    pub(super) fn parse(flags: &[Flag], words: &[String], stop: bool) -> Result<Self, Failure> {
        let mut read = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(body) = word.strip_prefix('-').filter(|body| !body.is_empty()) else {
                read.rest.push(word.clone());
                if stop {
                    break;
                }
                continue;
            };
            if word == "--" {
                break;
            }
            let body = body.strip_prefix('-').unwrap_or(body);
            let (name, value) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
            let flag = flags
                .iter()
                .find(|flag| flag.name == name || (!flag.short.is_empty() && flag.short == name))
                .ok_or_else(|| format!("flag provided but not defined: -{name}"))?;
            let value = match (flag.takes_value, value) {
                (_, Some(value)) => value.to_owned(),
                (false, None) => "true".to_owned(),
                (true, None) => words.next().cloned().ok_or_else(|| format!("flag needs an argument: -{name}"))?,
            };
            read.values.push((flag.name, value));
        }
        read.rest.extend(words.cloned());
        Ok(read)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value != "false")
    }

    /// The last value.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The number of a flag, 0 without it.
    pub(super) fn number(&self, name: &str) -> Result<u32, Failure> {
        self.text(name)
            .map_or(Ok(0), |text| text.parse().map_err(|_| format!("invalid value {text:?} for flag -{name}")))
    }

    /// The container's id, first of the rest.
    pub(super) fn id(&self) -> Result<&str, Failure> {
        let id = self.rest.first().ok_or("container id cannot be empty")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
        if id.is_empty() || !id.bytes().all(plain) || id == "." || id == ".." {
            return Err(format!("invalid container ID format: {id:?}"));
        }
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[Flag::text("bundle", "b"), Flag::switch("detach", "d"), Flag::text("env", "e")];

    fn parse(line: &str) -> Result<Arguments, Failure> {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Arguments::parse(FLAGS, &words, true)
    }

    #[test]
    fn lines() {
        let read = parse("--bundle /x -d -e A=1 --env=B=2 id --detach rest").unwrap();
        assert_eq!(read.text("bundle"), Some("/x"));
        assert!(read.has("detach"));
        assert_eq!(read.all("env").collect::<Vec<_>>(), ["A=1", "B=2"]);
        assert_eq!(read.rest, ["id", "--detach", "rest"]);
        assert_eq!(parse("-- -x").unwrap().rest, ["-x"]);
        for bad in ["--what", "--bundle", "-x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for (id, good) in [("a-1", true), ("../x", false), ("", false), ("a/b", false), ("..", false)] {
            let read = Arguments { rest: vec![id.to_owned()], ..Arguments::default() };
            assert_eq!(read.id().is_ok(), good, "{id}");
        }
    }
}
