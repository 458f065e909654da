//! Holds the tree to its map: dependencies point down, `unsafe` is in `sys` only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up; a crate may depend on those of lower rows only, and on the named ones of its own row.
const LAYERS: &[&[&str]] = &[
    &["sys"],
    &["values"],
    &["oci", "api", "gotemplate"],
    &["archive", "cgroup", "netlink", "store", "logging", "client", "registry", "testkit"],
    &["erofs"],
    &["snapshot"],
    &["runtime", "image", "network"],
    &["shim"],
    &["engine"],
    &["server", "cli"],
    &["daemon"],
    &["lighter", "lighter-shim", "lighter-runtime"],
];

/// What a row's order does not forbid but the design does.
const NEVER: &[(&str, &[&str])] = &[
    ("cli", &["engine", "runtime", "shim", "network", "image", "snapshot", "store", "daemon", "server"]),
    ("client", &["engine", "server"]),
    ("server", &["network", "image", "snapshot", "store", "shim", "runtime", "netlink", "cgroup"]),
    ("runtime", &["api", "engine", "tokio"]),
    ("shim", &["api", "engine", "tokio", "logging"]),
    ("cgroup", &["tokio"]),
    ("sys", &["tokio", "values", "serde"]),
    ("network", &["tokio"]),
    ("image", &["tokio"]),
    ("store", &["tokio"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn crates() -> BTreeMap<String, (PathBuf, Vec<String>)> {
    let mut all = BTreeMap::new();
    for group in ["crates", "bin"] {
        for entry in fs::read_dir(root().join(group)).expect(group).flatten() {
            let manifest = entry.path().join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            all.insert(name, (entry.path(), dependencies(&text)));
        }
    }
    all
}

/// Names in `[dependencies]`; what only tests need may point anywhere.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = vec![];
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once(['.', ' ', '=']) {
            names.push(name.to_owned());
        }
    }
    names
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&name))
}

#[test]
fn dependencies_point_down() {
    for (name, (_, dependencies)) in crates() {
        let own = layer(&name).unwrap_or_else(|| panic!("crate {name} has no place in LAYERS"));
        for dependency in dependencies {
            if let Some(other) = layer(&dependency) {
                assert!(other < own, "{name} depends on {dependency}, which is not below it");
            }
            let never = NEVER.iter().filter(|(n, _)| *n == name).flat_map(|(_, d)| *d);
            assert!(never.into_iter().all(|d| *d != dependency), "{name} must not depend on {dependency}");
        }
    }
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn unsafe_is_in_sys_only() {
    for (name, (path, _)) in crates() {
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("manifest");
        if name == "sys" {
            continue;
        }
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} does not take the workspace's lints");
        let mut files = vec![];
        sources(&path, &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("source");
            let word = concat!("unsafe", "_code)");
            assert!(!text.contains(&format!("allow({word}")), "{} lifts the ban on unsafe", file.display());
        }
    }
}

#[test]
fn mains_are_small() {
    for (name, (path, _)) in crates() {
        let main = path.join("src/main.rs");
        if let Ok(text) = fs::read_to_string(main) {
            assert!(text.lines().count() <= 40, "main.rs of {name} is longer than 40 lines");
        }
    }
}
