//! A container's log driver and its options, checked and made into what the log's writer needs.
//!
//! Drivers: `json-file`, `local` and `none`. Unlike Docker's, a `json-file` log is bounded by default: [`MAX_SIZE`] ×
//! [`MAX_FILES`]. The two differ in their options and defaults; what the writer writes is the same.

use std::collections::BTreeMap;

use api::types::{ContainerConfig, LogConfig};
use values::{Error, Result, size};

/// Bytes of one file when nothing is said.
pub const MAX_SIZE: u64 = 20_000_000;
/// Files in all when nothing is said.
pub const MAX_FILES: u32 = 5;
/// The same for `local`, as Docker has it.
const LOCAL_MAX_SIZE: u64 = 20 << 20;

/// What the writer of a log is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes after which the file is rotated; 0: never.
    pub max_size: u64,
    /// Files kept in all, the current one included; at least 1.
    pub max_files: u32,
    /// Rotated files are gzipped.
    pub compress: bool,
    /// JSON object text put into each line as `attrs`.
    pub attrs: Option<String>,
    /// Bytes that may wait before lines are dropped (`mode=non-blocking`); `None`: the container waits for its log.
    pub buffer: Option<u64>,
}

/// Docker's `max-buffer-size` when nothing is said.
const BUFFER: u64 = 1 << 20;

/// What the `tag` option may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    pub id: &'a str,
    /// Without the leading slash.
    pub name: &'a str,
    /// As the user wrote it.
    pub image: &'a str,
    pub image_id: &'a str,
}

const OPTIONS: [&str; 10] = [
    "max-size",
    "max-file",
    "compress",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
    "tag",
    "mode",
    "max-buffer-size",
];
/// Docker's, which we do not have.
const OTHER_DRIVERS: [&str; 8] = ["journald", "syslog", "gelf", "fluentd", "awslogs", "splunk", "gcplogs", "etwlogs"];

/// Checks driver and options without a container; an empty driver is `default`.
///
/// # Errors
/// `InvalidArgument` in Docker's words; `NotImplemented` for Docker's other drivers.
pub fn check(log: &LogConfig, default: &str) -> Result<()> {
    let mut log = log.clone();
    if log.kind.is_empty() {
        log.kind = default.into();
    }
    settings(&log, &ContainerConfig::default(), Subject::default()).map(drop)
}

/// The settings of one container's log; None: nothing is logged.
///
/// # Errors
/// As [`check`].
pub fn settings(log: &LogConfig, container: &ContainerConfig, subject: Subject<'_>) -> Result<Option<Settings>> {
    let none = BTreeMap::new();
    let options = log.config.as_ref().unwrap_or(&none);
    match log.kind.as_str() {
        "json-file" | "" => json_file(options, container, subject).map(Some),
        "local" => local(options).map(Some),
        // Docker takes any option for it: none has a meaning.
        "none" => Ok(None),
        other if OTHER_DRIVERS.contains(&other) => Err(Error::not_implemented(format!(
            "the log driver '{other}' is not supported yet: use json-file, local or none"
        ))),
        other => Err(Error::invalid(format!("error looking up logging plugin {other}: plugin \"{other}\" not found"))),
    }
}

fn json_file(
    options: &BTreeMap<String, String>,
    container: &ContainerConfig,
    subject: Subject<'_>,
) -> Result<Settings> {
    let buffer = buffer(options)?;
    if let Some(key) = options.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return Err(Error::invalid(format!("unknown log opt '{key}' for json-file log driver")));
    }
    let max_size = max_size(options.get("max-size"))?;
    let max_files = max_files(options)?;
    let compress = options.get("compress").map_or(Ok(false), |text| go_bool(text))?;
    if compress
        && options.contains_key("max-size") | options.contains_key("max-file")
        && (max_files < 2 || max_size == 0)
    {
        return Err(Error::invalid("compress cannot be true when max-file is less than 2 or max-size is not set"));
    }
    Ok(Settings { max_size, max_files, compress, attrs: attrs(options, container, subject)?, buffer })
}

fn local(options: &BTreeMap<String, String>) -> Result<Settings> {
    const KNOWN: [&str; 5] = ["max-size", "max-file", "compress", "mode", "max-buffer-size"];
    let buffer = buffer(options)?;
    if let Some(key) = options.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Error::invalid(format!("unknown log opt '{key}' for log driver local")));
    }
    let named = |key: &str, text: &str| format!("invalid value for {key}: {text}");
    let max_size = match options.get("max-size") {
        None => LOCAL_MAX_SIZE,
        Some(text) => size::parse_decimal(text)
            .and_then(|bytes| u64::try_from(bytes).map_err(|_| Error::invalid(format!("invalid size: '{text}'"))))
            .map_err(|e| e.context(named("max-size", text)))?,
    };
    let max_files = match options.get("max-file") {
        None => MAX_FILES,
        Some(text) => u32::try_from(go_int(text).map_err(|e| e.context(named("max-file", text)))?.max(1))
            .map_err(|_| Error::invalid(named("max-file", text)))?,
    };
    let compress = options.get("compress").map_or(Ok(true), |text| go_bool(text));
    let compress = compress.map_err(|e| e.context("error reading compress log option"))?;
    if compress && max_files == 1 {
        return Err(Error::invalid("compression cannot be enabled when max file count is 1"));
    }
    Ok(Settings { max_size, max_files, compress, attrs: None, buffer })
}

/// `mode` and `max-buffer-size`: how much may wait for the disk; `None`: nothing, the container waits itself.
fn buffer(options: &BTreeMap<String, String>) -> Result<Option<u64>> {
    let mode = options.get("mode").map(String::as_str);
    let asked = options.get("max-buffer-size");
    match mode {
        Some("non-blocking") => {}
        None | Some("" | "blocking") if asked.is_none() => return Ok(None),
        None | Some("" | "blocking") => {
            return Err(Error::invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'"));
        }
        Some(mode) => return Err(Error::invalid(format!("logger: logging mode not supported: {mode}"))),
    }
    let Some(text) = asked else { return Ok(Some(BUFFER)) };
    let bytes = size::parse_binary(text).map_err(|e| e.context("error parsing option max-buffer-size"))?;
    Ok(Some(u64::try_from(bytes).unwrap_or(BUFFER)))
}

fn max_size(text: Option<&String>) -> Result<u64> {
    match text.map(String::as_str) {
        None => Ok(MAX_SIZE),
        Some("-1") => Ok(0),
        Some(text) => {
            // by powers of 1000, as docker
            let bytes = size::parse_decimal(text)?;
            u64::try_from(bytes)
                .ok()
                .filter(|bytes| *bytes > 0)
                .ok_or_else(|| Error::invalid("max-size must be a positive number"))
        }
    }
}

fn max_files(options: &BTreeMap<String, String>) -> Result<u32> {
    let Some(text) = options.get("max-file") else {
        // Who names a size means Docker's rule: one file of that size, unless it is unlimited.
        return Ok(if options.contains_key("max-size") { 1 } else { MAX_FILES });
    };
    match go_int(text)? {
        ..=0 => Err(Error::invalid("max-file cannot be less than 1")),
        n => u32::try_from(n).map_err(|_| Error::invalid("max-file is too large")),
    }
}

/// Go's `strconv.Atoi`, with its words.
fn go_int(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::invalid(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
}

fn go_bool(text: &str) -> Result<bool> {
    boolean(text).ok_or_else(|| Error::invalid(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")))
}

/// Go's `strconv.ParseBool`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Labels and variables chosen by `labels`, `labels-regex`, `env`, `env-regex`, and the expanded `tag`.
fn attrs(
    options: &BTreeMap<String, String>,
    container: &ContainerConfig,
    subject: Subject<'_>,
) -> Result<Option<String>> {
    let mut attrs: BTreeMap<&str, String> = BTreeMap::new();
    let labels = container.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let env = container.env.iter().flatten().filter_map(|variable| variable.split_once('='));
    let wanted = choice(options, "labels", "labels-regex")?;
    attrs.extend(labels.filter(|(key, _)| wanted(key)).map(|(key, value)| (key, value.to_owned())));
    let wanted = choice(options, "env", "env-regex")?;
    attrs.extend(env.filter(|(key, _)| wanted(key)).map(|(key, value)| (key, value.to_owned())));
    let tag = options.get("tag").map(|template| expand(template, subject)).transpose()?;
    attrs.extend(tag.filter(|tag| !tag.is_empty()).map(|tag| ("tag", tag)));
    if attrs.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&attrs).map(Some).map_err(|e| Error::internal(format!("log attributes: {e}")))
}

/// A test of names: in the comma list of one option, or matched by the expression of the other.
fn choice(options: &BTreeMap<String, String>, list: &str, regex: &str) -> Result<impl Fn(&str) -> bool> {
    let names: Vec<String> =
        options.get(list).map_or_else(Vec::new, |text| text.split(',').map(str::to_owned).collect());
    let pattern = match options.get(regex).filter(|text| !text.is_empty()) {
        Some(text) => Some(
            regex_lite::Regex::new(text)
                .map_err(|e| Error::invalid(format!("invalid value for {regex}: '{text}': {e}")))?,
        ),
        None => None,
    };
    Ok(move |name: &str| names.iter().any(|n| n == name) || pattern.as_ref().is_some_and(|p| p.is_match(name)))
}

/// Expands the fields of a `tag` template: `{{.Name}}/{{.ID}}`.
fn expand(template: &str, subject: Subject<'_>) -> Result<String> {
    let short = |id: &str| id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect::<String>();
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after
            .split_once("}}")
            .ok_or_else(|| Error::invalid(format!("invalid value for tag: '{template}': unclosed action")))?;
        text.push_str(before);
        text.push_str(&match action.trim() {
            ".ID" => short(subject.id),
            ".FullID" => subject.id.to_owned(),
            ".Name" => subject.name.to_owned(),
            ".ImageName" => subject.image.to_owned(),
            ".ImageID" => short(subject.image_id),
            ".ImageFullID" => subject.image_id.to_owned(),
            ".DaemonName" => "docker".to_owned(),
            action => {
                return Err(Error::invalid(format!(
                    "invalid value for tag: '{{{{{action}}}}}' is not one of .ID .FullID .Name .ImageName .ImageID .ImageFullID .DaemonName"
                )));
            }
        });
        rest = after;
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::ErrorKind;

    fn config(kind: &str, options: &[(&str, &str)]) -> LogConfig {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        LogConfig { kind: kind.into(), config: Some(options) }
    }

    #[test]
    fn sizes() {
        let check = |options: &[(&str, &str)], expected: Result<(u64, u32, bool), &str>| {
            let got = settings(&config("json-file", options), &ContainerConfig::default(), Subject::default());
            let got = got.map(|s| s.map(|s| (s.max_size, s.max_files, s.compress)).unwrap()).map_err(|e| e.message);
            assert_eq!(got, expected.map_err(str::to_owned), "{options:?}");
        };
        check(&[], Ok((20_000_000, 5, false)));
        check(&[("max-size", "10m")], Ok((10_000_000, 1, false)));
        check(&[("max-size", "10m"), ("max-file", "3"), ("compress", "false")], Ok((10_000_000, 3, false)));
        check(&[("max-size", "-1")], Ok((0, 1, false)));
        check(&[("max-file", "2")], Ok((20_000_000, 2, false)));
        check(&[("compress", "true")], Ok((20_000_000, 5, true)));
        check(&[("compress", "true"), ("max-size", "1m"), ("max-file", "2")], Ok((1_000_000, 2, true)));
        check(&[("compress", "x")], Err("strconv.ParseBool: parsing \"x\": invalid syntax"));
        check(&[("max-size", "x")], Err("invalid size: 'x'"));
        check(&[("max-size", "0")], Err("max-size must be a positive number"));
        check(&[("max-file", "0")], Err("max-file cannot be less than 1"));
        check(&[("max-file", "x")], Err("strconv.Atoi: parsing \"x\": invalid syntax"));
        check(
            &[("compress", "true"), ("max-size", "1m")],
            Err("compress cannot be true when max-file is less than 2 or max-size is not set"),
        );
        check(&[("colour", "x")], Err("unknown log opt 'colour' for json-file log driver"));
        check(&[("mode", "x")], Err("logger: logging mode not supported: x"));
        check(
            &[("max-buffer-size", "1m")],
            Err("logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
        );
        check(
            &[("max-buffer-size", "x"), ("mode", "non-blocking")],
            Err("error parsing option max-buffer-size: invalid size: 'x'"),
        );
        for (options, expected) in [
            (&[("mode", "blocking")][..], None),
            (&[("mode", "non-blocking")], Some(1 << 20)),
            (&[("mode", "non-blocking"), ("max-buffer-size", "4m")], Some(4 << 20)),
        ] {
            let got = settings(&config("local", options), &ContainerConfig::default(), Subject::default());
            assert_eq!(got.map(|s| s.and_then(|s| s.buffer)), Ok(expected), "{options:?}");
        }
    }

    #[test]
    fn local_has_its_own_defaults_and_words() {
        let check = |options: &[(&str, &str)], expected: Result<(u64, u32, bool), &str>| {
            let got = settings(&config("local", options), &ContainerConfig::default(), Subject::default());
            let got = got.map(|s| s.map(|s| (s.max_size, s.max_files, s.compress)).unwrap()).map_err(|e| e.message);
            assert_eq!(got, expected.map_err(str::to_owned), "{options:?}");
        };
        check(&[], Ok((20 << 20, 5, true)));
        check(&[("max-size", "1m"), ("max-file", "2")], Ok((1_000_000, 2, true)));
        check(&[("max-file", "1"), ("compress", "false")], Ok((20 << 20, 1, false)));
        for options in [&[("max-file", "1")][..], &[("max-file", "0")], &[("max-file", "1"), ("compress", "true")]] {
            check(options, Err("compression cannot be enabled when max file count is 1"));
        }
        check(&[("labels", "x")], Err("unknown log opt 'labels' for log driver local"));
        check(&[("max-size", "x")], Err("invalid value for max-size: x: invalid size: 'x'"));
        check(&[("max-file", "x")], Err("invalid value for max-file: x: strconv.Atoi: parsing \"x\": invalid syntax"));
        check(
            &[("compress", "x")],
            Err("error reading compress log option: strconv.ParseBool: parsing \"x\": invalid syntax"),
        );
    }

    #[test]
    fn drivers() {
        let kind = |name: &str| check(&config(name, &[]), "json-file").map_err(|e| (e.kind, e.message));
        assert_eq!(kind(""), Ok(()));
        assert_eq!(kind("none"), Ok(()));
        assert_eq!(kind("syslog").unwrap_err().0, ErrorKind::NotImplemented);
        assert_eq!(kind("x").unwrap_err().1, "error looking up logging plugin x: plugin \"x\" not found");
        assert_eq!(settings(&config("none", &[]), &ContainerConfig::default(), Subject::default()), Ok(None));
    }

    #[test]
    fn attributes() {
        let container = ContainerConfig {
            env: Some(vec!["A=1".into(), "OS_X=2".into(), "B".into()]),
            labels: Some(BTreeMap::from([("l".into(), "3".into()), ("m".into(), "4".into())])),
            ..ContainerConfig::default()
        };
        let subject =
            Subject { id: "0123456789abcdef", name: "web", image: "nginx", image_id: "sha256:fedcba9876543210" };
        let check = |options: &[(&str, &str)], expected: Option<&str>| {
            let got = settings(&config("", options), &container, subject).unwrap().unwrap();
            assert_eq!(got.attrs.as_deref(), expected, "{options:?}");
        };
        check(&[], None);
        check(&[("env", "A,B,C"), ("labels", "l")], Some(r#"{"A":"1","l":"3"}"#));
        check(&[("env-regex", "^OS_"), ("labels-regex", "[lm]")], Some(r#"{"OS_X":"2","l":"3","m":"4"}"#));
        check(&[("tag", "{{.Name}}/{{ .ID }}/{{.ImageID}}")], Some(r#"{"tag":"web/0123456789ab/fedcba987654"}"#));
        for bad in [[("tag", "{{.X}}")], [("tag", "{{.ID")], [("env-regex", "(")]] {
            assert!(settings(&config("", &bad), &container, subject).is_err(), "{bad:?}");
        }
    }
}
