//! Flags and file put together.

use std::collections::BTreeMap;

use serde_json::Value;
use values::{Error, Result};

use super::{Row, Support, by_key};

/// Values by key of the table; what was not said is not there.
pub type Values = BTreeMap<&'static str, Value>;

/// Both together. What we cannot do is refused here, whoever said it.
///
/// Errors: `InvalidArgument` naming the keys that both have, or those that ask for what is not there yet.
pub fn merge(flags: Values, file: Values) -> Result<Values> {
    let twice: Vec<String> = flags.iter().filter_map(|(key, flag)| Some(conflict(key, flag, file.get(key)?))).collect();
    if !twice.is_empty() {
        let twice = twice.join(", ");
        return Err(Error::invalid(format!(
            "the following directives are specified both as a flag and in the configuration file: {twice}"
        )));
    }
    refuse_unsupported(&flags, |row| format!("--{}", row.flag))?;
    refuse_unsupported(&file, |row| row.key.to_owned())?;
    Ok(file.into_iter().chain(flags).collect())
}

fn conflict(key: &str, flag: &Value, file: &Value) -> String {
    format!("{key}: (from flag: {}, from file: {})", go(flag), go(file))
}

/// As Go's `%v` prints it, which is what Docker's message has.
fn go(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(go).collect::<Vec<_>>().join(" ")),
        Value::Object(object) => {
            let pairs: Vec<String> = object.iter().map(|(key, value)| format!("{key}:{}", go(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

fn refuse_unsupported(values: &Values, name: impl Fn(&Row) -> String) -> Result<()> {
    let rows = values.iter().filter_map(|(key, value)| Some((by_key(key)?, value)));
    let refused: Vec<String> = rows.filter_map(|(row, value)| refusal(row, value, &name(row))).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let refused = refused.join(", ");
    Err(Error::not_implemented(format!("the following directives are not supported by Lighter yet: {refused}")))
}

fn refusal(row: &Row, value: &Value, name: &str) -> Option<String> {
    match row.support {
        Support::Yes => None,
        Support::No => Some(name.to_owned()),
        Support::Only(allowed) if allowed.contains(&value.to_string().as_str()) => None,
        Support::Only(allowed) => Some(format!("{name} (only {} is)", allowed.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{file, flags};

    fn merged(line: &str, text: &str) -> Result<Values> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        merge(flags::parse(&args)?.values, file::parse(text)?)
    }

    #[test]
    fn both_count() {
        let values = merged("--mtu 1400", r#"{"debug": true}"#).unwrap();
        assert_eq!(values.keys().copied().collect::<Vec<_>>(), ["debug", "mtu"]);
    }

    #[test]
    fn said_twice() {
        let check = |line: &str, text: &str, expected: &str| {
            let both = "the following directives are specified both as a flag and in the configuration file";
            assert_eq!(merged(line, text).unwrap_err().message, format!("{both}: {expected}"), "{line}");
        };
        check("--debug", r#"{"debug": true}"#, "debug: (from flag: true, from file: true)");
        check("-H fd://", r#"{"hosts": ["unix:///a", "b"]}"#, "hosts: (from flag: [fd://], from file: [unix:///a b])");
        check(
            "-D --log-opt a=b",
            r#"{"debug": false, "log-opts": {"a": "c", "d": "e"}}"#,
            "debug: (from flag: true, from file: false), log-opts: (from flag: map[a:b], from file: map[a:c d:e])",
        );
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let check = |line: &str, text: &str, expected: &str| {
            let found = merged(line, text).map_or_else(|e| e.message, |_| "fine".into());
            let not_yet = "the following directives are not supported by Lighter yet: ";
            assert_eq!(found.strip_prefix(not_yet).unwrap_or(&found), expected, "{line} {text}");
        };
        check("--init-path /x", "", "--init-path");
        check("--tlsverify --tlscacert x", "", "--tlscacert, --tlsverify (only false is)");
        check("", r#"{"init-path": "/x", "iptables": false}"#, "init-path, iptables (only true is)");
        check("", r#"{"iptables": true, "ipv6": false, "default-runtime": "runc", "raw-logs": false}"#, "fine");
        check(
            "",
            r#"{"features": {"containerd-snapshotter": true}, "exec-opts": ["native.cgroupdriver=cgroupfs"]}"#,
            "fine",
        );
        check("", r#"{"userns-remap": "", "insecure-registries": [], "proxies": {}}"#, "fine");
        check("", r#"{"live-restore": true}"#, "fine");
    }
}
