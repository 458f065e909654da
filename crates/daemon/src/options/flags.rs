//! The command line of the daemon, with the rules and words of Docker's (pflag's): `--flag value`, `--flag=value`, `-Fvalue`,
//! `-F=value`, booleans without a value, `--` before operands (of which there are none).

use serde_json::{Map, Value, json};
use values::{Error, Result};

use super::merge::Values;
use super::{Kind, ROWS, Row};

/// What a command line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    pub help: bool,
    pub version: bool,
    pub validate: bool,
    pub config_file: Option<String>,
    pub values: Values,
}

/// A flag without a row: it is about this one start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Help,
    Version,
    Validate,
    ConfigFile,
}

#[derive(Clone, Copy)]
enum Flag {
    Row(&'static Row),
    Special(Special),
}

impl Flag {
    fn long(name: &str) -> Option<Self> {
        let special = |s| Some(Self::Special(s));
        match name {
            "help" => special(Special::Help),
            "version" => special(Special::Version),
            "validate" => special(Special::Validate),
            "config-file" => special(Special::ConfigFile),
            "" => None,
            _ => ROWS.iter().find(|row| row.flag == name).map(Self::Row),
        }
    }

    fn short(letter: char) -> Option<Self> {
        match letter {
            'h' => Some(Self::Special(Special::Help)),
            'v' => Some(Self::Special(Special::Version)),
            _ => ROWS.iter().find(|row| row.short == Some(letter)).map(Self::Row),
        }
    }

    fn is_bool(self) -> bool {
        match self {
            Self::Row(row) => row.kind == Kind::Bool,
            Self::Special(special) => special != Special::ConfigFile,
        }
    }

    /// As errors name it.
    fn name(self) -> String {
        match self {
            Self::Row(Row { flag, short: Some(short), .. }) => format!("-{short}, --{flag}"),
            Self::Row(row) => format!("--{}", row.flag),
            Self::Special(Special::Help) => "-h, --help".into(),
            Self::Special(Special::Version) => "-v, --version".into(),
            Self::Special(Special::Validate) => "--validate".into(),
            Self::Special(Special::ConfigFile) => "--config-file".into(),
        }
    }
}

/// Takes the arguments behind `lighter daemon` apart.
///
/// Errors: `InvalidArgument` for an unknown flag, a missing or malformed value, or an operand.
pub fn parse(args: &[String]) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            return rest.next().map_or(Ok(parsed), |operand| Err(no_operands(operand)));
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
            let flag = Flag::long(name).ok_or_else(|| Error::invalid(format!("unknown flag: --{name}")))?;
            let missing = || Error::invalid(format!("flag needs an argument: --{name}"));
            take(&mut parsed, flag, value, &mut rest, missing)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            short(&mut parsed, letters, &mut rest)?;
        } else {
            return Err(no_operands(arg));
        }
    }
    Ok(parsed)
}

fn no_operands(operand: &str) -> Error {
    Error::invalid(format!("\"lighter daemon\" accepts no arguments: {operand:?}"))
}

/// One or several letters behind one dash; the first that takes a value takes the rest as it.
fn short<'a>(parsed: &mut Parsed, letters: &'a str, rest: &mut impl Iterator<Item = &'a String>) -> Result<()> {
    for (at, letter) in letters.char_indices() {
        let unknown = || Error::invalid(format!("unknown shorthand flag: '{letter}' in -{letters}"));
        let flag = Flag::short(letter).ok_or_else(unknown)?;
        let behind = &letters[at + letter.len_utf8()..];
        let missing = || Error::invalid(format!("flag needs an argument: '{letter}' in -{letters}"));
        if let Some(value) = behind.strip_prefix('=') {
            return take(parsed, flag, Some(value), rest, missing);
        }
        if !flag.is_bool() {
            let value = Some(behind).filter(|behind| !behind.is_empty());
            return take(parsed, flag, value, rest, missing);
        }
        take(parsed, flag, None, rest, missing)?;
    }
    Ok(())
}

fn take<'a>(
    parsed: &mut Parsed,
    flag: Flag,
    value: Option<&str>,
    rest: &mut impl Iterator<Item = &'a String>,
    missing: impl Fn() -> Error,
) -> Result<()> {
    let value = match value {
        Some(value) => value.to_owned(),
        None if flag.is_bool() => "true".into(),
        None => rest.next().ok_or_else(missing)?.clone(),
    };
    let malformed =
        |why: String| Error::invalid(format!("invalid argument {value:?} for {:?} flag: {why}", flag.name()));
    match flag {
        Flag::Row(row) => set(&mut parsed.values, row, &value).map_err(malformed),
        Flag::Special(Special::ConfigFile) => {
            parsed.config_file = Some(value);
            Ok(())
        }
        Flag::Special(special) => {
            let on = boolean(&value).map_err(malformed)?;
            match special {
                Special::Help => parsed.help = on,
                Special::Version => parsed.version = on,
                Special::Validate | Special::ConfigFile => parsed.validate = on,
            }
            Ok(())
        }
    }
}

/// Sets or, for what can be repeated, adds to the value of a row.
fn set(values: &mut Values, row: &'static Row, text: &str) -> Result<(), String> {
    match row.kind {
        Kind::Bool => {
            values.insert(row.key, Value::Bool(boolean(text)?));
        }
        Kind::Int => {
            let bad = || format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
            values.insert(row.key, Value::from(text.parse::<i64>().map_err(|_| bad())?));
        }
        Kind::Size | Kind::Text | Kind::Other => {
            values.insert(row.key, text.into());
        }
        Kind::List => list(values, row).push(text.into()),
        Kind::Map => {
            let (key, value) = text.split_once('=').ok_or_else(|| format!("invalid key=value: {text}"))?;
            object(values, row).insert(key.into(), value.into());
        }
        Kind::Ulimits => {
            let (name, limit) = ulimit(text)?;
            object(values, row).insert(name, limit);
        }
        Kind::Pools => list(values, row).push(pool(text)?),
        Kind::Options => {
            let bad = || format!("invalid value {text:?}: DRIVER=KEY=VALUE is wanted");
            let (driver, option) = text.split_once('=').ok_or_else(bad)?;
            let (key, value) = option.split_once('=').ok_or_else(bad)?;
            let of_driver = object(values, row).entry(driver).or_insert_with(|| json!({}));
            of_driver[key] = value.into();
        }
        Kind::Runtimes => {
            let (name, path) = text.split_once('=').ok_or_else(|| format!("invalid runtime: {text}"))?;
            object(values, row).insert(name.trim().to_lowercase(), json!({"path": path.trim()}));
        }
    }
    Ok(())
}

fn list<'a>(values: &'a mut Values, row: &'static Row) -> &'a mut Vec<Value> {
    let entry = values.entry(row.key).or_insert_with(|| json!([]));
    if !entry.is_array() {
        *entry = json!([]);
    }
    entry.as_array_mut().expect("made an array")
}

fn object<'a>(values: &'a mut Values, row: &'static Row) -> &'a mut Map<String, Value> {
    let entry = values.entry(row.key).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    entry.as_object_mut().expect("made an object")
}

/// Go's strconv.ParseBool.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// `NAME=SOFT[:HARD]`.
fn ulimit(text: &str) -> Result<(String, Value), String> {
    let (name, limits) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("invalid ulimit argument: {text}"));
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Ok((name.to_owned(), json!({"Name": name, "Soft": number(soft)?, "Hard": number(hard)?})))
}

/// `base=NETWORK,size=LENGTH`.
fn pool(text: &str) -> Result<Value, String> {
    let mut pool = Map::new();
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("base", base)) => pool.insert("base".into(), base.into()),
            Some(("size", size)) => {
                let size: u8 = size.parse().map_err(|_| format!("invalid size value: {size}"))?;
                pool.insert("size".into(), size.into())
            }
            Some((key, _)) => return Err(format!("unexpected key '{key}' in '{part}'")),
            None => return Err(format!("invalid field '{part}' must be a key=value pair")),
        };
    }
    if pool.len() == 2 { Ok(pool.into()) } else { Err("base and size are both needed".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn values() {
        let check = |line: &str, expected: Value| {
            let found: Map<String, Value> =
                parsed(line).unwrap().values.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            assert_eq!(Value::from(found), expected, "{line}");
        };
        check("", json!({}));
        check("-D --icc=false --init", json!({"debug": true, "icc": false, "init": true}));
        check("-H unix:///a -H=tcp://b --host fd://", json!({"hosts": ["unix:///a", "tcp://b", "fd://"]}));
        check(
            "-Hunix:///a -DHfd:// -l debug",
            json!({"hosts": ["unix:///a", "fd://"], "debug": true, "log-level": "debug"}),
        );
        check("--mtu 1400 --default-shm-size 1g", json!({"mtu": 1400, "default-shm-size": "1g"}));
        check("--log-opt max-size=1m --log-opt a=b=c", json!({"log-opts": {"max-size": "1m", "a": "b=c"}}));
        check(
            "--default-ulimit nofile=1024:2048 --default-ulimit core=0",
            json!({"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048},
                "core": {"Name": "core", "Soft": 0, "Hard": 0}}}),
        );
        check(
            "--default-address-pool base=10.0.0.0/8,size=24",
            json!({"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}),
        );
        check(
            "--default-network-opt bridge=a=1 --default-network-opt bridge=b=c=d --default-network-opt macvlan=x=",
            json!({"default-network-opts": {"bridge": {"a": "1", "b": "c=d"}, "macvlan": {"x": ""}}}),
        );
        check("--label a=b --tlsverify=0 --", json!({"labels": ["a=b"], "tlsverify": false}));
        check("--data-root --odd", json!({"data-root": "--odd"}));
    }

    #[test]
    fn specials() {
        let check = |line: &str, expected: [bool; 3], file: Option<&str>| {
            let p = parsed(line).unwrap();
            assert_eq!(([p.help, p.version, p.validate], p.config_file.as_deref()), (expected, file), "{line}");
        };
        check("--help", [true, false, false], None);
        check("-h", [true, false, false], None);
        check("-v --validate", [false, true, true], None);
        check("--config-file=/x --validate=false", [false, false, false], Some("/x"));
        check("--config-file /x", [false, false, false], Some("/x"));
    }

    #[test]
    fn mistakes() {
        let check = |line: &str, expected: &str| assert_eq!(parsed(line).unwrap_err().message, expected, "{line}");
        check("--foo", "unknown flag: --foo");
        check("--foo=1", "unknown flag: --foo");
        check("--hosts x", "unknown flag: --hosts");
        check("-x", "unknown shorthand flag: 'x' in -x");
        check("-Dx", "unknown shorthand flag: 'x' in -Dx");
        check("--mtu", "flag needs an argument: --mtu");
        check("-DH", "flag needs an argument: 'H' in -DH");
        check("--mtu x", "invalid argument \"x\" for \"--mtu\" flag: strconv.ParseInt: parsing \"x\": invalid syntax");
        check(
            "-D=maybe",
            "invalid argument \"maybe\" for \"-D, --debug\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        );
        check("--log-opt x", "invalid argument \"x\" for \"--log-opt\" flag: invalid key=value: x");
        check("start", "\"lighter daemon\" accepts no arguments: \"start\"");
        check("-- x", "\"lighter daemon\" accepts no arguments: \"x\"");
        check("-", "\"lighter daemon\" accepts no arguments: \"-\"");
        for bad in ["nofile", "nofile=x", "nofile=1:x"] {
            assert!(parsed(&format!("--default-ulimit {bad}")).is_err(), "{bad}");
        }
        for bad in ["x", "base=10.0.0.0/8", "base=10.0.0.0/8,size=x", "base=10.0.0.0/8,length=24"] {
            assert!(parsed(&format!("--default-address-pool {bad}")).is_err(), "{bad}");
        }
    }
}
