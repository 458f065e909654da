//! docs/compat/run.md has a row for every flag of `run`, `create` and `exec` and every field of a create request, and the
//! tests it names are there.

mod recorder;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/compat/run.md")).unwrap()
}

/// The rows between two headings.
fn section(page: &str, heading: &str) -> String {
    let start = page.find(heading).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &page[start + heading.len()..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
}

/// The long flags which `--help` tells of.
fn flags(command: &str) -> BTreeSet<String> {
    let output = Command::new(recorder::client()).args([command, "--help"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let long = |line: &str| {
        let line = line.trim_start();
        let name = line.split_whitespace().find(|word| word.starts_with("--"))?;
        line.starts_with('-').then(|| name.to_owned())
    };
    text.lines().filter_map(long).collect()
}

#[test]
fn every_flag_has_a_row() {
    let page = page();
    for (command, heading) in
        [("run", "## Flags of `run`"), ("create", "## Flags of `run`"), ("exec", "## Flags of `exec`")]
    {
        let (rows, flags) = (section(&page, heading), flags(command));
        assert!(flags.len() > 5, "{command}: {flags:?}");
        let is_there = |flag: &str| [format!("`{flag}`"), format!("`{flag} ")].iter().any(|text| rows.contains(text));
        let missing: Vec<_> = flags.iter().filter(|flag| !is_there(flag)).collect();
        assert!(missing.is_empty(), "no row for {missing:?} of {command}");
    }
}

#[test]
fn every_field_has_a_row() {
    let page = page();
    let words: BTreeSet<&str> = page.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let of = |value: serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut fields = of(serde_json::to_value(api::types::ContainerConfig::default()).unwrap());
    fields.extend(of(serde_json::to_value(api::types::HostConfig::default()).unwrap()));
    // left out where they say nothing
    let quiet = "Annotations ArgsEscaped ExposedPorts Healthcheck Init KernelMemory KernelMemoryTCP MacAddress Mounts \
        NetworkDisabled OnBuild Runtime Shell StdinOnce StopSignal StopTimeout StorageOpt Sysctls Tmpfs";
    fields.extend(quiet.split_whitespace().map(str::to_owned));
    let missing: Vec<_> = fields.iter().filter(|field| !words.contains(field.as_str())).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn the_tests_are_there() {
    let page = page();
    let names: BTreeSet<(&str, &str)> =
        page.split([' ', ',', '|', '\n', '(', ')', '`']).filter_map(|word| word.split_once("::")).collect();
    assert!(names.len() > 30);
    for (file, name) in names {
        if (file, name) == ("file", "name") {
            continue;
        }
        let path = match file {
            "create_request" => "crates/cli/tests/create_request.rs".to_owned(),
            _ if file.contains('/') => file.to_owned(),
            _ => format!("bin/lighter/tests/{file}.rs"),
        };
        let text = std::fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(text.contains(&format!("fn {name}()")), "{path} has no test {name}");
    }
}
